/* Opening the ELF: machine, executable sections, build id. */
#include "tools/symtab/image.h"

#include <fcntl.h>
#include <string.h>

#include "tools/symtab/buffer.h"

enum { TEXT_SPAN_MAX = 256 << 20 }; /* bytes: the index of unwind pages spans from the first to the last */

static void machine_set(struct image *im, const char *path)
{
	GElf_Ehdr eh;
	if (gelf_getehdr(im->elf, &eh) == NULL || eh.e_ident[EI_CLASS] != ELFCLASS64 ||
	    eh.e_ident[EI_DATA] != ELFDATA2LSB)
		die("%s: not a 64-bit little-endian ELF file", path);
	if (eh.e_type != ET_EXEC)
		die("%s: not a statically linked executable", path);
	if (eh.e_machine == EM_RISCV) {
		im->arch = SYMTAB_ARCH_RISCV64;
		im->unit_shift = 1;
		im->reg_pc = im->reg_ra = 1;
		im->reg_sp = 2;
		im->reg_fp = 8;
	} else if (eh.e_machine == EM_X86_64) {
		im->arch = SYMTAB_ARCH_X86_64;
		im->unit_shift = 0;
		im->reg_pc = 16;
		im->reg_ra = -1;
		im->reg_sp = 7;
		im->reg_fp = 6;
	} else {
		die("%s: machine %u is neither RISC-V nor x86-64", path, eh.e_machine);
	}
}

static void build_id_read(struct image *im, Elf_Scn *scn, const char *path)
{
	Elf_Data *data = elf_getdata(scn, NULL);
	GElf_Nhdr note;
	size_t at = 0, name_at, desc_at;
	while (data != NULL && (at = gelf_getnote(data, at, &note, &name_at, &desc_at)) > 0) {
		const char *bytes = data->d_buf;
		if (note.n_type != NT_GNU_BUILD_ID || note.n_namesz != 4 ||
		    memcmp(bytes + name_at, "GNU", 4) != 0)
			continue;
		if (note.n_descsz != SYMTAB_BUILD_ID)
			die("%s: build id of %u bytes, expected %d (link with --build-id=sha1)", path,
			    note.n_descsz, SYMTAB_BUILD_ID);
		memcpy(im->build_id, bytes + desc_at, SYMTAB_BUILD_ID);
	}
}

static bool section_is_text(const GElf_Shdr *sh)
{
	return sh->sh_type == SHT_PROGBITS && (sh->sh_flags & SHF_EXECINSTR) != 0 && sh->sh_size > 0;
}

void image_open(struct image *im, const char *path)
{
	*im = (struct image){0};
	int fd = open(path, O_RDONLY);
	if (fd < 0)
		die("%s: cannot be read", path);
	elf_version(EV_CURRENT);
	im->elf = elf_begin(fd, ELF_C_READ_MMAP, NULL);
	if (im->elf == NULL || elf_kind(im->elf) != ELF_K_ELF)
		die("%s: not an ELF file", path);
	machine_set(im, path);
	im->text_base = UINT64_MAX;
	Elf_Scn *scn = NULL;
	while ((scn = elf_nextscn(im->elf, scn)) != NULL) {
		GElf_Shdr sh;
		if (gelf_getshdr(scn, &sh) == NULL)
			die("%s: damaged section header", path);
		if (sh.sh_type == SHT_NOTE)
			build_id_read(im, scn, path);
		if (!section_is_text(&sh))
			continue;
		if (sh.sh_addr < im->text_base)
			im->text_base = sh.sh_addr;
		if (sh.sh_addr + sh.sh_size > im->text_limit)
			im->text_limit = sh.sh_addr + sh.sh_size;
		im->text_size += sh.sh_size;
	}
	static const uint8_t zero[SYMTAB_BUILD_ID];
	if (im->text_size == 0)
		die("%s: no executable section", path);
	if (im->text_limit - im->text_base > TEXT_SPAN_MAX)
		die("%s: executable sections lie more than %d MiB apart", path, TEXT_SPAN_MAX >> 20);
	if (memcmp(im->build_id, zero, sizeof zero) == 0)
		die("%s: no build id (link with --build-id=sha1)", path);
	im->dwarf = dwarf_begin_elf(im->elf, DWARF_C_READ, NULL);
}

uint64_t image_text_end(const struct image *im, uint64_t addr)
{
	Elf_Scn *scn = NULL;
	while ((scn = elf_nextscn(im->elf, scn)) != NULL) {
		GElf_Shdr sh;
		if (gelf_getshdr(scn, &sh) != NULL && section_is_text(&sh) && addr >= sh.sh_addr &&
		    addr - sh.sh_addr < sh.sh_size)
			return sh.sh_addr + sh.sh_size;
	}
	return 0;
}

/* A stop as a core file of Linux, for a debugger: registers, and the memory of its slices. */
#include <elf.h>
#include <stdio.h>
#include <string.h>

#include "tests/stepping/judge/judge.h"

enum { REGS_AT = 112, X86_64_SIZE = 336, RISCV_SIZE = 376 }; /* struct elf_prstatus of Linux */

/* struct user_regs_struct of x86-64, by word of struct arch_frame; orig_rax is the vector. */
static const uint8_t x86_64_regs[] = {2,  3,  4,  5,  10, 15, 6,  7,  8,  9, 16,
				      14, 13, 12, 11, 17, 19, 20, 21, 22, 23};

void core_write(const struct image *im, const struct step_stop *s, const char *path)
{
	struct {
		Elf64_Nhdr head;
		char name[8];
		uint8_t desc[RISCV_SIZE];
	} note = {.head = {5, im->riscv ? RISCV_SIZE : X86_64_SIZE, NT_PRSTATUS}, .name = "CORE"};
	for (unsigned i = 0; i < (im->riscv ? 32 : sizeof x86_64_regs); i++)
		memcpy(note.desc + REGS_AT + 8 * i, &s->frame[im->riscv ? i : x86_64_regs[i]], 8);
	size_t note_size = sizeof note.head + sizeof note.name + note.head.n_descsz;
	Elf64_Ehdr eh = {.e_type = ET_CORE,
			 .e_machine = im->riscv ? EM_RISCV : EM_X86_64,
			 .e_version = EV_CURRENT,
			 .e_phoff = sizeof eh,
			 .e_ehsize = sizeof eh,
			 .e_phentsize = sizeof(Elf64_Phdr),
			 .e_phnum = 1u + s->n_slices};
	memcpy(eh.e_ident, ELFMAG, SELFMAG);
	eh.e_ident[EI_CLASS] = ELFCLASS64;
	eh.e_ident[EI_DATA] = ELFDATA2LSB;
	eh.e_ident[EI_VERSION] = EV_CURRENT;
	FILE *f = fopen(path, "w");
	if (f == NULL)
		die("%s: cannot be written", path);
	size_t at = sizeof eh + eh.e_phnum * sizeof(Elf64_Phdr);
	Elf64_Phdr ph = {.p_type = PT_NOTE, .p_offset = at, .p_filesz = note_size};
	fwrite(&eh, sizeof eh, 1, f);
	fwrite(&ph, sizeof ph, 1, f);
	at += note_size;
	const uint8_t *p = (const uint8_t *)(s + 1);
	for (unsigned i = 0; i < s->n_slices; i++) {
		const struct step_slice *slice = (const void *)p;
		ph = (Elf64_Phdr){.p_type = PT_LOAD,
				  .p_flags = PF_R | PF_W,
				  .p_offset = at,
				  .p_vaddr = slice->addr,
				  .p_filesz = slice->size,
				  .p_memsz = slice->size};
		fwrite(&ph, sizeof ph, 1, f);
		at += slice->size;
		p += sizeof *slice + slice->size;
	}
	fwrite(&note, note_size, 1, f);
	p = (const uint8_t *)(s + 1);
	for (unsigned i = 0; i < s->n_slices; i++) {
		const struct step_slice *slice = (const void *)p;
		fwrite(slice + 1, slice->size, 1, f);
		p += sizeof *slice + slice->size;
	}
	if (fclose(f) != 0)
		die("%s: cannot be written", path);
}

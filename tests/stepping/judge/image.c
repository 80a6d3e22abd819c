/* The linked ELF: symbols, code, and where a stop's registers are. */
#include "tests/stepping/judge/judge.h"

#include <fcntl.h>
#include <gelf.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct symbol {
	const char *name;
	uint64_t start, size;
};

static struct symbol *functions, *symbols;
static size_t n_functions, n_symbols;
static Elf_Data *text;
static uint64_t text_base;

void die(const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	fputs("judge: ", stderr);
	vfprintf(stderr, fmt, args);
	fputc('\n', stderr);
	va_end(args);
	exit(2);
}

static int by_start(const void *a, const void *b)
{
	const struct symbol *x = a, *y = b;
	return x->start < y->start ? -1 : x->start > y->start;
}

static void symbols_read(Elf *elf, Elf_Scn *scn, const GElf_Shdr *sh)
{
	Elf_Data *data = elf_getdata(scn, NULL);
	size_t n = sh->sh_size / sh->sh_entsize;
	functions = calloc(n, sizeof *functions);
	symbols = calloc(n, sizeof *symbols);
	for (size_t i = 0; i < n; i++) {
		GElf_Sym sym;
		gelf_getsym(data, (int)i, &sym);
		const char *name = elf_strptr(elf, sh->sh_link, sym.st_name);
		if (name == NULL)
			continue;
		symbols[n_symbols++] = (struct symbol){name, sym.st_value, sym.st_size};
		if (GELF_ST_TYPE(sym.st_info) == STT_FUNC)
			functions[n_functions++] = (struct symbol){name, sym.st_value, sym.st_size};
	}
	qsort(functions, n_functions, sizeof *functions, by_start);
}

void image_open(struct image *im, const char *path)
{
	int fd = open(path, O_RDONLY);
	GElf_Ehdr eh;
	elf_version(EV_CURRENT);
	im->elf = fd < 0 ? NULL : elf_begin(fd, ELF_C_READ_MMAP, NULL);
	if (im->elf == NULL || gelf_getehdr(im->elf, &eh) == NULL)
		die("%s: not an ELF file that can be read", path);
	im->riscv = eh.e_machine == EM_RISCV;
	im->dwarf = dwarf_begin_elf(im->elf, DWARF_C_READ, NULL);
	for (Elf_Scn *scn = NULL; (scn = elf_nextscn(im->elf, scn)) != NULL;) {
		GElf_Shdr sh;
		gelf_getshdr(scn, &sh);
		if (sh.sh_type == SHT_SYMTAB)
			symbols_read(im->elf, scn, &sh);
		if (sh.sh_type == SHT_PROGBITS && (sh.sh_flags & SHF_EXECINSTR) && text == NULL) {
			text = elf_getdata(scn, NULL);
			text_base = sh.sh_addr;
		}
	}
	if (text == NULL || n_functions == 0)
		die("%s: no code or no symbols", path);
	im->switch_lo = image_symbol("__switch_start");
	im->switch_hi = image_symbol("__switch_end");
	im->trap_lo = image_symbol("__trap_start");
	im->trap_hi = image_symbol("__trap_end");
}

uint64_t image_symbol(const char *name)
{
	for (size_t i = 0; i < n_symbols; i++)
		if (strcmp(symbols[i].name, name) == 0)
			return symbols[i].start;
	die("the image has no symbol %s", name);
}

static const struct symbol *function_find(uint64_t pc)
{
	size_t lo = 0, hi = n_functions;
	while (lo < hi) {
		size_t mid = (lo + hi) / 2;
		if (functions[mid].start <= pc)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo > 0 ? &functions[lo - 1] : NULL;
}

const char *image_function(uint64_t pc, uint64_t *distance)
{
	const struct symbol *f = function_find(pc);
	*distance = f != NULL ? pc - f->start : pc;
	return f != NULL ? f->name : "?";
}

bool image_in(uint64_t pc, const char *function)
{
	const struct symbol *f = function_find(pc);
	return f != NULL && pc - f->start < f->size && strcmp(f->name, function) == 0;
}

void image_code(uint64_t pc, uint8_t *to, size_t n)
{
	memset(to, 0, n);
	for (size_t i = 0; i < n; i++)
		if (pc + i - text_base < text->d_size)
			to[i] = ((const uint8_t *)text->d_buf)[pc + i - text_base];
}

int stop_word(const struct image *im, int reg)
{
	/* struct arch_frame of arch/x86_64/frame.h, by DWARF number */
	static const int8_t x86_64[] = {16, 13, 14, 15, 12, 11, 10, 22, 9, 8, 7, 6, 5, 4, 3, 2, 19};
	if (im->riscv)
		return reg >= 1 && reg < 32 ? reg : -1;
	return reg >= 0 && reg < (int)sizeof x86_64 ? x86_64[reg] : -1;
}

uint64_t stop_pc(const struct image *im, const struct step_stop *s)
{
	return s->frame[im->riscv ? 0 : 19];
}

uint64_t stop_sp(const struct image *im, const struct step_stop *s)
{
	return s->frame[im->riscv ? 2 : 22];
}

bool stop_read(const struct step_stop *s, uint64_t addr, uint64_t *out)
{
	const uint8_t *at = (const uint8_t *)(s + 1);
	for (unsigned i = 0; i < s->n_slices; i++) {
		const struct step_slice *slice = (const void *)at;
		if (addr >= slice->addr && addr - slice->addr + 8 <= slice->size) {
			memcpy(out, at + sizeof *slice + (addr - slice->addr), 8);
			return true;
		}
		at += sizeof *slice + slice->size;
	}
	return false;
}

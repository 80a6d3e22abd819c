/*
 * Functions from the ELF's symbol table: those of type FUNC, and what assembly leaves without type: sized
 * symbols, global unsized ones, and local unsized ones where nothing else names the code. Local labels (.L,
 * $x, L...) and the bounds of sections that a linker script defines (__name_start, __name_end) are not
 * functions. Of several symbols at one address one name is chosen, always the same: a function before a
 * label, sized before unsized, global before local before weak, fewer leading underscores, shorter, first in
 * the alphabet.
 */
#include "tools/symtab/functions.h"

#include <stdlib.h>
#include <string.h>

#include "tools/symtab/buffer.h"

struct symbol {
	uint64_t start, size;
	const char *name;
	int rank;   /* lower is better; see symbol_rank() */
	bool label; /* local, unsized, untyped */
};

static bool name_ends(const char *name, const char *end)
{
	size_t n = strlen(name), m = strlen(end);
	return n >= m && strcmp(name + n - m, end) == 0;
}

/* The name of a place, not of code: mapping symbols, compiler's labels, bounds from the linker script. */
static bool name_is_place(const char *name, bool sized)
{
	if (name[0] == '\0' || name[0] == '.' || name[0] == '$')
		return true;
	return !sized && name[0] == '_' && name[1] == '_' &&
	       (name_ends(name, "_start") || name_ends(name, "_end") || name_ends(name, "_base"));
}

static int symbol_rank(const GElf_Sym *sym)
{
	int bind = GELF_ST_BIND(sym->st_info);
	return (GELF_ST_TYPE(sym->st_info) == STT_FUNC ? 0 : 100) + (sym->st_size ? 0 : 10) +
	       (bind == STB_GLOBAL  ? 0
		: bind == STB_LOCAL ? 1
				    : 2);
}

static bool symbol_read(const struct image *im, const GElf_Sym *sym, const char *name, struct symbol *out)
{
	int type = GELF_ST_TYPE(sym->st_info), bind = GELF_ST_BIND(sym->st_info);
	if (name == NULL || (type != STT_FUNC && type != STT_NOTYPE) || sym->st_shndx == SHN_UNDEF ||
	    sym->st_shndx >= SHN_LORESERVE)
		return false;
	if (type == STT_NOTYPE && name_is_place(name, sym->st_size != 0))
		return false;
	uint64_t end = image_text_end(im, sym->st_value);
	if (end == 0)
		return false;
	*out = (struct symbol){
		.start = sym->st_value,
		.size = sym->st_size > end - sym->st_value ? end - sym->st_value : sym->st_size,
		.name = name,
		.rank = symbol_rank(sym),
		.label = type == STT_NOTYPE && bind == STB_LOCAL && sym->st_size == 0,
	};
	return true;
}

static size_t underscores(const char *name)
{
	return strspn(name, "_");
}

static int symbol_order(const void *pa, const void *pb)
{
	const struct symbol *a = pa, *b = pb;
	if (a->start != b->start)
		return a->start < b->start ? -1 : 1;
	if (a->rank != b->rank)
		return a->rank - b->rank;
	if (underscores(a->name) != underscores(b->name))
		return underscores(a->name) < underscores(b->name) ? -1 : 1;
	if (strlen(a->name) != strlen(b->name))
		return strlen(a->name) < strlen(b->name) ? -1 : 1;
	return strcmp(a->name, b->name);
}

static size_t symbols_read(const struct image *im, struct symbol **out)
{
	struct symbol *all = NULL;
	size_t n = 0;
	Elf_Scn *scn = NULL;
	while ((scn = elf_nextscn(im->elf, scn)) != NULL) {
		GElf_Shdr sh;
		if (gelf_getshdr(scn, &sh) == NULL || sh.sh_type != SHT_SYMTAB)
			continue;
		Elf_Data *data = elf_getdata(scn, NULL);
		GElf_Sym sym;
		for (int i = 0; data != NULL && gelf_getsym(data, i, &sym) != NULL; i++) {
			ARRAY_ROOM(all, n);
			if (symbol_read(im, &sym, elf_strptr(im->elf, sh.sh_link, sym.st_name), &all[n]))
				n++;
		}
	}
	if (n > 0)
		qsort(all, n, sizeof *all, symbol_order);
	*out = all;
	return n;
}

size_t functions_read(const struct image *im, struct function **out)
{
	struct symbol *all;
	size_t n_all = symbols_read(im, &all), n = 0;
	struct function *f = NULL;
	uint64_t covered = 0,
		 sized_end = 0; /* ends of the code that has a name so far; that has a sized one */
	for (size_t i = 0; i < n_all; i++) {
		struct symbol *s = &all[i];
		if (i > 0 &&
		    s->start == all[i - 1].start) /* the better one came first; it takes the largest size */
			continue;
		uint64_t size = s->size;
		for (size_t k = i + 1; k < n_all && all[k].start == s->start; k++)
			size = all[k].size > size ? all[k].size : size;
		if (size == 0 && s->label && s->start < covered)
			continue;
		uint64_t end = size ? s->start + size : image_text_end(im, s->start);
		if (n > 0 && f[n - 1].start + f[n - 1].size > s->start)
			f[n - 1].size = s->start - f[n - 1].start;
		if (size != 0 && end < sized_end) /* a second entry of a function: it has the rest */
			end = sized_end;
		ARRAY_ROOM(f, n);
		f[n++] = (struct function){.start = s->start, .size = end - s->start, .name = s->name};
		if (size != 0)
			sized_end = end;
		if (size != 0 || !s->label)
			covered = end;
	}
	*out = f;
	return n;
}

struct function *functions_find(struct function *f, size_t n, uint64_t addr)
{
	size_t lo = 0, hi = n;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		if (f[mid].start <= addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo == 0 || addr - f[lo - 1].start >= f[lo - 1].size)
		return NULL;
	return &f[lo - 1];
}

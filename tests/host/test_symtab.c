/*
 * The symbol table, from a linked ELF to a looked-up name: against the ELF's own symbols, against addr2line
 * at every instruction address, and against damage of every byte.
 */
#include "tests/host/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernel/symtab.h"
#include "kernel/symtab_format.h"
#include "kernel/unwind.h"
#include "tests/host/symtab_corpus/build.h"

/* ---- names */

struct elf_symbol {
	uint64_t start, size;
	const char *name;
	bool function;
};

static struct elf_symbol *symbols;
static size_t n_symbols;

static int symbol_order(const void *pa, const void *pb)
{
	const struct elf_symbol *a = pa, *b = pb;
	return a->start < b->start ? -1 : a->start > b->start;
}

static void symbols_load(const struct corpus *c)
{
	n_symbols = 0;
	Elf_Scn *scn = NULL;
	while ((scn = elf_nextscn(c->elf, scn)) != NULL) {
		GElf_Shdr sh;
		GElf_Sym sym;
		if (gelf_getshdr(scn, &sh) == NULL || sh.sh_type != SHT_SYMTAB)
			continue;
		Elf_Data *data = elf_getdata(scn, NULL);
		for (int i = 0; gelf_getsym(data, i, &sym) != NULL; i++) {
			int type = GELF_ST_TYPE(sym.st_info);
			if (sym.st_shndx == SHN_UNDEF || (type != STT_FUNC && type != STT_NOTYPE))
				continue;
			symbols = realloc(symbols, (n_symbols + 1) * sizeof *symbols);
			symbols[n_symbols++] = (struct elf_symbol){
				sym.st_value, sym.st_size, elf_strptr(c->elf, sh.sh_link, sym.st_name),
				type == STT_FUNC};
		}
	}
	qsort(symbols, n_symbols, sizeof *symbols, symbol_order);
}

/* Whether some symbol at this address has this name. */
static bool symbol_exists(uint64_t start, const char *name)
{
	for (size_t i = 0; i < n_symbols; i++) {
		if (symbols[i].start == start && strcmp(symbols[i].name, name) == 0)
			return true;
	}
	return false;
}

/* Each sized function of the ELF is found by its first, middle and last byte, under a name it has there. */
TEST(symtab_names_match_elf)
{
	struct corpus *c;
	for (unsigned i = 0; (c = corpus_get(i)) != NULL; i++) {
		corpus_use(c, false);
		symbols_load(c);
		unsigned functions = 0, wrong = 0;
		for (size_t k = 0; k < n_symbols; k++) {
			const struct elf_symbol *s = &symbols[k];
			if (!s->function || s->size == 0)
				continue;
			functions++;
			uint64_t at[] = {s->start, s->start + s->size / 2, s->start + s->size - 1};
			for (int m = 0; m < 3; m++) {
				struct symtab_function f;
				bool good = symtab_function(at[m], &f) && at[m] - f.start < f.size &&
					    (f.start == s->start || f.start > s->start) &&
					    symbol_exists(f.start, f.name);
				if (!good && wrong++ < 5)
					check_fail(__FILE__, __LINE__, "%s: %s + %llu", c->path, s->name,
						   (unsigned long long)(at[m] - s->start));
			}
		}
		CHECK(functions >= 20);
		CHECK_EQ(wrong, 0);
	}
}

/* Static functions of one name are two functions; labels are none; of aliases one name is kept, always the
 * same. */
TEST(symtab_names_are_chosen)
{
	for (unsigned i = 0; i < CORPUS_FIRST_GIVEN; i++) {
		struct corpus *c = corpus_get(i);
		corpus_use(c, false);
		symbols_load(c);
		unsigned twins = 0;
		for (size_t k = 0; k < n_symbols; k++) {
			struct symtab_function f;
			if (strcmp(symbols[k].name, "twin") != 0)
				continue;
			CHECK(symtab_function(symbols[k].start, &f));
			CHECK_STR(f.name, "twin");
			CHECK_EQ(f.start, symbols[k].start);
			CHECK(strstr(f.file, twins++ == 0 ? ".c" : ".c") != NULL);
		}
		CHECK_EQ(twins, 2);
		struct symtab_function f;
		uint64_t label = corpus_symbol(c, "inner_label");
		CHECK(symtab_function(label, &f));
		CHECK_STR(f.name, "asm_leaf");
		CHECK_EQ(f.start, corpus_symbol(c, "asm_leaf"));
		CHECK(symtab_function(corpus_symbol(c, "asm_two_alias"), &f));
		CHECK_STR(f.name, "asm_two");
		CHECK(symtab_function(corpus_symbol(c, "asm_two_second"), &f));
		CHECK_STR(f.name, "asm_two_second");
		CHECK(symtab_function(corpus_symbol(c, "asm_two_second") + 3, &f)); /* behind its own size */
		CHECK_STR(f.name, "asm_two_second");
		CHECK(!symtab_function(corpus_symbol(c, "__text_end"), &f));
		CHECK(!symtab_function(corpus_symbol(c, "__text_start") - 1, &f));
		CHECK(!symtab_function(0, &f));
		CHECK(!symtab_function(UINTPTR_MAX, &f));
		CHECK(symtab_function(corpus_symbol(c, "recurse"), &f));
		CHECK(strstr(f.file, "corpus.c") != NULL);
		CHECK(f.line > 10);
	}
}

/* ---- lines and inlined calls */

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash ? slash + 1 : path;
}

struct place {
	char function[128], file[128];
	unsigned line;
};

/* One address' frames as addr2line -a -i -f prints them, which starts each address with a line "0x...". */
static unsigned places_read(FILE *in, char *next, size_t size, struct place *p, unsigned max)
{
	unsigned n = 0;
	while (fgets(next, (int)size, in) != NULL && strncmp(next, "0x", 2) != 0) {
		char place[1024];
		next[strcspn(next, "\n")] = '\0';
		if (fgets(place, sizeof place, in) == NULL || n == max)
			break;
		char *colon = strrchr(place, ':');
		snprintf(p[n].function, sizeof p[n].function, "%.127s", next);
		p[n].line = (unsigned)strtoul(colon + 1, NULL, 10);
		*colon = '\0';
		snprintf(p[n].file, sizeof p[n].file, "%.127s", base_name(place));
		n++;
	}
	return n;
}

/*
 * addr2line names a function by the debug information, where a clone (.part.0, .constprop.0, .cold) has no
 * suffix and aliases have one name. In assembly it takes any label for a function, so names are not compared
 * there.
 */
static bool function_same(const char *ours, const char *theirs, uint64_t start)
{
	size_t n = strcspn(ours, ".");
	return strcmp(ours, theirs) == 0 || (strncmp(ours, theirs, n) == 0 && theirs[n] == '\0') ||
	       symbol_exists(start, theirs);
}

static void addresses_write(const char *path, uint64_t lo, uint64_t hi, uint64_t step)
{
	FILE *f = fopen(path, "w");
	for (uint64_t pc = lo; pc < hi; pc += step)
		fprintf(f, "0x%llx\n", (unsigned long long)pc);
	fprintf(f, "0x%llx\n", (unsigned long long)hi); /* ends the last address' lines */
	fclose(f);
}

/*
 * With all rows, every address of every image has the frames that addr2line finds: functions, files, lines.
 * Files are not compared in given images: binutils 2.40 takes a file that the unit's file includes
 * (picolibc's memmove-stub.c does) for the unit's own, with the line of the included one.
 */
TEST(symtab_frames_match_addr2line)
{
	struct corpus *c;
	for (unsigned i = 0; (c = corpus_get(i)) != NULL; i++) {
		corpus_use(c, true);
		symbols_load(c);
		const struct symtab_header *h = (const void *)c->table_all;
		char list[] = "/tmp/symtab_pcs.XXXXXX", command[1200], line[1024];
		close(mkstemp(list));
		uint64_t step = c->riscv ? 2 : 1;
		addresses_write(list, h->text_base, h->text_limit, step);
		snprintf(command, sizeof command, "%saddr2line -a -i -f -e %s <%s",
			 c->riscv ? "riscv64-unknown-elf-" : "", c->path, list);
		FILE *in = popen(command, "r");
		unsigned compared = 0, wrong = 0, inlined = 0;
		if (fgets(line, sizeof line, in) == NULL)
			line[0] = '\0';
		for (uint64_t pc = h->text_base; pc < h->text_limit; pc += step) {
			struct place theirs[32];
			struct symtab_frame ours[SYMTAB_FRAMES_MAX];
			struct symtab_function f;
			unsigned n = places_read(in, line, sizeof line, theirs, 32);
			unsigned m = symtab_frames(pc, ours, SYMTAB_FRAMES_MAX);
			if (m == 0 || !symtab_function(pc, &f) || strcmp(f.file, "??") == 0 || n == 0 ||
			    theirs[0].line == 0)
				continue; /* padding, or code without lines */
			compared++;
			inlined += n > 1;
			bool same = n == m,
			     assembly = strcmp(ours[0].file + strlen(ours[0].file) - 2, ".S") == 0;
			for (unsigned k = 0; same && k < n; k++)
				same = (assembly ||
					function_same(ours[k].function, theirs[k].function, f.start)) &&
				       (i >= CORPUS_FIRST_GIVEN ||
					strcmp(base_name(ours[k].file), theirs[k].file) == 0) &&
				       ours[k].line == theirs[k].line;
			if (same || wrong++ >= 5)
				continue;
			check_fail(__FILE__, __LINE__,
				   "%s: 0x%llx: %u frames, %s %s:%u; addr2line %u, %s %s:%u", c->path,
				   (unsigned long long)pc, m, ours[0].function, ours[0].file, ours[0].line, n,
				   theirs[0].function, theirs[0].file, theirs[0].line);
		}
		pclose(in);
		remove(list);
		printf("# %s: %u addresses compared, %u of them in inlined calls, %u wrong\n", c->path,
		       compared, inlined, wrong);
		CHECK(compared > 500);
		CHECK(inlined > 50);
		CHECK_EQ(wrong, 0);
	}
}

/* With statement rows the functions are the same at every address, and the file with them. */
TEST(symtab_statement_rows_keep_functions)
{
	struct corpus *c;
	for (unsigned i = 0; (c = corpus_get(i)) != NULL; i++) {
		const struct symtab_header *h = (const void *)c->table;
		unsigned wrong = 0;
		struct symtab_frame all[SYMTAB_FRAMES_MAX], some[SYMTAB_FRAMES_MAX];
		static struct symtab_frame kept[1 << 16][3];
		static unsigned depth[1 << 16];
		corpus_use(c, true);
		uint64_t end =
			h->text_limit - h->text_base < 1 << 16 ? h->text_limit : h->text_base + (1 << 16);
		for (uint64_t pc = h->text_base; pc < end; pc++) {
			unsigned n = depth[pc - h->text_base] = symtab_frames(pc, all, SYMTAB_FRAMES_MAX);
			memcpy(kept[pc - h->text_base], all, (n < 3 ? n : 3) * sizeof *all);
		}
		corpus_use(c, false);
		for (uint64_t pc = h->text_base; pc < end; pc++) {
			unsigned n = symtab_frames(pc, some, SYMTAB_FRAMES_MAX);
			const struct symtab_frame *want = kept[pc - h->text_base];
			bool same = n == depth[pc - h->text_base];
			for (unsigned k = 0; same && k < n && k < 3; k++)
				same = strcmp(some[k].function, want[k].function) == 0 &&
				       strcmp(some[k].file, want[k].file) == 0 &&
				       some[k].start_line == want[k].start_line;
			if (!same && wrong++ < 5)
				check_fail(__FILE__, __LINE__, "%s: 0x%llx: %s %s, not %s %s", c->path,
					   (unsigned long long)pc, some[0].function, some[0].file,
					   want[0].function, want[0].file);
		}
		CHECK_EQ(wrong, 0);
		CHECK(c->size < c->size_all);
	}
}

/* Frames that do not fit are the outer ones. */
TEST(symtab_frames_cut)
{
	struct corpus *c = corpus_get(CORPUS_X86_64);
	corpus_use(c, false);
	const struct symtab_header *h = (const void *)c->table;
	unsigned deepest = 0;
	for (uint64_t pc = h->text_base; pc < h->text_limit; pc++) {
		struct symtab_frame all[SYMTAB_FRAMES_MAX], one[1];
		unsigned n = symtab_frames(pc, all, SYMTAB_FRAMES_MAX);
		deepest = n > deepest ? n : deepest;
		CHECK_EQ(symtab_frames(pc, one, 1), n > 0);
		if (n > 0)
			CHECK_STR(one[0].function, all[0].function);
		CHECK_EQ(symtab_frames(pc, one, 0), 0);
	}
	CHECK_EQ(deepest, 3); /* inner_most in inner_middle in inlined_caller */
}

/* ---- refusals and damage */

TEST(symtab_refuses)
{
	struct corpus *c = corpus_get(CORPUS_RISCV64);
	uint8_t *t = malloc(c->size), other[20] = {1};
	struct symtab_header *h = (void *)t;
	struct symtab_function f;
	uint64_t pc = corpus_symbol(c, "leaf");
	CHECK(symtab_init(NULL, 0, c->build_id) != NULL);
	CHECK(symtab_init(c->table, 0, c->build_id) != NULL);
	CHECK(symtab_init(c->table, 8, c->build_id) != NULL);
	CHECK_STR(symtab_init(c->table, c->size, other),
		  "symbol table refused: its build id is not that of the code");
	CHECK(!symtab_function(pc, &f));
	memcpy(t, c->table, c->size);
	h->version++;
	table_seal(t, c->size);
	CHECK_STR(symtab_init(t, c->size, c->build_id), "symbol table refused: unknown version");
	memcpy(t, c->table, c->size);
	CHECK_STR(symtab_init(t, c->size - 1, c->build_id),
		  "symbol table refused: its size is not that of its section");
	t[c->size / 2] ^= 1;
	CHECK_STR(symtab_init(t, c->size, c->build_id), "symbol table refused: damaged (check sum)");
	memcpy(t, c->table, c->size);
	h->parts[SYMTAB_ROWS].count += 1 << 20;
	table_seal(t, c->size);
	CHECK_STR(symtab_init(t, c->size, c->build_id), "symbol table refused: a part lies outside of it");
	memcpy(t, c->table, c->size);
	h->n_functions *= 2;
	table_seal(t, c->size);
	CHECK_STR(symtab_init(t, c->size, c->build_id), "symbol table refused: a part lies outside of it");
	memcpy(t, c->table, c->size);
	h->names_size++;
	table_seal(t, c->size);
	CHECK_STR(symtab_init(t, c->size, c->build_id), "symbol table refused: its names are damaged");
	memcpy(t, c->table, c->size);
	h->names_size = SYMTAB_NAMES_MAX;
	table_seal(t, c->size);
	CHECK_STR(symtab_init(t, c->size, c->build_id),
		  "symbol table refused: its names are longer than there is room for");
	memcpy(t, c->table, c->size);
	memset(t + h->parts[SYMTAB_CODES].offset, 0xff, 2); /* 65,535 codes of one bit */
	table_seal(t, c->size);
	CHECK_STR(symtab_init(t, c->size, c->build_id), "symbol table refused: its codes are damaged");
	CHECK(!symtab_function(pc, &f));
	CHECK(symtab_init(c->table, c->size, c->build_id) == NULL);
	CHECK(symtab_function(pc, &f));
	free(t);
}

/* The build id in the table is the one that readelf prints. */
TEST(symtab_build_id)
{
	struct corpus *c = corpus_get(CORPUS_X86_64);
	char command[700], hex[64] = "", want[41];
	snprintf(command, sizeof command, "readelf -n %s | sed -n 's/.*Build ID: //p'", c->path);
	FILE *in = popen(command, "r");
	CHECK(fgets(hex, sizeof hex, in) != NULL);
	pclose(in);
	for (int i = 0; i < 20; i++)
		snprintf(want + 2 * i, 3, "%02x", c->build_id[i]);
	hex[strcspn(hex, "\n")] = '\0';
	CHECK_STR(hex, want);
}

/* Every lookup there is, at many addresses: the sanitizers look on. */
static void table_exercise(uint64_t base, uint64_t limit, uint64_t step)
{
	static uintptr_t stack[64];
	for (uint64_t pc = base - 2; pc < limit + 2; pc += step) {
		struct symtab_frame frames[SYMTAB_FRAMES_MAX];
		struct symtab_function f;
		if (symtab_function(pc, &f))
			CHECK(strlen(f.name) < 1 << 20 && strlen(f.file) < 1 << 20);
		unsigned n = symtab_frames(pc, frames, SYMTAB_FRAMES_MAX);
		CHECK(n <= SYMTAB_FRAMES_MAX);
		for (unsigned k = 0; k < n; k++)
			CHECK(strlen(frames[k].function) < 1 << 20 && strlen(frames[k].file) < 1 << 20);
		for (unsigned k = 0; k < 64; k++)
			stack[k] = k % 3 ? pc + k : (uintptr_t)&stack[k] + 16;
		struct unwind_bounds b = {(uintptr_t)stack, (uintptr_t)(stack + 64), NULL};
		struct unwind_regs r = {pc, (uintptr_t)stack, (uintptr_t)&stack[8], pc};
		uintptr_t pcs[16];
		unsigned flags;
		CHECK(unwind_walk(&r, &b, pcs, 16, &flags) <= 16);
	}
}

/* A table with any byte damaged, but a good check sum, is refused or read inside of its bounds. */
TEST(symtab_survives_damage_of_each_byte)
{
	for (unsigned i = 0; i < CORPUS_FIRST_GIVEN; i++) {
		struct corpus *c = corpus_get(i);
		const struct symtab_header *h = (const void *)c->table;
		uint8_t *t = malloc(c->size);
		for (size_t at = 0; at < c->size; at++) {
			static const uint8_t damage[] = {0xff, 0x01, 0x80};
			for (size_t k = 0; k < sizeof damage; k++) {
				memcpy(t, c->table, c->size);
				t[at] ^= damage[k];
				table_seal(t, c->size);
				if (symtab_init(t, c->size, c->build_id) == NULL)
					table_exercise(h->text_base, h->text_limit, 23);
			}
		}
		for (size_t at = offsetof(struct symtab_header, arch);
		     at < offsetof(struct symtab_header, build_id); at++) {
			for (unsigned value = 0; value < 256; value++) {
				memcpy(t, c->table, c->size);
				t[at] = (uint8_t)value;
				table_seal(t, c->size);
				if (symtab_init(t, c->size, c->build_id) == NULL)
					table_exercise(h->text_base, h->text_limit, 61);
			}
		}
		free(t);
	}
	symtab_init(NULL, 0, NULL);
}

/* A table made by hand: one function of 100 bytes whose detail, behind size, name, file and line, is given.
 */
static struct {
	struct symtab_header h;
	_Alignas(8) uint8_t function[2]; /* start 8 bits, detail 8 bits */
	_Alignas(8) uint8_t inlined[3];  /* name, file and line, 8 bits each */
	_Alignas(8) uint8_t codes[SYMTAB_STREAMS][SYMTAB_CODE_BITS * 2 + 256]; /* each byte is its own code */
	_Alignas(8) uint8_t file[1];                                           /* name */
	_Alignas(8) uint8_t names[8];
	_Alignas(8) uint8_t details[256];
} made;

static const char *table_make(const uint8_t *detail, size_t size)
{
	static const uint8_t head[] = {0, 1, 1, 7}, build_id[20] = {1};
	memset(&made, 0, sizeof made);
	memcpy(made.h.magic, SYMTAB_MAGIC, 8);
	made.h.version = SYMTAB_VERSION;
	made.h.arch = SYMTAB_ARCH_X86_64;
	made.h.line_range = 4;
	made.h.fars = 4;
	made.h.build_id[0] = 1;
	made.h.text_base = 0x1000;
	made.h.text_limit = 0x1064;
	made.h.start_width = made.h.detail_width = made.h.name_width = 8;
	made.h.file_width = made.h.line_width = 8;
	made.h.n_functions = made.h.n_files = made.h.n_inlines = 1;
	made.h.n_names = 2;
	made.h.names_size = 6;
	made.inlined[0] = 1;
	made.inlined[2] = 2;
	for (int i = 0; i < SYMTAB_STREAMS; i++) {
		made.codes[i][2 * 7 + 1] = 1; /* 256 codes of 8 bits */
		for (int k = 0; k < 256; k++)
			made.codes[i][SYMTAB_CODE_BITS * 2 + k] = (uint8_t)k;
	}
	memcpy(made.names, "\0\0\0name", 8); /* "" and "name" */
	memcpy(made.details, head, sizeof head);
	memcpy(made.details + sizeof head, detail, size);
	const struct symtab_part parts[SYMTAB_PARTS] = {
		[SYMTAB_FUNCTIONS] = {offsetof(__typeof__(made), function), sizeof made.function},
		[SYMTAB_PAGES] = {sizeof made.h, 0},
		[SYMTAB_ROWS] = {sizeof made.h, 0},
		[SYMTAB_RULES] = {sizeof made.h, 0},
		[SYMTAB_FILES] = {offsetof(__typeof__(made), file), sizeof made.file},
		[SYMTAB_INLINES] = {offsetof(__typeof__(made), inlined), sizeof made.inlined},
		[SYMTAB_CODES] = {offsetof(__typeof__(made), codes), sizeof made.codes},
		[SYMTAB_DETAILS] = {offsetof(__typeof__(made), details), (uint32_t)(sizeof head + size)},
		[SYMTAB_NAMES] = {offsetof(__typeof__(made), names), sizeof made.names},
	};
	memcpy(made.h.parts, parts, sizeof parts);
	made.h.size = (uint32_t)(offsetof(__typeof__(made), details) + sizeof head + size);
	table_seal((uint8_t *)&made, made.h.size);
	return symtab_init(&made, made.h.size, build_id);
}

/* Deeper inlining than the format has is damage; so is a chunk outside of the part. The function itself is
 * still found. */
TEST(symtab_survives_impossible_details)
{
	struct symtab_frame frames[SYMTAB_FRAMES_MAX];
	uint8_t detail[128] = {40};
	size_t n = 1;
	for (; n < 81; n += 2) { /* 40 nodes, each in the one before: function 0, called one line below */
		detail[n] = 0;
		detail[n + 1] = 2;
	}
	const uint8_t rows[] = {1, SYMTAB_ROW_NODE, 40, SYMTAB_ROW_FAR, 2, SYMTAB_ROW_END};
	memcpy(detail + n, rows, sizeof rows);
	CHECK(table_make(detail, n + sizeof rows) == NULL);
	CHECK_EQ(symtab_frames(0x1010, frames, SYMTAB_FRAMES_MAX), 1);
	CHECK_STR(frames[0].function, "name");
	CHECK_EQ(frames[0].line, 0);
	detail[0] = 16; /* as deep as the format has: all are shown */
	memcpy(detail + 33, rows, sizeof rows);
	detail[35] = 16;
	CHECK(table_make(detail, 33 + sizeof rows) == NULL);
	CHECK_EQ(symtab_frames(0x1010, frames, SYMTAB_FRAMES_MAX), 17);
	CHECK_EQ(frames[0].line, 3);
	CHECK_EQ(frames[15].start_line, 2);
	CHECK_EQ(frames[16].line, 8);
	const uint8_t far_chunk[] = {0, 2, 0, 0xff, 0xff, 0xff, 0x7f, SYMTAB_ROW_FAR, 2, SYMTAB_ROW_END};
	CHECK(table_make(far_chunk, sizeof far_chunk) == NULL);
	CHECK_EQ(symtab_frames(0x1010, frames, SYMTAB_FRAMES_MAX), 1);
	CHECK_EQ(frames[0].line, 0);
	symtab_init(NULL, 0, NULL);
}

static bool in_part(const struct symtab_header *h, enum symtab_part_id part, size_t at)
{
	return at >= h->parts[part].offset && at < h->parts[part].offset + h->parts[part].count;
}

TEST(symtab_survives_random_damage)
{
	struct corpus *c = corpus_get(CORPUS_RISCV64);
	const struct symtab_header *h = (const void *)c->table;
	uint8_t *t = malloc(c->size);
	unsigned accepted = 0;
	srand(1);
	for (int run = 0; run < 3000; run++) {
		memcpy(t, c->table, c->size);
		for (int n = 1 + rand() % 40; n > 0;) {
			size_t at = sizeof *h + (size_t)rand() % (c->size - sizeof *h);
			/* Damaged codes and names are refused: most runs leave them alone. */
			bool refused = in_part(h, SYMTAB_CODES, at) || in_part(h, SYMTAB_NAMES, at);
			if (refused && run % 4 != 0)
				continue;
			t[at] = (uint8_t)rand();
			n--;
		}
		table_seal(t, c->size);
		if (symtab_init(t, c->size, c->build_id) == NULL) {
			accepted++;
			table_exercise(h->text_base, h->text_limit, 31);
		}
	}
	CHECK(accepted > 1000);
	symtab_init(NULL, 0, NULL);
	free(t);
}

/*
 * Owns the image's symbol table: checks it once at boot and hands out its parts. The table lies in
 * a segment of its own behind .bss, read-only, and is never changed.
 *
 * Invariants:
 * 1. Nothing is handed out before the whole table is checked (magic, version, sizes, bounds of
 *    every part, check sum) and carries the build id of the running code. Otherwise a profile would
 *    name the wrong functions, believably.
 * 2. No later read trusts an offset found in the table: each is held against its part's count.
 *    Otherwise a damaged table with a good check sum would make a traceback fault inside a panic.
 * 3. Only the names are unpacked, for they are handed out as strings that live for ever; the rest is read
 *    where it lies. Otherwise a lookup would need memory.
 */
#include "kernel/symtab_table.h"

#include <string.h>

#include "kernel/crc32.h"
#include "kernel/symtab.h"

static struct symtab_table table;
/* The names, unpacked: where each starts, then the text. Written once, when the table is put into use. */
static uint32_t names[SYMTAB_NAMES_MAX / 4] __attribute__((section(".noinit,\"aw\",@nobits#")));
uint64_t symtab_rule_cache[SYMTAB_RULE_CACHE];
const struct symtab_table *symtab_in_use;

static bool crc_matches(const uint8_t *base, const struct symtab_header *h)
{
	static const uint8_t zero[4];
	size_t at = offsetof(struct symtab_header, crc32);
	uint32_t crc = crc32_update(0, base, at);
	crc = crc32_update(crc, zero, sizeof zero);
	return crc32_update(crc, base + at + 4, h->size - at - 4) == h->crc32;
}

static bool parts_inside(const struct symtab_header *h)
{
	static const uint8_t element[SYMTAB_PARTS] = {
		[SYMTAB_FUNCTIONS] = 1,
		[SYMTAB_PAGES] = sizeof(uint32_t),
		[SYMTAB_ROWS] = sizeof(uint16_t),
		[SYMTAB_RULES] = sizeof(struct symtab_rule),
		[SYMTAB_FILES] = 1,
		[SYMTAB_INLINES] = 1,
		[SYMTAB_CODES] = 1,
		[SYMTAB_DETAILS] = 1,
		[SYMTAB_NAMES] = 1,
	};
	for (int i = 0; i < SYMTAB_PARTS; i++) {
		uint64_t end = h->parts[i].offset + (uint64_t)h->parts[i].count * element[i];
		if (h->parts[i].offset % 8 != 0 || h->parts[i].offset < sizeof *h || end > h->size)
			return false;
	}
	return true;
}

static bool width_good(unsigned width)
{
	return width >= 1 && width <= SYMTAB_WIDTH_MAX;
}

/* Do the parts of fields have as many as the header says? */
static bool fields_inside(const struct symtab_header *h)
{
	const struct symtab_part *p = h->parts;
	if (!width_good(h->start_width) || !width_good(h->detail_width) || !width_good(h->name_width) ||
	    !width_good(h->file_width) || !width_good(h->line_width))
		return false;
	uint64_t function = h->start_width + h->detail_width;
	uint64_t inlined = h->name_width + h->file_width + h->line_width;
	return h->n_functions * function <= p[SYMTAB_FUNCTIONS].count * 8ull &&
	       h->n_files * (uint64_t)h->name_width <= p[SYMTAB_FILES].count * 8ull &&
	       h->n_inlines * inlined <= p[SYMTAB_INLINES].count * 8ull;
}

/* Reads the codes of all streams. False when they are not whole. */
static bool codes_read(const uint8_t *p, uint32_t size, struct symtab_code codes[SYMTAB_STREAMS])
{
	const uint8_t *end = p + size;
	for (int i = 0; i < SYMTAB_STREAMS; i++) {
		struct symtab_code *c = &codes[i];
		uint32_t n = 0;
		if ((size_t)(end - p) < sizeof c->count)
			return false;
		memcpy(c->count, p, sizeof c->count);
		p += sizeof c->count;
		for (int k = 0; k < SYMTAB_CODE_BITS; k++)
			n += c->count[k];
		if (n > 256 || n > (size_t)(end - p))
			return false;
		c->n = (uint16_t)n;
		c->symbols = p;
		p += n;
	}
	return true;
}

static const char *header_error(const struct symtab_header *h, size_t size, const uint8_t *build_id)
{
	if (size < sizeof *h || memcmp(h->magic, SYMTAB_MAGIC, sizeof h->magic) != 0)
		return "symbol table refused: there is none in the image";
	if (h->version != SYMTAB_VERSION)
		return "symbol table refused: unknown version";
	if (h->size != size)
		return "symbol table refused: its size is not that of its section";
	if (memcmp(h->build_id, build_id, SYMTAB_BUILD_ID) != 0)
		return "symbol table refused: its build id is not that of the code";
	if (!crc_matches((const uint8_t *)h, h))
		return "symbol table refused: damaged (check sum)";
	bool arch_good = h->arch == SYMTAB_ARCH_RISCV64 || h->arch == SYMTAB_ARCH_X86_64;
	if (!arch_good || h->unit_shift > SYMTAB_UNIT_SHIFT_MAX || h->rule_bits > SYMTAB_RULE_BITS_MAX ||
	    h->line_range == 0 || h->fars > SYMTAB_FARS_MAX || h->text_base > h->text_limit ||
	    h->text_limit - h->text_base >= UINT32_MAX || h->parts[SYMTAB_DETAILS].count > UINT32_MAX / 8 ||
	    h->parts[SYMTAB_NAMES].count > UINT32_MAX / 8)
		return "symbol table refused: a header field is out of range";
	if (!parts_inside(h) || !fields_inside(h))
		return "symbol table refused: a part lies outside of it";
	return NULL;
}

/* Unpacks the names. False when they are damaged. */
static bool names_unpack(struct symtab_table *t, const uint8_t *part, uint32_t size, uint32_t text_size)
{
	struct symtab_bits b = {part, 0, size * 8};
	char *text = (char *)(names + t->n_names);
	uint32_t at = 0, before = 0; /* in text: the end, and the name before */
	for (uint32_t i = 0; i < t->n_names; i++) {
		uint32_t n, c;
		if (!symtab_byte(t, &b, SYMTAB_PREFIX, &n) || n > at - before || at + n >= text_size)
			return false;
		names[i] = at;
		for (uint32_t k = 0; k < n; k++)
			text[at++] = text[before + k];
		do {
			if (at == text_size || !symtab_byte(t, &b, SYMTAB_NAME, &c))
				return false;
			text[at++] = (char)c;
		} while (c != 0);
		before = names[i];
	}
	t->names = text;
	t->starts = names;
	return at == text_size;
}

const char *symtab_init(const void *start, size_t size, const uint8_t *build_id)
{
	symtab_in_use = NULL;
	memset(symtab_rule_cache, 0, sizeof symtab_rule_cache);
	if (start == NULL || (uintptr_t)start % 8 != 0)
		return "symbol table refused: there is none in the image";
	const uint8_t *base = start;
	const struct symtab_header *h = start;
	const char *error = header_error(h, size, build_id);
	if (error != NULL)
		return error;
	const struct symtab_part *p = h->parts;
	struct symtab_code codes[SYMTAB_STREAMS];
	if (!codes_read(base + p[SYMTAB_CODES].offset, p[SYMTAB_CODES].count, codes))
		return "symbol table refused: its codes are damaged";
	if (h->names_size + h->n_names * 4ull > SYMTAB_NAMES_MAX)
		return "symbol table refused: its names are longer than there is room for";
	table = (struct symtab_table){
		.text_base = (uintptr_t)h->text_base,
		.text_limit = (uintptr_t)h->text_limit,
		.functions = base + p[SYMTAB_FUNCTIONS].offset,
		.pages = (const void *)(base + p[SYMTAB_PAGES].offset),
		.rows = (const void *)(base + p[SYMTAB_ROWS].offset),
		.rules = (const void *)(base + p[SYMTAB_RULES].offset),
		.files = base + p[SYMTAB_FILES].offset,
		.inlines = base + p[SYMTAB_INLINES].offset,
		.details = base + p[SYMTAB_DETAILS].offset,
		.n_functions = h->n_functions,
		.n_pages = p[SYMTAB_PAGES].count,
		.n_rows = p[SYMTAB_ROWS].count,
		.n_rules = p[SYMTAB_RULES].count,
		.n_files = h->n_files,
		.n_inlines = h->n_inlines,
		.n_details = p[SYMTAB_DETAILS].count,
		.n_names = h->n_names,
		.start_width = h->start_width,
		.detail_width = h->detail_width,
		.name_width = h->name_width,
		.file_width = h->file_width,
		.line_width = h->line_width,
		.arch = h->arch,
		.unit_shift = h->unit_shift,
		.rule_bits = h->rule_bits,
		.page_shift = (uint8_t)(16 - h->rule_bits + h->unit_shift),
		.line_range = h->line_range,
		.line_base = h->line_base,
		.fars = h->fars,
		.red_zone = h->arch == SYMTAB_ARCH_X86_64 ? 128 : 0,
	};
	memcpy(table.codes, codes, sizeof codes);
	if (!names_unpack(&table, base + p[SYMTAB_NAMES].offset, p[SYMTAB_NAMES].count, h->names_size))
		return "symbol table refused: its names are damaged";
	symtab_in_use = &table;
	return NULL;
}

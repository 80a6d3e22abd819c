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
 */
#include "kernel/symtab_table.h"

#include <string.h>

#include "kernel/crc32.h"
#include "kernel/symtab.h"

static struct symtab_table table;
uint64_t symtab_rule_cache[SYMTAB_RULE_CACHE];
static bool table_good; /* written once at boot, before other harts start and before the first sample */

const struct symtab_table *symtab_table(void)
{
	return table_good ? &table : NULL;
}

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
		[SYMTAB_FUNCTIONS] = sizeof(struct symtab_function_entry),
		[SYMTAB_PAGES] = sizeof(uint32_t),
		[SYMTAB_ROWS] = sizeof(uint16_t),
		[SYMTAB_RULES] = sizeof(struct symtab_rule),
		[SYMTAB_FILES] = sizeof(uint32_t),
		[SYMTAB_INLINES] = sizeof(symtab_inline_entry),
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
	    h->text_limit - h->text_base >= UINT32_MAX)
		return "symbol table refused: a header field is out of range";
	const struct symtab_part *names = &h->parts[SYMTAB_NAMES];
	if (!parts_inside(h) || names->count == 0 ||
	    ((const uint8_t *)h)[names->offset + names->count - 1] != '\0')
		return "symbol table refused: a part lies outside of it";
	return NULL;
}

const char *symtab_init(const void *start, size_t size, const uint8_t *build_id)
{
	table_good = false;
	memset(symtab_rule_cache, 0, sizeof symtab_rule_cache);
	if (start == NULL || (uintptr_t)start % 8 != 0)
		return "symbol table refused: there is none in the image";
	const uint8_t *base = start;
	const struct symtab_header *h = start;
	const char *error = header_error(h, size, build_id);
	if (error != NULL)
		return error;
	const struct symtab_part *p = h->parts;
	table = (struct symtab_table){
		.text_base = (uintptr_t)h->text_base,
		.text_limit = (uintptr_t)h->text_limit,
		.functions = (const void *)(base + p[SYMTAB_FUNCTIONS].offset),
		.pages = (const void *)(base + p[SYMTAB_PAGES].offset),
		.rows = (const void *)(base + p[SYMTAB_ROWS].offset),
		.rules = (const void *)(base + p[SYMTAB_RULES].offset),
		.files = (const void *)(base + p[SYMTAB_FILES].offset),
		.inlines = (const void *)(base + p[SYMTAB_INLINES].offset),
		.details = base + p[SYMTAB_DETAILS].offset,
		.names = (const char *)base + p[SYMTAB_NAMES].offset,
		.n_functions = p[SYMTAB_FUNCTIONS].count,
		.n_pages = p[SYMTAB_PAGES].count,
		.n_rows = p[SYMTAB_ROWS].count,
		.n_rules = p[SYMTAB_RULES].count,
		.n_files = p[SYMTAB_FILES].count,
		.n_inlines = p[SYMTAB_INLINES].count,
		.n_details = p[SYMTAB_DETAILS].count,
		.n_names = p[SYMTAB_NAMES].count,
		.arch = h->arch,
		.unit_shift = h->unit_shift,
		.rule_bits = h->rule_bits,
		.page_shift = (uint8_t)(16 - h->rule_bits + h->unit_shift),
		.line_range = h->line_range,
		.line_base = h->line_base,
		.fars = h->fars,
		.red_zone = h->arch == SYMTAB_ARCH_X86_64 ? 128 : 0,
	};
	table_good = true;
	return NULL;
}

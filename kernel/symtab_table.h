/* The validated symbol table of the image: for kernel/symtab*.c and kernel/unwind*.c only. See
 * symtab_table.c. */
#ifndef KERNEL_SYMTAB_TABLE_H
#define KERNEL_SYMTAB_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/symtab_format.h"

/* The code of a stream: how many codes have 1, 2, ... bits, and the symbols in the order of their codes. */
struct symtab_code {
	uint16_t count[SYMTAB_CODE_BITS];
	uint16_t n; /* sum of the counts */
	const uint8_t *symbols;
};

struct symtab_table {
	uintptr_t text_base, text_limit;
	const uint8_t *functions; /* fields */
	const uint32_t *pages;
	const uint16_t *rows;
	const struct symtab_rule *rules;
	const uint8_t *files, *inlines; /* fields */
	const uint8_t *details;
	const char *names;      /* unpacked */
	const uint32_t *starts; /* of each name in names */
	uint32_t n_functions, n_pages, n_rows, n_rules, n_files, n_inlines, n_details, n_names;
	struct symtab_code codes[SYMTAB_STREAMS];
	uint8_t start_width, detail_width, name_width, file_width, line_width;
	uint8_t arch, unit_shift, rule_bits, page_shift; /* page_shift: log2 of the bytes of an unwind page */
	uint8_t line_range, fars;
	int8_t line_base;
	uint8_t red_zone; /* bytes below sp that a leaf function may use */
};

extern const struct symtab_table
	*symtab_in_use; /* written once at boot, before other harts start and before the first sample */

/* The table in use, or NULL when there is none or it was refused. Any context. */
static inline const struct symtab_table *symtab_table(void)
{
	return symtab_in_use;
}

/*
 * Rules found lately: (bytes from text_base + 1) << 32 | SYMTAB_RULE_USUAL for the rule of most frames | rule number, where symtab_rule_slot()
 * says; 0: none. Each word is whole in itself, so harts and interrupts read and write it with relaxed atomics
 * and no order; a rule for a place never changes. Emptied by symtab_init().
 */
enum { SYMTAB_RULE_CACHE_BITS = 10, SYMTAB_RULE_CACHE = 1 << SYMTAB_RULE_CACHE_BITS };
#define SYMTAB_RULE_USUAL (1u << 31)
extern uint64_t symtab_rule_cache[SYMTAB_RULE_CACHE];

static inline uint64_t *symtab_rule_slot(uint32_t offset)
{
	/* Multiplied: calls lie at round distances, and two of one stack in one place would be looked for each time. */
	return &symtab_rule_cache[offset * 0x9e3779b1u >> (32 - SYMTAB_RULE_CACHE_BITS)];
}

/* A place in details: bits from its start, and where it ends. */
struct symtab_bits {
	const uint8_t *base;
	uint32_t at, end;
};

/* Reads a byte of a stream; false at the end, or where no code is. Any context. In symtab.c. */
bool symtab_byte(const struct symtab_table *t, struct symtab_bits *b, enum symtab_stream stream,
		 uint32_t *out);

/* Reads a varint of a stream; false at the end or beyond 32 bits. Any context. In symtab.c. */
bool symtab_varint(const struct symtab_table *t, struct symtab_bits *b, enum symtab_stream stream,
		   uint32_t *out);

/* A zigzag varint (0, -1, 1, -2, ...), as a number to add modulo 2^32. */
static inline bool symtab_zigzag(const struct symtab_table *t, struct symtab_bits *b,
				 enum symtab_stream stream, uint32_t *out)
{
	uint32_t v;
	if (!symtab_varint(t, b, stream, &v))
		return false;
	*out = (v >> 1) ^ (0 - (v & 1));
	return true;
}

/* The field of `width` bits that begins at bit `at`. */
static inline uint32_t symtab_field(const uint8_t *base, uint32_t at, unsigned width)
{
	uint32_t v = 0;
	while (width > 0) {
		unsigned room = 8 - at % 8, n = width < room ? width : room;
		v = v << n | (base[at / 8] >> (room - n) & ((1u << n) - 1));
		at += n;
		width -= n;
	}
	return v;
}

/* Name `number`; "??" for one outside. */
static inline const char *symtab_name(const struct symtab_table *t, uint32_t number)
{
	return number < t->n_names ? t->names + t->starts[number] : "??";
}

/* The name of file `index`; "??" for one outside. */
static inline const char *symtab_file(const struct symtab_table *t, uint32_t index)
{
	if (index >= t->n_files)
		return "??";
	return symtab_name(t, symtab_field(t->files, index * t->name_width, t->name_width));
}

#endif

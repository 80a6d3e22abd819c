/* The validated symbol table of the image: for kernel/symtab*.c and kernel/unwind*.c only. See
 * symtab_table.c. */
#ifndef KERNEL_SYMTAB_TABLE_H
#define KERNEL_SYMTAB_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/symtab_format.h"

struct symtab_table {
	uintptr_t text_base, text_limit;
	const struct symtab_function_entry *functions;
	const uint32_t *pages;
	const uint16_t *rows;
	const struct symtab_rule *rules;
	const uint32_t *files;
	const symtab_inline_entry *inlines;
	const uint8_t *details;
	const char *names;
	uint32_t n_functions, n_pages, n_rows, n_rules, n_files, n_inlines, n_details, n_names;
	uint8_t arch, unit_shift, rule_bits, page_shift; /* page_shift: log2 of the bytes of an unwind page */
	uint8_t line_range, fars;
	int8_t line_base;
	uint8_t red_zone; /* bytes below sp that a leaf function may use */
};

/* The table in use, or NULL when there is none or it was refused. Any context. */
const struct symtab_table *symtab_table(void);

/*
 * Rules found lately: (bytes from text_base + 1) << 32 | rule number, at the place that symtab_rule_slot()
 * says; 0: none. Each word is whole in itself, so harts and interrupts read and write it with relaxed atomics
 * and no order; a rule for a place never changes. Emptied by symtab_init().
 */
enum { SYMTAB_RULE_CACHE = 256 };
extern uint64_t symtab_rule_cache[SYMTAB_RULE_CACHE];

static inline uint64_t *symtab_rule_slot(uint32_t offset)
{
	return &symtab_rule_cache[(offset ^ offset >> 9) % SYMTAB_RULE_CACHE];
}

/* Reads a varint at *p and moves *p on, never to or beyond `end`; false at the end or beyond 32 bits. Any
 * context. */
static inline bool symtab_varint(const uint8_t **p, const uint8_t *end, uint32_t *out)
{
	uint32_t v = 0;
	for (unsigned shift = 0; shift < 35 && *p < end; shift += 7) {
		uint8_t b = *(*p)++;
		v |= (uint32_t)(b & 0x7f) << shift;
		if (b < 0x80) {
			*out = v;
			return true;
		}
	}
	return false;
}

/* A zigzag varint (0, -1, 1, -2, ...), as a number to add modulo 2^32. */
static inline bool symtab_zigzag(const uint8_t **p, const uint8_t *end, uint32_t *out)
{
	uint32_t v;
	if (!symtab_varint(p, end, &v))
		return false;
	*out = (v >> 1) ^ (0 - (v & 1));
	return true;
}

/* The string at `offset` of names; "??" for an offset outside. The names part ends with a NUL (checked by
 * init). */
static inline const char *symtab_name(const struct symtab_table *t, uint32_t offset)
{
	return offset < t->n_names ? t->names + offset : "??";
}

/* The name of file `index`; "??" for one outside. */
static inline const char *symtab_file(const struct symtab_table *t, uint32_t index)
{
	return index < t->n_files ? symtab_name(t, t->files[index]) : "??";
}

#endif

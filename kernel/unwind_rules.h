/* The unwind rule for an address, from the symbol table: for kernel/unwind.c and tests. */
#ifndef KERNEL_UNWIND_RULES_H
#define KERNEL_UNWIND_RULES_H

#include <stdbool.h>
#include <stdint.h>

#include "kernel/symtab_table.h"

/*
 * The rule in force before the instruction at pc, or NULL: no rule is known there. Its slots are its own, or, with
 * SYMTAB_RULE_WIDE, those in the struct symtab_rule_wide that lies behind it (then it does). About 60 instructions;
 * never reads outside of the table. Any context.
 */
static inline const struct symtab_rule *unwind_rule(const struct symtab_table *t, uintptr_t pc)
{
	if (pc - t->text_base >= t->text_limit - t->text_base)
		return NULL;
	uint32_t offset = (uint32_t)(pc - t->text_base);
	uint32_t page = offset >> t->page_shift;
	if (page + 1 >= t->n_pages)
		return NULL;
	uint32_t lo = t->pages[page], hi = t->pages[page + 1];
	if (lo >= hi || hi > t->n_rows)
		return NULL;
	uint32_t unit = (offset & ((1u << t->page_shift) - 1)) >> t->unit_shift;
	uint32_t last = unit << t->rule_bits | ((1u << t->rule_bits) - 1); /* no row at or before pc is larger */
	const uint16_t *row = t->rows + lo;
	for (uint32_t n = hi - lo; n > 1;) { /* row[0] holds, and the wanted one is among row[0 .. n - 1] */
		uint32_t half = n / 2;
		row = row[half] <= last ? row + half : row;
		n -= half;
	}
	uint32_t number = *row & ((1u << t->rule_bits) - 1);
	if (number >= t->n_rules)
		return NULL;
	const struct symtab_rule *rule = &t->rules[number];
	if (rule->cfa == SYMTAB_CFA_NONE || ((rule->flags & SYMTAB_RULE_WIDE) != 0 && number + 1 >= t->n_rules))
		return NULL;
	return rule;
}

#endif

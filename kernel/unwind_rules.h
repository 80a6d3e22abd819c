/* The unwind rule for an address, from the symbol table: for kernel/unwind.c and tests. */
#ifndef KERNEL_UNWIND_RULES_H
#define KERNEL_UNWIND_RULES_H

#include <stdbool.h>
#include <stdint.h>

#include "kernel/symtab_table.h"

/*
 * unwind_rule() for an address that was not asked for lately: `offset`, in text, counts from text_base. In
 * unwind.c.
 */
const struct symtab_rule *unwind_rule_search(const struct symtab_table *t, uint32_t offset);

/*
 * The rule in force before the instruction at `offset`, in text, from text_base on, or NULL: no rule is known there. Its slots are its own, or,
 * with SYMTAB_RULE_WIDE, those in the struct symtab_rule_wide that lies behind it (then it does). Never reads
 * outside of the table. Any context. 15 instructions when the same place was asked for lately, for samples and
 * their callers repeat; else about 120.
 */
static inline __attribute__((always_inline)) const struct symtab_rule *unwind_rule_at(
	const struct symtab_table *t, uint32_t offset)
{
	uint64_t kept = __atomic_load_n(symtab_rule_slot(offset), __ATOMIC_RELAXED);
	if (kept >> 32 == offset + 1)
		return &t->rules[(uint32_t)kept & ~SYMTAB_RULE_USUAL];
	return unwind_rule_search(t, offset);
}

/* The same for a pc, which may be anywhere. */
static inline __attribute__((always_inline)) const struct symtab_rule *unwind_rule(
	const struct symtab_table *t, uintptr_t pc)
{
	if (pc - t->text_base >= t->text_limit - t->text_base)
		return NULL;
	return unwind_rule_at(t, (uint32_t)(pc - t->text_base));
}

#endif

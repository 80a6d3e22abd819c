/*
 * Stacks that a profile has met, each with the record that counts it: thousands of goroutines wait in a few places, and to see that one waits
 * where others did takes a tenth of walking its stack and looking that up. See stack_memo.c.
 */
#ifndef PROF_STACK_MEMO_H
#define PROF_STACK_MEMO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "prof/mem.h"

struct unwind_regs;
struct prof_record;
struct stack_memo_entry;

enum { STACK_MEMO_SLOTS = 128 };

struct stack_memo {
	const struct mem_ops *mem;
	struct stack_memo_entry *slots[STACK_MEMO_SLOTS];
};

/* An empty one; allocates nothing. */
static inline void stack_memo_init(struct stack_memo *m, const struct mem_ops *mem)
{
	*m = (struct stack_memo){.mem = mem};
}

/* The record that was kept for the stack that ends at hi, of a context that *r has, with these labels; or NULL: walk it. The caller owns the
 * stack, as for a walk. */
struct prof_record *stack_memo_find(const struct stack_memo *m, const struct unwind_regs *r, uintptr_t hi,
				    uint32_t labels);

/* Keeps that record for such stacks, and forgets another; nothing when memory is out, or when such stacks cannot be told apart by a few words. The same. */
void stack_memo_keep(struct stack_memo *m, const struct unwind_regs *r, uintptr_t hi, uint32_t labels,
		     struct prof_record *record);

/* Forgets all. */
void stack_memo_free(struct stack_memo *m);

#endif

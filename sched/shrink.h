/*
 * The shrinker: a goroutine of the kernel that gives pages back which stacks do not need (see shrink.c).
 */
#ifndef SCHED_SHRINK_H
#define SCHED_SHRINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/stack.h"
#include "sched/sched.h"

/* Called once in each pass, by the goroutine that makes it; hurry: memory is short. For whoever keeps memory that it can do without: what
 * was not used since the pass before goes. May be set once, before main(); may take mutexes and free memory, and may not start goroutines. */
extern void (*shrink_pass_hook)(bool hurry);

/* There is something that a pass could give back: there will be one, within about a second of activity or idleness. Any context. */
static inline void shrink_want(void)
{
	if (!atomic_load_explicit(&stack_grew, memory_order_relaxed))
		atomic_store_explicit(&stack_grew, true, memory_order_relaxed);
}

/* Makes a pass now and returns when it is over. hurry: as if memory were short: everything that can go goes. Goroutine context. */
void shrink_pass(bool hurry);

struct shrink_stats {
	uint64_t passes;
	uint64_t parked_pages; /* given back from stacks of waiting goroutines */
	uint64_t dead_pages;   /* from stacks of ended ones */
};

/* Any context; each figure for itself. */
void shrink_stats(struct shrink_stats *s);

/* The scheduler, when it has nothing to run or a slice is over. System context. */
void shrink_wake(bool hurry);
static inline void shrink_poll(void)
{
	if (__builtin_expect(atomic_load_explicit(&stack_grew, memory_order_relaxed), 0))
		shrink_wake(false);
}

#endif

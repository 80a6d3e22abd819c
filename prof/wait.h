/* What prof/wait.c and prof/contention.c count, and prof/block.c makes profiles of. */
#ifndef PROF_WAIT_H
#define PROF_WAIT_H

#include "kernel/wait_reason.h"
#include "prof/stacks.h"

/* Values of a record, all of them already scaled: how many, in units of 1 / WAIT_ONE, and how long, in arch_ticks(). */
enum { WAIT_COUNT, WAIT_PARKED, WAIT_LATE };
#define WAIT_ONE 65536u

/* Why a goroutine waited for a hart, if not because it was woken: keys beside the wait reasons. */
enum { WAIT_LATE_START = WAIT_REASON_COUNT, WAIT_LATE_YIELD, WAIT_LATE_PREEMPT, WAIT_KEYS };

/* Waits of goroutines, by where they waited; the key is the wait reason, or one of the above. WAIT_LATE: from being runnable to running. */
extern struct stack_table wait_stacks;

/* What is counted from now on (prof_rates.h); root: where the stack of every goroutine ends. Goroutine context. */
void wait_rate_set(uint64_t ns, uintptr_t root);

/* Contention, by where the lock was given back; WAIT_PARKED is what others had waited. */
extern struct stack_table contention_stacks;

#endif

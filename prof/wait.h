/* What prof/wait.c and prof/contention.c count, and prof/block.c makes profiles of. */
#ifndef PROF_WAIT_H
#define PROF_WAIT_H

#include "kernel/wait_reason.h"
#include "prof/stacks.h"

/* Values of a record, all of them already scaled: how many, in units of 1 / WAIT_ONE, and how long, in arch_ticks(). */
enum { WAIT_COUNT, WAIT_PARKED, WAIT_LATE };
#define WAIT_ONE 65536u
/* The longest time that one event is counted with, in arch_ticks(): half a year at 1 GHz. Sums of several still fit, as nanoseconds too. */
#define WAIT_TICKS_MAX (UINT64_C(1) << 54)

/* ticks * by / of, at most WAIT_TICKS_MAX: how long an event that stands for others was. */
static inline uint64_t wait_scaled(uint64_t ticks, uint64_t by, uint64_t of)
{
	unsigned __int128 all = (unsigned __int128)ticks * by / of;
	return all < WAIT_TICKS_MAX ? (uint64_t)all : WAIT_TICKS_MAX;
}

/* Why a goroutine waited for a hart, if not because it was woken: keys beside the wait reasons. */
enum { WAIT_LATE_START = WAIT_REASON_COUNT, WAIT_LATE_YIELD, WAIT_LATE_PREEMPT, WAIT_KEYS };

/* Waits of goroutines, by where they waited; the key is the wait reason, or one of the above. WAIT_LATE: from being runnable to running. */
extern struct stack_table wait_stacks;
/* What found no room in it, by key: not all of it is in every profile. */
extern struct stack_record wait_lost[WAIT_KEYS];

/* What is counted from now on (prof_rates.h). Goroutine context. */
void wait_rate_set(uint64_t ns);

/* Contention, by where the lock was given back; WAIT_PARKED is what others had waited. */
extern struct stack_table contention_stacks;

#endif

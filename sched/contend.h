/*
 * What an unlock is to blame for: how long goroutines have waited in a queue because of it, all of them together, in constant work for each
 * of them. The first in the queue carries, for those of it that are followed:
 *
 *	contend_n = how many,  contend_sum = sum of when each began to wait, or was last charged for
 *
 * so that at any time n * now - sum is what they have waited since. Who takes the first one out charges that, and all begin anew.
 *
 * 1. Only goroutines of the program that queue while a profile looks are followed. A queue that has none costs one load and a branch.
 * 2. What is in a queue changes under its owner's spinlock only; who is in none has contend_n 0 and contend_in false.
 */
#ifndef SCHED_CONTEND_H
#define SCHED_CONTEND_H

#include "kernel/hart.h"
#include "sched/sched.h"
#include "sched/waitq.h"

/* g has just been put into q, first or last. Caller holds q's lock. */
static inline void contend_put_locked(struct waitq *q, struct g *g)
{
	if (__builtin_expect(!__atomic_load_n(&contend_on, __ATOMIC_RELAXED), 1))
		return;
	/* once more: pairs with the release in prof_mutex_fraction_set(), so that who takes g out of the queue, under its lock, finds the hook */
	if (!__atomic_load_n(&contend_on, __ATOMIC_ACQUIRE))
		return;
	struct g *first = q->first;
	if (first == g && g->next != NULL) {
		g->contend_n = g->next->contend_n;
		g->contend_sum = g->next->contend_sum;
		g->next->contend_n = 0;
	} else if (first == g) {
		g->contend_sum = 0;
	}
	if (g->system) /* g is the caller: its class does not change meanwhile (sched/cleanup.c) */
		return;
	g->contend_in = true;
	first->contend_sum = first->contend_n == 0 ? arch_ticks() : first->contend_sum + arch_ticks();
	first->contend_n++;
}

/* The same for g, which has just been taken out as the first. Returns what is to be charged, in ticks. */
static inline uint64_t contend_take_locked(struct waitq *q, struct g *g)
{
	uint64_t n = g->contend_n;
	if (__builtin_expect(n == 0, 1))
		return 0;
	uint64_t now = arch_ticks();
#ifndef MUTANT_mutex_one
	uint64_t ticks = n * now - g->contend_sum;
#else
	uint64_t ticks = now - g->contend_sum / n; /* as if only one had waited */
#endif
	g->contend_n = 0;
	n -= g->contend_in;
	g->contend_in = false;
	if (q->first != NULL) {
		struct g *first = q->first;
		first->contend_sum = n * now + (first->contend_n > 0 ? first->contend_sum : 0);
		first->contend_n += (uint32_t)n;
	}
	return ticks;
}

/* Says it, with no lock held. */
static inline __attribute__((always_inline)) void contend_charge(uint64_t ticks)
{
	if (__builtin_expect(ticks != 0, 0))
		__atomic_load_n(&contend_hook, __ATOMIC_RELAXED)(ticks,
								 (uintptr_t)__builtin_frame_address(0));
}

#endif

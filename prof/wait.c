/*
 * How long goroutines are off the harts, by where they wait: what the block profile and those of time off the harts are made of.
 *
 *	park ----- wait_since          sched/: the three times are in the goroutine, which calls wait_over() itself when it runs again
 *	ready ---- woken_at            parked = woken_at - wait_since, late = run_since - woken_at
 *	run ------ run_since
 *
 * Who is started, yields or is preempted waits for a hart, too: the hart that runs it next tells that, with its stack (late_over()).
 *
 * Sampling is Go's: a wait of `rate` or longer is counted as it is; a shorter one with probability parked / rate, and then as if there had
 * been rate / parked of them. So short waits are as long in sum, and as many, as they were. (Go's bias correction.)
 *
 * Most waits are at the place where the same goroutine waited last, and for the same: its record is tried first, by one walk that compares.
 * (Those of the kernel's goroutines never are: their records have another key.)
 *
 * Its walk looks at nothing but what it compares: see unwind_fp_are().
 *
 * This file is compiled without frame pointers: no walk along them begins in it or in what it calls.
 *
 * 1. While the rate is not 0 every wake-up is written down (sched_waits()). Otherwise waits would be missing.
 * 2. Nothing here waits, allocates from the heap or uses much stack. Otherwise a goroutine could not be profiled on its last bytes.
 * 3. Only a stack that was walked to its end is remembered. Otherwise the comparison could go on above the end of the next one.
 */
#include "prof/wait.h"

#include <stddef.h>

#include "kernel/again.h"
#include "kernel/clock.h"
#include "kernel/g.h"
#include "kernel/hart.h"
#include "kernel/random.h"
#include "kernel/unwind_fp.h"
#include "kernel/walk.h"
#include "sched/sched.h"

enum { LIMIT = 8 << 20 };

struct stack_table wait_stacks = STACK_TABLE_INIT(LIMIT);
struct stack_record wait_lost[WAIT_KEYS];

static uint64_t rate_ticks;                              /* 0: no wait is shorter. relaxed */
static uint64_t random_state[HART_MAX];                  /* of each hart, with preemption off */
static uintptr_t scratch[HART_MAX][STACK_DEPTH_MAX + 1]; /* the same */

/* Whether a wait that is shorter than the rate is counted. Inline: most are not. */
static inline __attribute__((always_inline)) bool drawn(uint64_t parked, uint64_t rate)
{
	uint64_t random = random_step(&random_state[hart_index()]);
	return (uint64_t)((unsigned __int128)random * rate >> 64) < parked;
}

/* What the stack of every goroutine ends with. */
static inline uintptr_t root(void)
{
	return (uintptr_t)__context_call_end;
}

static struct stack_record *record_of(const uintptr_t *pcs)
{
	return (struct stack_record *)((char *)(uintptr_t)pcs - offsetof(struct stack_record, pcs));
}

/* Of a depth above 0, or where what finds no memory is counted. */
static struct stack_record *record_find(uint64_t key, const uintptr_t *pcs, uint32_t depth)
{
	struct stack_record *r = stack_find(&wait_stacks, key, 0, pcs, depth);
	return r != &wait_stacks.lost ? r : &wait_lost[key];
}

/* Every wait that is counted and not for the short way of wait_over(). pc and fp: where the goroutine stands, in the function that told
 * it. */
static __attribute__((noinline)) void wait_over_slow(struct g *g, uintptr_t pc, uintptr_t fp)
{
	uint64_t rate = __atomic_load_n(&rate_ticks, __ATOMIC_RELAXED), count = WAIT_ONE;
	uint64_t since = g->wait_since, ready = g->woken_at;
	if (ready < since) /* it was made ready while it was parking */
		ready = since;
	uint64_t parked = ready - since, late = g->run_since > ready ? g->run_since - ready : 0;
#ifdef MUTANT_wait_halved
	parked /= 2;
#endif
#ifndef MUTANT_block_bias
	if (parked < rate) {
		uint64_t ticks = parked > 0 ? parked : 1;
		count = rate * WAIT_ONE / ticks;
		late = wait_scaled(late, rate, ticks);
		parked = rate;
	}
#else
	(void)rate;
#endif
	uintptr_t *pcs = scratch[hart_index()];
	pcs[0] = pc;
	uint32_t depth = 1 + stack_here(fp, pcs + 1, STACK_DEPTH_MAX);
	struct stack_record *r = record_find(g->system ? WAIT_SYSTEM : g->wait_reason, pcs, depth);
	if (r->depth > 1 && pcs[depth - 1] == root()) /* rule 3 */
		g->wait_pcs = r->pcs;
	stack_count(r, WAIT_COUNT, count);
	stack_count(r, WAIT_PARKED, parked);
	stack_count(r, WAIT_LATE, late);
}

/* g, the caller, runs again; preemption is off. The short way is for a wait that is counted as it is, at the place of the last one. */
static inline __attribute__((always_inline)) void wait_over(struct g *g, uintptr_t pc, uintptr_t fp,
							    uint64_t rate)
{
	const uintptr_t *pcs = g->wait_pcs;
	if (__builtin_expect(pcs[0] != pc, 0) ||
#ifndef MUTANT_wait_any_reason
	    __builtin_expect(record_of(pcs)->key != g->wait_reason, 0) ||
#endif
	    __builtin_expect(!unwind_fp_are(fp, ARCH_FRAME_RECORD, pcs, root()), 0)) {
		wait_over_slow(g, pc, fp);
		return;
	}
	uint64_t woken = g->woken_at, late = g->run_since - woken;
	if (__builtin_expect((int64_t)late < 0, 0)) {
		wait_over_slow(g, pc, fp);
		return;
	}
	uint64_t parked = AGAIN(woken) - g->wait_since; /* else the compiler joins the two looks, for more */
#ifdef MUTANT_wait_halved
	parked /= 2; /* somewhere on the way half of it is lost */
#endif
	if (__builtin_expect((int64_t)parked < 0, 0) || (rate > 0 && parked < rate)) {
		wait_over_slow(g, pc, fp);
		return;
	}
	struct stack_record *r = record_of(AGAIN(pcs)); /* else its place is computed early, and kept */
	stack_count(r, WAIT_COUNT, WAIT_ONE);
	stack_count(r, WAIT_PARKED, parked);
	stack_count(r, WAIT_LATE, late);
}

/* With the rate 1. */
static void wait_over_all(struct g *g, uintptr_t pc, uintptr_t fp)
{
	wait_over(g, pc, fp, 0);
}

static void wait_over_sampled(struct g *g, uintptr_t pc, uintptr_t fp)
{
	uint64_t rate = __atomic_load_n(&rate_ticks, __ATOMIC_RELAXED), since = g->wait_since;
	int64_t parked = (int64_t)(g->woken_at - since);
	if (parked >= (int64_t)rate || drawn(parked > 0 ? (uint64_t)parked : 1, rate))
		wait_over(g, pc, fp, rate);
}

/* Where g stands, which does not run; return addresses, the first too. */
static uint32_t stack_of(const struct g *g, uintptr_t *pcs)
{
	struct arch_unwind u;
	unsigned flags;
	if (g->area != NULL)
		arch_frame_unwind(g->area, &u);
	else
		arch_context_unwind(&g->ctx, &u);
	uint32_t n = walk_frames(&u, NULL, g, pcs, STACK_DEPTH_MAX + 1, &flags);
	pcs[0] += g->area != NULL;
	if ((g->careful & G_FRESH) != 0) { /* where it will begin */
		pcs[1] = pcs[0];
		pcs[0] = (uintptr_t)g->fn + 1;
		n = 2;
	}
	return n;
}

/* g, which was started, or gave its hart away, or lost it, has got one. The same sampling, by how long that took. */
static void late_over(struct g *g, uint32_t why, uint64_t late)
{
	uint64_t rate = __atomic_load_n(&rate_ticks, __ATOMIC_RELAXED), count = WAIT_ONE;
	if (late < rate) {
		late = late > 0 ? late : 1;
		if (!drawn(late, rate))
			return;
		count = rate * WAIT_ONE / late;
		late = rate;
	}
	uintptr_t *pcs = scratch[hart_index()];
	uint64_t key = why == G_LATE_START   ? WAIT_LATE_START
		       : why == G_LATE_YIELD ? WAIT_LATE_YIELD
					     : WAIT_LATE_PREEMPT;
	struct stack_record *r = record_find(key, pcs, stack_of(g, pcs));
	stack_count(r, WAIT_COUNT, count);
	stack_count(r, WAIT_LATE, late);
}

void wait_rate_set(uint64_t ns)
{
	for (uint32_t i = 0; i < HART_MAX && random_state[i] == 0; i++)
		random_state[i] = 0xa0761d6478bd642fu * (i + 1);
	__atomic_store_n(&rate_ticks, ns <= 1 ? 0 : clock_to_ticks(ns), __ATOMIC_RELAXED);
	sched_waits(ns == 0 ? NULL : ns == 1 ? wait_over_all : wait_over_sampled, ns == 0 ? NULL : late_over);
}

/*
 * Changing goroutines. Who gives its hart away leaves something to be done that may only be done when nobody stands on its stack any more:
 * its new status, its place in a queue, its descriptor. Whoever arrives on the hart next does it:
 *
 *	directly        g --arch_switch--> next: arrive() settles g        next is at the head of the own queue and nobody asked for the scheduler
 *	otherwise       g --arch_switch--> scheduler: settle_sys()
 *	preempted       g --trap exit----> scheduler: settle_sys()
 *
 * The switch hands over who was left and why.
 *
 * 1. Status and queue of the one who left change after its stack was left. Otherwise two harts could run on it.
 * 2. Who arrives looks whether the hart was asked for meanwhile, after h->cur names it. Otherwise an interrupt that asked the one who left
 *    would be forgotten, and the one who arrived keep the hart for ever.
 * 3. h->cur and the thread pointer change within the bounds of the switch. Otherwise a sample could walk a stack that is not its own.
 * 4. While nobody asked for the hart, its timer is armed for the end of the slice or earlier. Otherwise a slice that begins with a direct
 *    switch would have no end; it only moves the end away, and the timer comes early and is armed again.
 * 5. While a trace runs, a goroutine's time ends and begins, and it becomes runnable, when its events say so. Otherwise the two would differ
 *    by what an emulator's host lets pass between an event and the switch.
 * 6. The hart is read again after a switch: the goroutine may have come back elsewhere. Otherwise it would settle what another hart left.
 */
#ifndef SCHED_SWITCH_H
#define SCHED_SWITCH_H

#include "kernel/again.h"
#include "kernel/assert.h"
#include "kernel/store.h"
#include "kernel/timer.h"
#include "sched/impl.h"
#include "sched/own.h"
#include "trace/trace.h"

/*
 * For a profile of waits (prof/wait.c) it is written down when a goroutine became runnable; who was woken tells that itself (sched/park.h). g, which nobody else
 * can run yet, has become runnable: at left_at, or else with the newest event of this hart, or now if no trace runs. why: one of G_LATE.
 */
static inline void late_follow(struct g *g, uint16_t why, bool left)
{
	if (__builtin_expect(__atomic_load_n(&watched.waits, __ATOMIC_RELAXED), 0)) {
		g->woken_at = left ? g->left_at : trace_active() ? trace_said() : arch_ticks(); /* rule 5 */
		g->careful |= why;
	}
}

/* The slow ends of what follows, out of line so that the short way saves no registers for them. */
__attribute__((noinline)) void switch_to_scheduler(enum switch_reason why);
__attribute__((noinline)) void switch_aside(enum switch_reason why);
__attribute__((noinline)) void switch_later(enum switch_reason why, struct g *next, bool inherit);
__attribute__((noinline)) void switch_traced(enum switch_reason why, struct g *next, bool inherit);
__attribute__((noinline)) void settle_slow(struct g *left, uintptr_t why);

/* What the goroutine that was left is still owed. Preemption off, on the hart that it left. */
static inline __attribute__((always_inline)) void settle_park(struct g *left)
{
	/* pairs with the addition in ready(): the saved context is complete */
	if (__builtin_expect(
		    atomic_fetch_add_explicit(&left->status, G_LEFT, memory_order_acq_rel) != G_PARKING, 0))
		settle_slow(left, SWITCH_PARK);
}

static inline __attribute__((always_inline)) void settle_yield(struct g *left)
{
	struct runq *q = &arch_hart()->sched->q;
	if (__builtin_expect(left->pinned != NULL, 0) || __builtin_expect(!runq_reserve_tail(q, left), 0)) {
		settle_slow(left, SWITCH_YIELD);
		return;
	}
	/* pairs with the acquire in g_own(), g_run_begin() and runq_steal(): the saved context is complete */
	atomic_thread_fence(memory_order_release);
	store_relaxed(&left->status, G_RUNNABLE);
	/* pairs with the acquire of tail in runq_steal(): who finds it there finds it runnable */
	atomic_thread_fence(memory_order_release);
	runq_commit_tail(q);
	/* Without the fence of rule A of sched/sched.c, which a yield can do without: a hart that goes to sleep just now and is missed here is
	 * seen by the next yield, and g, which this hart has in its own queue, waits a slice at most: at its end wake_one() looks anew. */
	if (__builtin_expect(atomic_load_explicit(&idle_mask, memory_order_relaxed) != 0, 0))
		wake_idle();
}

/* usual: the reason that is looked for first, a constant: mostly the one for which who arrives had left. */
static inline __attribute__((always_inline)) void settle(struct g *left, uintptr_t why,
							 enum switch_reason usual)
{
	if (usual == SWITCH_YIELD && why == SWITCH_YIELD)
		settle_yield(left);
	else if (usual == SWITCH_EXIT && why == SWITCH_EXIT)
		g_free(left, arch_hart());
	else if (why == SWITCH_PARK)
		settle_park(left);
	else if (usual != SWITCH_YIELD && why == SWITCH_YIELD)
		settle_yield(left);
	else if (why != SWITCH_NONE)
		settle_slow(left, why);
}

/* A goroutine runs again, or for the first time; preemption is off. */
static inline __attribute__((always_inline)) void arrive(struct hart *h, struct arch_context *from,
							 uintptr_t why, enum switch_reason usual)
{
	ASSERT(h->cur == g_self_again(), "the running goroutine is its hart's");
	settle((struct g *)((char *)from - offsetof(struct g, ctx)), why, usual);
	atomic_signal_fence(memory_order_seq_cst);
	if (__builtin_expect(atomic_load_explicit(&arch_hart()->asked, memory_order_relaxed), 0))
		store_relaxed(&g_self_again()->resched, true);
}

/* From g, whose time ends at `left`, to next at `now`. */
static inline __attribute__((always_inline)) void switch_time(struct hart *h, struct g *g, struct g *next,
							      bool inherit, enum switch_reason why,
							      uint64_t left, uint64_t now)
{
	g->run_ticks += left - g->run_since;
	if (why == SWITCH_PARK)
		g->wait_since = left;
	next->run_since = now;
	if (!inherit)
		h->slice_due = now + h->slice_ticks; /* rule 4 */
}

/* From g to next, which is RUNNING already. */
static inline __attribute__((always_inline)) void switch_to(struct hart *h, struct g *g, struct g *next,
							    bool inherit, enum switch_reason why,
							    uint64_t left, uint64_t now)
{
	switch_time(h, g, next, inherit, why, left, now);
	if (why == SWITCH_EXIT)
		arch_resume(&next->ctx, &h->cur, next, &g->ctx, why);
	arch_arrival a = arch_switch(&g->ctx, &next->ctx, &h->cur, next, why);
#ifndef MUTANT_stale_hart
	h = arch_hart();
#endif
	arrive(h, arch_arrival_from(a), arch_arrival_word(a), why);
}

/* Whether a trace runs while a hart is given away, as its caller knows, who has looked with preemption off. */
enum switch_traced { UNTRACED, MAYBE_TRACED, TRACED };

static inline __attribute__((always_inline)) void switch_taken(struct hart *h, struct g *g, struct g *next,
							       bool inherit, enum switch_reason why,
							       enum switch_traced traced)
{
	if (traced == MAYBE_TRACED && trace_active()) {
		switch_traced(why, next, inherit);
	} else if (__builtin_expect(next->careful != 0, 0) || __builtin_expect(!g_run_begin_short(next), 0)) {
		switch_later(why, next, inherit);
	} else {
		uint64_t now = traced == TRACED ? trace_go_start(next) : arch_ticks();
		switch_to(h, g, next, inherit, why, traced == TRACED ? g->left_at : now, now);
	}
}

/* Gives the hart of the running goroutine, g, away; preemption is off by one, no lock held. */
static inline __attribute__((always_inline)) void switch_out(struct g *g, enum switch_reason why,
							     enum switch_traced traced)
{
	struct hart *h = arch_hart();
	struct g *next;
	struct sched_hart *s = h->sched;
	if (__builtin_expect(h->lock_one != NULL, 0) ||
	    __builtin_expect(atomic_load_explicit(&h->asked_or_aside, memory_order_relaxed) != 0, 0)) {
		switch_aside(why);
	} else if (atomic_load_explicit(&s->q.next, memory_order_relaxed) != NULL) {
		next = runq_take_next(&AGAIN(s)->q);
		if (__builtin_expect(next != NULL, 1))
			switch_taken(h, g, next, true, why, traced);
		else
			switch_to_scheduler(why);
	} else if (__builtin_expect(runq_take_head(&AGAIN(s)->q, GLOBAL_EVERY, &next), 1)) {
		switch_taken(h, g, next, false, why, traced);
	} else {
		switch_to_scheduler(why);
	}
}

#endif

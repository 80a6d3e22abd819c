/*
 * The short ways of parking and waking, inline for those whose every operation may be one: see park.c. What they leave to do is in park.c
 * and switch.c.
 */
#ifndef SCHED_PARK_H
#define SCHED_PARK_H

#include "sched/latency.h"
#include "sched/switch.h"
#include "trace/trace.h"

/* What ready_short() left to do: nothing; all of it; g, or nobody, is to go to the tail of the own queue, and an idle hart is to be told.
 * Anything else: the status that g had. */
enum { READY_DONE = 0x10000, READY_ALL, READY_QUEUED };

/* ready_short() for who has looked whether anything is special about g. */
static inline __attribute__((always_inline)) uint32_t ready_plain(struct g **g)
{
	/* pairs with the addition in settle(): the saved context is complete */
	uint32_t was = atomic_fetch_add_explicit(&(*g)->status, G_READY, memory_order_acq_rel);
	if (__builtin_expect(was != G_WAITING, 0) || __builtin_expect((*g)->pinned != NULL, 0))
		return was;
	/* pairs with the acquire of the one who takes it out */
	*g = atomic_exchange_explicit(&arch_hart()->sched->q.next, *g, memory_order_acq_rel);
	if (__builtin_expect(*g != NULL, 0))
		return READY_QUEUED;
	atomic_thread_fence(memory_order_seq_cst); /* as in wake_one() */
	if (__builtin_expect(atomic_load_explicit(&idle_mask, memory_order_relaxed) != 0, 0))
		return READY_QUEUED;
	return READY_DONE;
}

/* Wake-ups are looked at. True: only by a profile of waits, and that of g has been written down for it. */
static inline __attribute__((always_inline)) bool wake_noted(struct g *g)
{
	/* pairs with the release in sched_waits() */
	if (__builtin_expect(__atomic_load_n(&AGAIN(&watched)->any, __ATOMIC_ACQUIRE) != WATCHED_WAITS, 0))
		return false;
	g->woken_at = arch_ticks();
	store_relaxed(&g->woken, true);
	return true;
}

/* ready() for g, as long as nothing is special about it; then ready_rest(*g, what was returned). Preemption off. */
static inline __attribute__((always_inline)) uint32_t ready_short(struct g **g)
{
	if (watched_any() && !wake_noted(*g))
		return READY_ALL;
	if (__builtin_expect(latency_due(*g), 0))
		latency_follow(*g);
	return ready_plain(g);
}

__attribute__((noinline)) void ready_rest(struct g *g, uint32_t left);

/* ready() for g while its wake-up is looked at: by a trace, and maybe a profile of waits too. Preemption off. */
static inline __attribute__((always_inline)) void ready_watched_inline(struct g *g)
{
	TRACE(go_unblock(g));
	if (__builtin_expect(latency_due(g), 0))
		latency_follow(g);
	/* pairs with the release in sched_waits() */
	if (__atomic_load_n(&watched.waits, __ATOMIC_ACQUIRE)) {
		g->woken_at = trace_active() ? trace_said() : arch_ticks(); /* rule 5 of sched/switch.h */
		store_relaxed(&g->woken, true);
	}
	uint32_t left = ready_plain(&g);
	if (__builtin_expect(left != READY_DONE, 0))
		ready_rest(g, left);
}

/* park_prepare() for who has raised preempt_off already, for itself, and seen since that no trace runs. */
static inline __attribute__((always_inline)) void park_prepare_raised(struct g *self, enum wait_reason reason)
{
	self->wait_reason = reason;
	/* pairs with the addition in ready(), which comes after the primitive's lock */
	store_relaxed(&self->status, G_PARKING);
}

/* The same with its event, while a trace runs. */
static inline __attribute__((always_inline)) void park_prepare_traced(struct g *self, enum wait_reason reason)
{
#ifndef MUTANT_trace_late
	trace_go_block(self, reason);
#endif
	park_prepare_raised(self, reason);
#ifdef MUTANT_trace_late
	trace_go_block(self, reason);
#endif
}

/* self has waited, was woken while waits were wanted, and runs again; preemption off. Inline: profiles begin in the function this is in. */
static inline __attribute__((always_inline)) void wait_told(struct g *self)
{
	store_relaxed(&self->woken, false);
	/* pairs with the release of who set it */
	__atomic_load_n(&sched_wait_hook, __ATOMIC_ACQUIRE)(self, arch_pc(),
							    (uintptr_t)__builtin_frame_address(0));
}

/* The wait itself, with preemption off by one before and after. traced: as for switch_out(). Then g->woken is looked at. */
static inline __attribute__((always_inline)) void park_out_silent(struct g *self, enum switch_traced traced)
{
	ASSERT(self->preempt_off == 1, "park with preemption off only by park_prepare()");
	switch_out(self, SWITCH_PARK, traced);
}

static inline __attribute__((always_inline)) void park_out(struct g *self, enum switch_traced traced)
{
	park_out_silent(self, traced);
	if (__builtin_expect(atomic_load_explicit(&self->woken, memory_order_relaxed), 0))
		wait_told(self);
}

static inline __attribute__((always_inline)) void park_commit_short(struct g *self, enum switch_traced traced)
{
	park_out_silent(self, traced);
	self = g_self_again();
	/* preempt_enable_last(), with one look more that costs nothing */
	atomic_signal_fence(memory_order_seq_cst);
	self->preempt_off = 0;
	atomic_signal_fence(memory_order_seq_cst);
	uint16_t both = atomic_load_explicit(&self->resched_or_woken, memory_order_relaxed);
	if (__builtin_expect(both != 0, 0)) {
		self = AGAIN(self);
		if (both >= G_WOKEN) {
			self->preempt_off = 1;
			atomic_signal_fence(memory_order_seq_cst);
			wait_told(self);
			self = g_self_again();
			atomic_signal_fence(memory_order_seq_cst);
			self->preempt_off = 0;
			atomic_signal_fence(memory_order_seq_cst);
		}
		if (atomic_load_explicit(&self->resched, memory_order_relaxed))
			preempt_hook();
	}
}

#endif

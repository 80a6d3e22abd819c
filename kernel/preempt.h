/*
 * Preemption control. While a goroutine's preempt_off is above 0 it stays on its hart and is not preempted;
 * interrupts and samples still come. The count is a word of g, reached through the thread pointer, so that
 * raising it is safe whatever hart it happens on.
 */
#ifndef KERNEL_PREEMPT_H
#define KERNEL_PREEMPT_H

#include "kernel/g.h"
#include "kernel/hart.h"
#include "kernel/store.h"

/* Goroutine context: gives the hart away because it was asked to while preemption was off (set by sched/). */
extern void (*preempt_hook)(void);

/* Asks for a pass through the scheduler: at once at trap exit, or when preemption is enabled. This hart, interrupts off. */
static inline void hart_ask_irq(struct hart *h)
{
	store_relaxed(&h->asked, 1);
	store_relaxed(&h->cur->resched, true);
}

static inline void preempt_disable(void)
{
	g_self()->preempt_off++;
	atomic_signal_fence(memory_order_seq_cst);
}

static inline void preempt_enable(void)
{
	struct g *g = g_self();
	atomic_signal_fence(memory_order_seq_cst);
	/* An interrupt that comes before the store sets resched, which is seen below; one that comes after
	 * acts itself. */
	if (--g->preempt_off == 0) {
		atomic_signal_fence(memory_order_seq_cst);
		if (__builtin_expect(atomic_load_explicit(&g->resched, memory_order_relaxed), 0))
			preempt_hook();
	}
}

/* preempt_enable() for who knows that the count is 1. */
static inline void preempt_enable_last(void)
{
	struct g *g = g_self_again();
	atomic_signal_fence(memory_order_seq_cst);
	g->preempt_off = 0;
	atomic_signal_fence(memory_order_seq_cst);
	if (__builtin_expect(atomic_load_explicit(&g->resched, memory_order_relaxed), 0))
		preempt_hook();
}

/* As preempt_enable(), but leaves the call of preempt_hook() to the caller, as its last act: true when it is due.
 * For fast paths that make no other call. */
static inline bool preempt_enable_due(void)
{
	struct g *g = g_self();
	atomic_signal_fence(memory_order_seq_cst);
	if (--g->preempt_off != 0)
		return false;
	atomic_signal_fence(memory_order_seq_cst);
	return __builtin_expect(atomic_load_explicit(&g->resched, memory_order_relaxed), 0);
}

#endif

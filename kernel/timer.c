/*
 * The hardware timer of each hart, which serves three deadlines:
 *
 *	hardware timer <- min(slice_due, sample_due, timers_due)      words of struct hart, written with interrupts off
 *
 * A hart that has nothing to run may sleep until timers_early before timers_due, and do without the interrupt while timers_polled: see
 * idle_spin() in sched/sched.c.
 *
 * An interrupt takes no lock: it only sees which of them has passed. Timers are in kernel/ktimer.c.
 */
#include "kernel/timer.h"

#include <stdatomic.h>
#include <stddef.h>

#include "kernel/g.h"
#include "kernel/preempt.h"

void (*timer_sample_hook)(struct hart *h, struct arch_frame *f, uint64_t now);

void timer_rearm_irq(struct hart *h)
{
	uint64_t due = h->slice_due;
	if (h->sample_due < due)
		due = h->sample_due;
	if (!h->timers_polled && h->timers_due != UINT64_MAX && h->timers_due - h->timers_early < due)
		due = h->timers_due - h->timers_early;
	if (due < h->armed_due) {
		h->armed_due = due;
		arch_timer_arm(due);
	}
}

void upcall_timer_irq(struct arch_frame *f)
{
	struct hart *h = arch_hart();
	uint64_t now = arch_ticks();
	h->armed_due = UINT64_MAX;
	h->timers_early = 0; /* the rest is waited for awake */
	if (now >= h->sample_due)
		timer_sample_hook(h, f, now);
	if (now >= h->slice_due) {
		h->slice_due = UINT64_MAX;
		h->slice_over = true;
		hart_ask_irq(h);
	}
	if (now >= h->timers_due) {
		h->timers_due = UINT64_MAX;
		atomic_store_explicit(&h->timers_hit, true, memory_order_relaxed);
		hart_ask_irq(h);
	}
	timer_rearm_irq(h);
	if (h->armed_due == UINT64_MAX)
		arch_timer_arm(UINT64_MAX);
}

/*
 * A 4-ary heap of deadlines for each hart, and the hardware timer that serves it.
 *
 *	hardware timer <- min(slice_due, sample_due, timers_due)      words of struct hart, written with interrupts off
 *	                                             ^ head of heap   guarded by heap->lock
 *
 * An interrupt takes no lock: it only sees that timers_due has passed, sets timers_hit and asks for a pass through the scheduler,
 * which runs the timers.
 */
#include "kernel/timer.h"

#include <stdatomic.h>
#include <stddef.h>

#include "kernel/assert.h"
#include "kernel/hart.h"
#include "kernel/heap.h"
#include "kernel/lock.h"
#include "kernel/preempt.h"

enum { ARITY = 4, FIRST_CAP = 64 };

struct timer_heap {
	struct spinlock lock; /* protects everything below and the timers in it */
	struct timer **items;
	uint32_t n, cap;
};

static struct timer_heap heaps[HART_MAX] = {[0 ... HART_MAX - 1] = {.lock = SPINLOCK_INIT(RANK_TIMER)}};
static _Atomic uint32_t armed;

void (*timer_sample_hook)(struct hart *h, struct arch_frame *f, uint64_t now);

static void place(struct timer_heap *q, uint32_t i, struct timer *t)
{
	q->items[i] = t;
	t->pos = i + 1;
}

static void sift_up(struct timer_heap *q, uint32_t i, struct timer *t)
{
	while (i > 0 && q->items[(i - 1) / ARITY]->deadline > t->deadline) {
		place(q, i, q->items[(i - 1) / ARITY]);
		i = (i - 1) / ARITY;
	}
	place(q, i, t);
}

static void sift_down(struct timer_heap *q, uint32_t i, struct timer *t)
{
	for (;;) {
		uint32_t best = 0;
		uint64_t least = t->deadline;
		for (uint32_t c = i * ARITY + 1; c <= i * ARITY + ARITY && c < q->n; c++) {
			if (q->items[c]->deadline < least) {
				least = q->items[c]->deadline;
				best = c;
			}
		}
		if (best == 0)
			break;
		place(q, i, q->items[best]);
		i = best;
	}
	place(q, i, t);
}

static void remove_at(struct timer_heap *q, uint32_t i)
{
	q->items[i]->pos = 0;
	if (!q->items[i]->system)
		atomic_fetch_sub(&armed, 1);
	struct timer *last = q->items[--q->n];
	if (i < q->n) {
		if (i > 0 && q->items[(i - 1) / ARITY]->deadline > last->deadline)
			sift_up(q, i, last);
		else
			sift_down(q, i, last);
	}
}

/* Caller holds q->lock and runs on h, the heap's hart. */
static void head_changed_locked(struct timer_heap *q, struct hart *h)
{
	h->timers_due = q->n > 0 ? q->items[0]->deadline : UINT64_MAX;
	timer_rearm_irq(h);
}

/* Doubles the array with the lock dropped meanwhile; the allocator may not be called under it. */
static bool grow(struct timer_heap *q)
{
	uint32_t cap = q->cap ? q->cap * 2 : FIRST_CAP;
	struct timer **items = heap_alloc(cap * sizeof *items), **old = items;
	if (items == NULL)
		return false;
	spin_lock(&q->lock);
	if (q->cap < cap) {
		for (uint32_t i = 0; i < q->n; i++)
			items[i] = q->items[i];
		old = q->items;
		q->items = items;
		q->cap = cap;
	}
	spin_unlock(&q->lock);
	if (old != NULL)
		heap_free(old);
	return true;
}

bool timer_add(struct timer *t, uint64_t deadline)
{
	bool ok = true;
	preempt_disable();
	struct hart *h = arch_hart();
	struct timer_heap *q = &heaps[h->index];
	spin_lock(&q->lock);
	ASSERT(t->pos == 0, "a timer is armed once");
	while (ok && q->n == q->cap) {
		spin_unlock(&q->lock);
		ok = grow(q);
		spin_lock(&q->lock);
	}
	if (ok) {
		t->deadline = deadline;
		t->hart = h->index;
		sift_up(q, q->n++, t);
		if (!t->system)
			atomic_fetch_add(&armed, 1);
		if (t->pos == 1)
			head_changed_locked(q, h);
	}
	spin_unlock(&q->lock);
	preempt_enable();
	return ok;
}

bool timer_cancel(struct timer *t)
{
	struct timer_heap *q = &heaps[t->hart];
	spin_lock(&q->lock);
	bool was = t->pos != 0;
	if (was)
		remove_at(q, t->pos - 1); /* its hart may wake once for nothing */
	spin_unlock(&q->lock);
	return was;
}

uint32_t timers_armed(void)
{
	return atomic_load(&armed);
}

void timers_run_sys(struct hart *h)
{
	struct timer_heap *q = &heaps[h->index];
	atomic_store_explicit(&h->timers_hit, false, memory_order_relaxed);
	for (;;) {
		spin_lock(&q->lock);
		struct timer *t = q->n > 0 ? q->items[0] : NULL;
		if (t == NULL || t->deadline > arch_ticks()) {
			head_changed_locked(q, h);
			spin_unlock(&q->lock);
			return;
		}
		void (*fn)(struct timer *) = t->fn;
		remove_at(q, 0);
		spin_unlock(&q->lock);
		fn(t);
	}
}

void timer_rearm_irq(struct hart *h)
{
	uint64_t due = h->slice_due;
	if (h->sample_due < due)
		due = h->sample_due;
	if (h->timers_due < due)
		due = h->timers_due;
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
	if (now >= h->sample_due)
		timer_sample_hook(h, f, now);
	if (now >= h->slice_due) {
		h->slice_due = UINT64_MAX;
		h->slice_over = true;
		atomic_store_explicit(&h->cur->resched, true, memory_order_relaxed);
	}
	if (now >= h->timers_due) {
		h->timers_due = UINT64_MAX;
		atomic_store_explicit(&h->timers_hit, true, memory_order_relaxed);
		atomic_store_explicit(&h->cur->resched, true, memory_order_relaxed);
	}
	timer_rearm_irq(h);
	if (h->armed_due == UINT64_MAX)
		arch_timer_arm(UINT64_MAX);
}

/*
 * A 4-ary heap in an array:
 *
 *	[0] | [1] [2] [3] [4] | [5] .. [8] | [9] ..          children of i: 4i + 1 .. 4i + 4
 *
 * 1. No entry is due before its parent. Otherwise the first entry would not be the next one due.
 * 2. entries[t->pos - 1].timer is t, and the deadline beside it is t->deadline. Otherwise a cancel would take out another timer.
 */
#include "kernel/timer_heap.h"

#include "kernel/assert.h"
#include "kernel/ktimer.h"

enum { ARITY = 4 };

static void place(struct timer_heap *q, uint32_t i, struct timer_entry e)
{
	q->entries[i] = e;
	e.timer->pos = i + 1;
}

static void sift_up(struct timer_heap *q, uint32_t i, struct timer_entry e)
{
	while (i > 0) {
		uint32_t parent = (i - 1) / ARITY;
		if (q->entries[parent].deadline <= e.deadline)
			break;
		place(q, i, q->entries[parent]);
		i = parent;
	}
	place(q, i, e);
}

static void sift_down(struct timer_heap *q, uint32_t i, struct timer_entry e)
{
	for (;;) {
		uint32_t best = i;
		uint64_t least = e.deadline;
		for (uint32_t c = i * ARITY + 1; c <= i * ARITY + ARITY && c < q->n; c++) {
			if (q->entries[c].deadline < least) {
				least = q->entries[c].deadline;
				best = c;
			}
		}
		if (best == i)
			break;
		place(q, i, q->entries[best]);
		i = best;
	}
	place(q, i, e);
}

/* Puts e where i is free: it may have to go up or down. */
static void settle(struct timer_heap *q, uint32_t i, struct timer_entry e)
{
	if (i > 0 && q->entries[(i - 1) / ARITY].deadline > e.deadline)
		sift_up(q, i, e);
	else
		sift_down(q, i, e);
}

static bool holds(const struct timer_heap *q, const struct ktimer *t)
{
	return t->pos > 0 && t->pos <= q->n && q->entries[t->pos - 1].timer == t;
}

void timer_heap_insert(struct timer_heap *q, struct ktimer *t)
{
	ASSERT(q->n < q->cap, "a timer heap has room for what is put in");
	ASSERT(t->pos == 0, "a timer is in one heap, once");
	sift_up(q, q->n++, (struct timer_entry){t->deadline, t});
}

void timer_heap_remove(struct timer_heap *q, struct ktimer *t)
{
	ASSERT(holds(q, t), "a timer is taken out of the heap it is in");
	uint32_t i = t->pos - 1;
	t->pos = 0;
	struct timer_entry last = q->entries[--q->n];
	if (i < q->n)
		settle(q, i, last);
}

void timer_heap_move(struct timer_heap *q, struct ktimer *t)
{
	ASSERT(holds(q, t), "a timer is moved in the heap it is in");
	settle(q, t->pos - 1, (struct timer_entry){t->deadline, t});
}

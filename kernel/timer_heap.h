/*
 * A 4-ary heap of deadlines, least first: the data structure alone, no lock, no clock (kernel/ktimer.c has both). An entry carries its
 * deadline beside its timer, so that sifting reads one cache line for four children and no timer.
 */
#ifndef KERNEL_TIMER_HEAP_H
#define KERNEL_TIMER_HEAP_H

#include <stdint.h>

struct ktimer;

struct timer_entry {
	uint64_t deadline;
	struct ktimer *timer;
};

struct timer_heap {
	struct timer_entry *entries; /* entries[0] is due first */
	uint32_t n, cap;
};

/* Puts t in for t->deadline; there is room (n < cap). t->pos becomes its place + 1 and follows it. */
void timer_heap_insert(struct timer_heap *q, struct ktimer *t);
/* Takes out t, which is in; its pos becomes 0. */
void timer_heap_remove(struct timer_heap *q, struct ktimer *t);
/* t->deadline changed while it is in: moves it to its new place. */
void timer_heap_move(struct timer_heap *q, struct ktimer *t);

#endif

/* FIFO queue of goroutines that wait for a primitive, linked by g->next; guarded by the primitive's spinlock. */
#ifndef SCHED_WAITQ_H
#define SCHED_WAITQ_H

#include <hartbeat/waitq.h>

#include <stddef.h>

#include "kernel/g.h"

static inline void waitq_put_locked(struct waitq *q, struct g *g)
{
	g->next = NULL;
	if (q->last != NULL)
		q->last->next = g;
	else
		q->first = g;
	q->last = g;
}

/* Ahead of all others. */
static inline void waitq_put_first_locked(struct waitq *q, struct g *g)
{
	g->next = q->first;
	q->first = g;
	if (q->last == NULL)
		q->last = g;
}

static inline struct g *waitq_take_locked(struct waitq *q)
{
	struct g *g = q->first;
	if (g != NULL) {
		q->first = g->next;
		if (q->first == NULL)
			q->last = NULL;
	}
	return g;
}

#endif

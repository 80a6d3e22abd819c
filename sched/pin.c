/*
 * Pinning: a goroutine that runs on one hart only. The hart goes on running others; runnable pinned goroutines stand in a queue of their own,
 * from which nobody steals, and get every other turn.
 *
 * 1. A pinned goroutine is queued here and nowhere else. Otherwise another hart could take it.
 * 2. It is queued first, then its hart is asked. Otherwise the hart could look, find nothing and sleep.
 */
#include <hartbeat/go.h>

#include "kernel/assert.h"
#include "sched/impl.h"

void pin_put(struct g *g)
{
	struct hart *to = g->pinned;
	struct sched_hart *s = to->sched;
	g->next = NULL;
	spin_lock(&s->pin_lock);
	if (s->pin_last != NULL)
		s->pin_last->next = g;
	else
		s->pin_first = g;
	s->pin_last = g;
	atomic_fetch_add(&s->n_pinned, 1); /* rule E of sched/sched.c */
	spin_unlock(&s->pin_lock);
	if (to == arch_hart()) {
		hart_ask_irq(to);
	} else {
		/* pairs with the acquire in upcall_ipi_irq() */
		atomic_fetch_or_explicit(&to->ipi, IPI_ASK, memory_order_release);
		arch_ipi_send(to);
	}
}

struct g *pin_take_sys(struct hart *h)
{
	struct sched_hart *s = h->sched;
	if (atomic_load_explicit(&s->n_pinned, memory_order_relaxed) == 0)
		return NULL;
	spin_lock(&s->pin_lock);
	struct g *g = s->pin_first;
	if (g != NULL) {
		s->pin_first = g->next;
		if (s->pin_first == NULL)
			s->pin_last = NULL;
		atomic_fetch_sub_explicit(&s->n_pinned, 1, memory_order_relaxed);
	}
	spin_unlock(&s->pin_lock);
	return g;
}

void go_pin(void)
{
	preempt_disable();
	struct g *g = g_self();
	ASSERT(g->pin_depth < UINT32_MAX, "pinned fewer than 4,294,967,295 times");
	if (g->pin_depth++ == 0)
		g->pinned = arch_hart();
	preempt_enable();
}

void go_unpin(void)
{
	preempt_disable();
	struct g *g = g_self();
	if (g->pin_depth > 0 && --g->pin_depth == 0)
		g->pinned = NULL;
	preempt_enable();
}

bool go_pinned(void)
{
	return g_self()->pin_depth > 0;
}

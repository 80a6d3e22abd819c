/*
 * A look at a goroutine that does not run, for profiles.
 *
 * 1. The stack is walked under the ownership bit, into a buffer. Otherwise it would change under the walk.
 */
#include "sched/sched.h"

#include "kernel/preempt.h"
#include "kernel/ktimer.h"
#include "kernel/walk.h"
#include "sched/impl.h"
#include "sched/metrics.h"
#include "sched/mutex.h"
#include "sched/own.h"
#include "sched/schedtrace.h"

static void look_owned(const struct g *g, uint32_t status, struct g_look *look, uintptr_t *pcs, unsigned max)
{
	struct arch_unwind u;
	unsigned flags;
	look->waits = status == G_WAITING;
	look->reason = g->wait_reason;
	look->labels = labels_id_irq(g->labels);
	if (g->area != NULL)
		arch_frame_unwind(g->area, &u);
	else
		arch_context_unwind(&g->ctx, &u);
	look->depth = walk_frames(&u, NULL, g, pcs, max, &flags);
	look->truncated = (flags & WALK_TRUNCATED) != 0;
	if (look->depth == 1 && g->area == NULL)
		pcs[0] = (uintptr_t)g->fn; /* it has not run yet */
	else if (g->area == NULL)
		pcs[0]--; /* it will return to there */
}

bool g_look(struct g *g, struct g_look *look, uintptr_t *pcs, unsigned max)
{
	uint32_t status = atomic_load_explicit(&g->status, memory_order_relaxed);
	bool seen = false;
	if (status != G_WAITING && status != G_RUNNABLE)
		return false;
	preempt_disable();
	if (g_own(g)) {
		status = atomic_load_explicit(&g->status, memory_order_relaxed) & G_STATUS_MASK;
		seen = !g->system;
		if (seen)
			look_owned(g, status, look, pcs, max);
		g_disown(g);
	}
	preempt_enable();
	return seen;
}

void hart_look(unsigned hart, struct hart_look *look)
{
	const struct hart *h = harts[hart];
	const struct runq *q = &h->sched->q;
	struct sched_counts c;
	sched_counts(&c);
	*look = (struct hart_look){
		.idle = (c.idle_mask >> hart & 1) != 0,
		.spinning = h->sched->spinning,
		.queued = (uint32_t)(atomic_load_explicit(&q->tail, memory_order_relaxed) -
				     atomic_load_explicit(&q->head, memory_order_relaxed)) +
			  (atomic_load_explicit(&q->next, memory_order_relaxed) != NULL),
		.timers = timers_in_heap(hart),
		.picks = sched_ticks(h->sched),
		.cur = h->cur != h->g0 ? h->cur : NULL,
	};
	metrics_hart_times(hart, &look->since, &look->slept);
}

const void *g_wants(struct g *g, uint64_t *owner)
{
	const struct mutex *m = NULL;
	*owner = 0;
	if (atomic_load_explicit(&g->wanted, memory_order_relaxed) == 0 || g_status(g) != G_WAITING)
		return NULL;
	preempt_disable();
	if (g_own(g)) {
		/* As long as it is owned it stays in mutex_lock(), and the mutex with it. The lowest bit is the deadlock walk's.
		 * pairs with the release in deadlock_wait() */
		if (g_status(g) == G_WAITING && g->wait_reason == WAIT_MUTEX)
			m = (const struct mutex *)(atomic_load_explicit(&g->wanted, memory_order_acquire) &
						   ~(uintptr_t)1);
		const struct g *o = m != NULL ? mutex_owner(m) : NULL;
		*owner = o != NULL ? o->id : 0;
		g_disown(g);
	}
	preempt_enable();
	return m;
}

uint64_t g_cpu_ticks(const struct g *g)
{
	uint64_t ticks = g->run_ticks, since = g->run_since, now = arch_ticks();
	return g_status(g) == G_RUNNING && now > since ? ticks + (now - since) : ticks;
}

const struct g *g_displaced(void)
{
	preempt_disable();
	const struct sched_hart *s = arch_hart()->sched;
	const struct g *g =
		s->began == g_self()->run_since ? s->left : NULL; /* else it came by a direct switch */
	preempt_enable();
	return g;
}

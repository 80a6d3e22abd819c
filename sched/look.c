/*
 * A look at a goroutine that does not run, for profiles.
 *
 * 1. The stack is walked under the ownership bit, into a buffer. Otherwise it would change under the walk.
 */
#include "sched/sched.h"

#include "kernel/preempt.h"
#include "kernel/walk.h"
#include "sched/impl.h"
#include "sched/own.h"

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

const struct g *g_displaced(void)
{
	preempt_disable();
	const struct sched_hart *s = arch_hart()->sched;
	const struct g *g =
		s->began == g_self()->run_since ? s->left : NULL; /* else it came by a direct switch */
	preempt_enable();
	return g;
}

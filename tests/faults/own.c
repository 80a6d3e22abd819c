/* Broken rules of stack ownership (sched/own.c). */
#include <stdatomic.h>

#include <hartbeat/go.h>
#include <hartbeat/time.h>

#include "kernel/g.h"
#include "kernel/lock.h"
#include "kernel/preempt.h"
#include "kernel/stack.h"
#include "kernel/walk.h"
#include "sched/own.h"
#include "tests/faults/cases.h"

static struct g *_Atomic waiter;

static void wait_long(void *arg)
{
	(void)arg;
	atomic_store(&waiter, g_self());
	time_sleep(1000 * TIME_SECOND);
}

static struct g *waiter_start(void)
{
	if (go(wait_long, NULL) == 0)
		return NULL;
	struct g *g;
	while ((g = atomic_load(&waiter)) == NULL || atomic_load(&g->status) != G_WAITING)
		go_yield();
	return g;
}

SHOWN void walk_unowned(void)
{
	struct g *g = waiter_start();
	struct arch_unwind u;
	uintptr_t pcs[8];
	unsigned flags;
	arch_context_unwind(&g->ctx, &u);
	walk_frames(&u, NULL, g, pcs, 8, &flags);
	KEEP_FRAME();
}

SHOWN void shrink_foreign(void)
{
	struct g *g = waiter_start();
	uintptr_t at = g->stack_lo + 2 * PAGE_SIZE;
	uint64_t frames[2];
	stack_uncommit(g, &at, frames, 2);
	KEEP_FRAME();
}

static struct spinlock lock = SPINLOCK_INIT(RANK_CHAN);

SHOWN void own_under_lock(void)
{
	struct g *g = waiter_start();
	preempt_disable();
	spin_lock(&lock);
	if (g_own(g))
		g_disown(g);
	spin_unlock(&lock);
	preempt_enable();
}

SHOWN void own_across_park(void)
{
	struct g *g = waiter_start();
	preempt_disable();
	if (g_own(g))
		go_yield();
	KEEP_FRAME();
}

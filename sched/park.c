/*
 * Parking and waking (the transitions of a goroutine that waits).
 *
 *	RUNNING --park_prepare--> PARKING --scheduler, off the stack--> WAITING --ready--> RUNNABLE
 *	        <--park_cancel---    \--ready--> READIED --scheduler--> RUNNABLE
 *
 * 1. A goroutine becomes WAITING only after its hart has left its stack. Otherwise whoever readies it could run it on two harts.
 * 2. The waiter is visible to wakers before it is PARKING only under the primitive's lock. Otherwise a wake-up gets lost.
 * 3. A goroutine whose stack is owned changes its status beneath the bit, and its owner queues it (sched/own.c). Otherwise a hart would wait
 *    for the owner.
 */
#include "kernel/assert.h"
#include "sched/impl.h"
#include "sched/latency.h"

void park_prepare(enum wait_reason reason)
{
	struct g *g = g_self();
	preempt_disable();
	g->wait_reason = reason;
	/* pairs with the compare-and-swap in ready(), which comes after the primitive's lock */
	atomic_store_explicit(&g->status, G_PARKING, memory_order_relaxed);
}

void park_commit(void)
{
	ASSERT(g_self()->preempt_off == 1, "park with preemption off only by park_prepare()");
	switch_out(SWITCH_PARK);
	preempt_enable();
}

void park_cancel(void)
{
	struct g *g = g_self();
	ASSERT(atomic_load_explicit(&g->status, memory_order_relaxed) == G_PARKING,
	       "a park is cancelled before anybody makes ready");
	atomic_store_explicit(&g->status, G_RUNNING, memory_order_relaxed);
	preempt_enable();
}

void ready(struct g *g)
{
	preempt_disable();
	latency_ready(g);
	uint32_t s = atomic_load_explicit(&g->status, memory_order_acquire);
	for (;;) {
		uint32_t owned = s & G_OWNED;
		ASSERT(s == G_PARKING || s == (G_WAITING | owned),
		       "a goroutine that is made ready was waiting");
		uint32_t to = s == G_PARKING ? G_READIED
			      : owned != 0   ? G_RUNNABLE | owned | G_DEFERRED
					     : G_RUNNABLE;
		/* pairs with the release in the scheduler's PARKING -> WAITING */
		if (atomic_compare_exchange_weak(&g->status, &s, to))
			break;
	}
	if (s == G_WAITING) {
		runq_put(&arch_hart()->sched->q, g, true);
		wake_one();
	}
	preempt_enable();
}

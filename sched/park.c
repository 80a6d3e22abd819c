/*
 * Parking and waking (the transitions of a goroutine that waits).
 *
 *	RUNNING --park_prepare--> PARKING --who arrives, off the stack--> WAITING --ready--> RUNNABLE
 *	        <--park_cancel---    \--ready--> READIED --who arrives, off the stack--> RUNNABLE
 *
 * 1. A goroutine becomes WAITING only after its hart has left its stack. Otherwise whoever readies it could run it on two harts.
 * 2. The waiter is visible to wakers before it is PARKING only under the primitive's lock. Otherwise a wake-up gets lost.
 * 3. A goroutine whose stack is owned changes its status beneath the bit, and its owner queues it (sched/own.c). Otherwise a hart would wait
 *    for the owner.
 */
#include "kernel/assert.h"
#include "sched/latency.h"
#include "sched/switch.h"

void park_prepare(enum wait_reason reason)
{
	struct g *g = g_self();
	preempt_disable();
	g->wait_reason = reason;
	/* pairs with the addition in ready(), which comes after the primitive's lock */
	store_relaxed(&g->status, G_PARKING);
}

void park_commit(void)
{
	ASSERT(g_self()->preempt_off == 1, "park with preemption off only by park_prepare()");
	switch_out(SWITCH_PARK);
	preempt_enable_last();
}

/* The slow end of ready(): g was not simply waiting. True: it is to be queued here. */
static bool ready_slow(struct g *g, uint32_t was)
{
	if (was == G_PARKING)
		return false; /* whoever sees that it has left its stack queues it */
	ASSERT(was == (G_WAITING | G_OWNED), "a goroutine that is made ready was waiting");
	uint32_t s = G_RUNNABLE | G_OWNED;
	while ((s & G_OWNED) != 0)
		if (atomic_compare_exchange_weak(&g->status, &s, s | G_DEFERRED))
			return false;
	return true; /* its owner gave it back meanwhile */
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
	/* pairs with the addition in settle(): the saved context is complete */
	uint32_t was = atomic_fetch_add_explicit(&g->status, G_READY, memory_order_acq_rel);
	if (__builtin_expect(was == G_WAITING, 1) || ready_slow(g, was)) {
		if (__builtin_expect(g->pinned != NULL, 0)) {
			pin_put(g);
		} else {
			runq_put_next(&arch_hart()->sched->q, g);
			wake_one();
		}
	}
	preempt_enable();
}

/*
 * The ownership bit. Status and bit are one word, so that who may touch a stack is decided by one atomic operation:
 *
 *	WAITING   <--g_own, g_disown-->  WAITING|OWNED
 *	   | ready                          | ready: to be queued by the owner
 *	RUNNABLE  <--g_own, g_disown-->  RUNNABLE|OWNED  --(scheduler finds it, or ready)-->  RUNNABLE|OWNED|DEFERRED  --g_disown--> queued
 *	   | g_run_begin
 *	RUNNING   (no owner but itself)
 *
 * Nobody waits for the bit: who cannot have it goes on with something else, and a goroutine that is to run meanwhile is left to the owner,
 * who queues it.
 *
 * 1. The bit is taken only while the goroutine is WAITING or RUNNABLE. Otherwise two would use one stack.
 * 2. It is held with preemption off and no spinlock of an earlier rank. Otherwise the owner could be suspended, and the goroutine
 *    with it for as long, or an owner could wait for a lock whose holder readies the goroutine.
 * 3. A goroutine marked DEFERRED is in no queue. Otherwise it would run twice.
 */
#include "sched/own.h"

#include "kernel/assert.h"
#include "sched/impl.h"

static struct spinlock own_rank =
	SPINLOCK_INIT(RANK_OWN); /* no lock: what the checker knows of ownership bits */

bool g_own(struct g *g)
{
	struct g *self = g_self();
	ASSERT(self->preempt_off > 0, "an ownership bit is taken with preemption off");
	struct hart *h = arch_hart();
	uint32_t s = atomic_load_explicit(&g->status, memory_order_relaxed);
	do {
		if (s != G_WAITING && s != G_RUNNABLE)
			return false;
		/* pairs with the release of who suspended g: the saved context is complete */
	} while (!atomic_compare_exchange_weak_explicit(&g->status, &s, s | G_OWNED, memory_order_acquire,
							memory_order_relaxed));
	if (h->n_owned++ == 0)
		rank_hold(&own_rank);
	atomic_store_explicit(&g->owner, self, memory_order_relaxed);
	return true;
}

void g_disown(struct g *g)
{
	ASSERT(g_owned(g), "an ownership bit is given back by who took it");
	struct hart *h = arch_hart();
	ASSERT(h->n_owned > 0, "ownership is given back on the hart that took it");
	atomic_store_explicit(&g->owner, NULL, memory_order_relaxed);
	/* pairs with the acquire in g_run_begin() */
	uint32_t s = atomic_fetch_and_explicit(&g->status, ~(uint32_t)(G_OWNED | G_DEFERRED),
					       memory_order_acq_rel);
	if (--h->n_owned == 0)
		rank_drop(&own_rank);
	if ((s & G_DEFERRED) != 0) {
		if (g->pinned != NULL) {
			pin_put(g);
		} else {
			globq_put(g);
			wake_one();
		}
	}
}

void g_owns_begin(void)
{
	ASSERT(g_self()->preempt_off > 0, "an ownership bit is taken with preemption off");
	if (arch_hart()->n_owned++ == 0)
		rank_hold(&own_rank);
}

void g_owns_end(void)
{
	struct hart *h = arch_hart();
	ASSERT(h->n_owned > 0, "ownership is given back on the hart that took it");
	if (--h->n_owned == 0)
		rank_drop(&own_rank);
}

void g_own_dead(struct g *g)
{
	uint32_t dead = G_DEAD;
	/* pairs with the release in g_free() */
	bool taken = atomic_compare_exchange_strong_explicit(&g->status, &dead, G_DEAD | G_OWNED,
							     memory_order_acquire, memory_order_relaxed);
	ASSERT(taken, "a dead goroutine has one owner");
	atomic_store_explicit(&g->owner, g_self(), memory_order_relaxed);
}

void g_disown_dead(struct g *g)
{
	ASSERT(g_owned(g), "an ownership bit is given back by who took it");
	atomic_store_explicit(&g->owner, NULL, memory_order_relaxed);
	/* pairs with the acquire in g_own_dead() of the next owner; who starts it takes it from a list, under a lock */
	atomic_store_explicit(&g->status, G_DEAD, memory_order_release);
}

/* The slow end of g_run_begin(): the status says RUNNING, with the bit unless it was given back meanwhile. */
bool g_run_owned(struct g *g)
{
	/* pairs with the release in g_disown() */
	uint32_t s = atomic_load_explicit(&g->status, memory_order_acquire);
	for (;;) {
		ASSERT((s & G_STATUS_MASK) == G_RUNNING && (s & G_DEFERRED) == 0,
		       "what is picked from a queue is runnable");
		if ((s & G_OWNED) == 0)
			return true;
		/* pairs with the operation in g_disown(), whichever comes first */
		if (atomic_compare_exchange_weak(&g->status, &s, G_RUNNABLE | G_OWNED | G_DEFERRED))
			return false;
	}
}

/*
 * Run queues. The local one is Go's: a ring of 256 that only its hart fills, and that any hart empties by moving the head with a
 * compare-and-swap.
 *
 *	head ......... tail           entries [head, tail) are valid; indices run freely, modulo 256 into the ring
 *	stealers,owner  owner
 *
 * 1. An entry is written before tail is released. Otherwise a stealer reads a slot that is not filled yet.
 * 2. An entry is read before head is moved over it. Otherwise the owner may already have refilled the slot.
 * 3. Whether a queue is empty is asked by runq_empty() and globq_empty(), sequentially consistent, behind what the asker has written: by a
 *    hart that has said that it is idle, before it sleeps (rule B of sched/sched.c), and by deadlock_check(). Otherwise work could be missed.
 */
#include "sched/impl.h"

#include "kernel/assert.h"

static struct spinlock sched_lock = SPINLOCK_INIT(RANK_SCHED); /* protects the global queue's links */
static struct g *global_head, *global_tail;
static _Atomic uint32_t global_n; /* written under sched_lock; rule 3 */

bool globq_empty(void)
{
	return atomic_load(&global_n) == 0;
}

uint32_t globq_count(void)
{
	return atomic_load_explicit(&global_n, memory_order_relaxed);
}

void globq_put_batch(struct g *first, struct g *last, uint32_t n)
{
	last->next = NULL;
	spin_lock(&sched_lock);
	if (global_tail != NULL)
		global_tail->next = first;
	else
		global_head = first;
	global_tail = last;
	/* Ordered by the unlock, and for those who look without the lock by the fence of rule A of sched/sched.c. */
	atomic_fetch_add_explicit(&global_n, n, memory_order_relaxed);
	spin_unlock(&sched_lock);
}

void globq_put(struct g *g)
{
	globq_put_batch(g, g, 1);
}

struct g *globq_get(struct runq *q, uint32_t n_harts)
{
	if (globq_empty())
		return NULL;
	spin_lock(&sched_lock);
	uint32_t n = atomic_load_explicit(&global_n, memory_order_relaxed), want = n / n_harts + 1;
	/* pairs with the compare-and-swap of head by stealers: they have read what is written over */
	uint32_t room = RUNQ_SIZE - (uint32_t)(atomic_load_explicit(&q->tail, memory_order_relaxed) -
					       atomic_load_explicit(&q->head, memory_order_acquire));
	if (want > n)
		want = n;
	if (want > RUNQ_SIZE / 2)
		want = RUNQ_SIZE / 2;
	if (want > room + 1)
		want = room + 1;
	struct g *first = global_head;
	uint64_t t = atomic_load_explicit(&q->tail, memory_order_relaxed);
	for (uint32_t i = 0; i < want; i++) {
		struct g *g = global_head;
		global_head = g->next;
		if (i > 0)
			atomic_store_explicit(&q->ring[t++ % RUNQ_SIZE], g, memory_order_relaxed);
	}
	if (global_head == NULL)
		global_tail = NULL;
	/* pairs with the acquire in runq_steal() */
	atomic_store_explicit(&q->tail, t, memory_order_release);
	atomic_fetch_sub_explicit(&global_n, want, memory_order_relaxed);
	spin_unlock(&sched_lock);
	return want > 0 ? first : NULL;
}

/* The ring is full: half of it and g go to the global queue. False when stealers made room meanwhile. */
static bool put_slow(struct runq *q, struct g *g, uint64_t h, uint64_t t)
{
	enum { HALF = RUNQ_SIZE / 2 };
	struct g *batch[HALF];
	ASSERT(t - h == RUNQ_SIZE, "a local queue spills when it is full");
	for (uint32_t i = 0; i < HALF; i++)
		batch[i] = atomic_load_explicit(&q->ring[(h + i) % RUNQ_SIZE], memory_order_relaxed);
	/* rule 2: pairs with the acquire of head by who refills the slots, which is this hart */
	if (!atomic_compare_exchange_strong(&q->head, &h, h + HALF))
		return false;
	for (uint32_t i = 0; i + 1 < HALF; i++)
		batch[i]->next = batch[i + 1];
	batch[HALF - 1]->next = g;
	globq_put_batch(batch[0], g, HALF + 1);
	return true;
}

void runq_put_tail(struct runq *q, struct g *g)
{
	while (!runq_reserve_tail(q, g)) {
		uint64_t t = atomic_load_explicit(&q->tail, memory_order_relaxed);
		if (put_slow(q, g, t - RUNQ_SIZE, t))
			return;
	}
	atomic_thread_fence(memory_order_release); /* pairs with the acquire of tail in runq_steal() */
	runq_commit_tail(q);
}

struct g *runq_get(struct runq *q, bool *inherit)
{
	struct g *g = NULL;
	*inherit = true;
	if (atomic_load_explicit(&q->next, memory_order_relaxed) != NULL)
		g = runq_take_next(q);
	if (g != NULL)
		return g;
	*inherit = false;
	while (atomic_load_explicit(&q->head, memory_order_relaxed) !=
	       atomic_load_explicit(&q->tail, memory_order_relaxed))
		if (runq_take_head(q, 0, &g))
			return g;
	return NULL;
}

void runq_next_last(struct runq *q)
{
	/* pairs with the release in runq_put_next() */
	struct g *g = atomic_exchange_explicit(&q->next, NULL, memory_order_acq_rel);
	if (g != NULL)
		runq_put_tail(q, g);
}

bool runq_empty(const struct runq *q)
{
	/* rule 3 */
	return atomic_load(&q->head) == atomic_load(&q->tail) && atomic_load(&q->next) == NULL;
}

struct g *runq_steal(struct runq *q, struct runq *victim, bool last)
{
	uint64_t t = atomic_load_explicit(&q->tail, memory_order_relaxed);
	ASSERT(t == atomic_load_explicit(&q->head, memory_order_relaxed), "who steals has an empty queue");
	for (;;) {
		/* pairs with the compare-and-swap of head by others: tail is read behind it */
		uint64_t h = atomic_load_explicit(&victim->head, memory_order_acquire);
		/* pairs with the release in runq_put_tail() */
		uint64_t n = atomic_load_explicit(&victim->tail, memory_order_acquire) - h;
		n -= n / 2;
		if (n == 0) /* the exchange pairs with the release in runq_put_next() */
			return last ? atomic_exchange_explicit(&victim->next, NULL, memory_order_acq_rel)
				    : NULL;
		if (n > RUNQ_SIZE / 2)
			continue; /* head and tail were read at different times */
		struct g *first = atomic_load_explicit(&victim->ring[h % RUNQ_SIZE], memory_order_relaxed);
		for (uint32_t i = 1; i < n; i++) {
			struct g *g = atomic_load_explicit(&victim->ring[(h + i) % RUNQ_SIZE],
							   memory_order_relaxed);
			atomic_store_explicit(&q->ring[(t + i - 1) % RUNQ_SIZE], g, memory_order_relaxed);
		}
		/* rule 2: pairs with the acquire of head in runq_reserve_tail() and globq_get() */
		if (!atomic_compare_exchange_strong(&victim->head, &h, h + n))
			continue;
		/* pairs with the acquire of tail above, by the next thief */
		atomic_store_explicit(&q->tail, t + n - 1, memory_order_release);
		return first;
	}
}

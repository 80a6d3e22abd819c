/* Run queues (see runq.c): a hart's own, and the global one. */
#ifndef SCHED_RUNQ_H
#define SCHED_RUNQ_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "kernel/store.h"
#include "sched/sched.h"

enum { RUNQ_SIZE = 256 };

/* Queue of runnable goroutines of one hart: its owner puts and takes at the ends, anybody steals from the head. */
struct runq {
	_Atomic uint64_t head; /* owner and stealers, by compare-and-swap */
	_Atomic uint64_t tail; /* owner */
	_Atomic(struct g *)
		next; /* runs before the ring, in the running goroutine's slice; owner and stealers */
	_Atomic(struct g *) ring[RUNQ_SIZE];
};

/* Writes g behind the tail without moving it; false when the ring is full. The owner, preemption off. */
static inline bool runq_reserve_tail(struct runq *q, struct g *g)
{
	/* pairs with the compare-and-swap of head by stealers */
	uint64_t h = atomic_load_explicit(&q->head, memory_order_acquire);
	uint64_t t = atomic_load_explicit(&q->tail, memory_order_relaxed);
	if (__builtin_expect(t - h >= RUNQ_SIZE, 0))
		return false;
	store_relaxed(&q->ring[t % RUNQ_SIZE], g);
	return true;
}

/* Moves the tail over what was written. The caller has put a release fence between. */
static inline void runq_commit_tail(struct runq *q)
{
	/* pairs with the acquire of tail in runq_steal() */
	store_fenced(&q->tail, atomic_load_explicit(&q->tail, memory_order_relaxed) + 1);
}

/* Puts g at the tail. Overflow goes to the global queue. The owner, preemption off. */
void runq_put_tail(struct runq *q, struct g *g);

/* Puts g into the next slot, whose goroutine goes to the tail. The owner, preemption off. */
static inline void runq_put_next(struct runq *q, struct g *g)
{
	/* pairs with the acquire of the one who takes it out */
	g = atomic_exchange_explicit(&q->next, g, memory_order_acq_rel);
	if (g != NULL)
		runq_put_tail(q, g);
}

/* Takes the next goroutine, which goes on in the running slice; NULL when there is none. The owner. */
static inline struct g *runq_take_next(struct runq *q)
{
	/* pairs with the release in runq_put_next() */
	return atomic_exchange_explicit(&q->next, NULL, memory_order_acquire);
}

/* Takes the head; false when the ring is empty, the head moves meanwhile, or it is one in `every` (0, or a power of 2), when it is
 * somebody else's turn. The owner. */
static inline bool runq_take_head(struct runq *q, uint64_t every, struct g **g)
{
	/* relaxed: what the owner reads it has put there, and nobody else refills the slot */
	uint64_t h = atomic_load_explicit(&q->head, memory_order_relaxed);
	if (h == atomic_load_explicit(&q->tail, memory_order_relaxed) ||
	    (every != 0 && __builtin_expect(h % every == 0, 0)))
		return false;
	*g = atomic_load_explicit(&q->ring[h % RUNQ_SIZE], memory_order_relaxed);
	return atomic_compare_exchange_weak_explicit(&q->head, &h, h + 1, memory_order_relaxed,
						     memory_order_relaxed);
}

/* Takes from the next slot (*inherit = true: g goes on in the running slice) or the head; NULL when empty. The owner. */
struct g *runq_get(struct runq *q, bool *inherit);
/* Sends the next goroutine to the tail: the slice it would go on in is over. The owner. */
void runq_next_last(struct runq *q);
/* Moves half of the victim's ring, or its next goroutine when `last`, to the thief's own queue and returns one of them; NULL when there is
 * nothing. The owner of q, whose ring must be empty. */
struct g *runq_steal(struct runq *q, struct runq *victim, bool last);
bool runq_empty(const struct runq *q);
/* Whether the head is one that runq_take_head() leaves to somebody else's turn. The owner. */
static inline bool runq_turn(const struct runq *q, uint64_t every)
{
	return atomic_load_explicit(&q->head, memory_order_relaxed) % every == 0;
}

void globq_put(struct g *g);
void globq_put_batch(struct g *first, struct g *last, uint32_t n);
/* One goroutine from the global queue, a batch of more goes to q. */
struct g *globq_get(struct runq *q, uint32_t harts);
bool globq_empty(void);
uint32_t globq_count(void); /* a figure for people */

#endif

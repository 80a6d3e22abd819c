/*
 * A queue of pointers for one producer and many consumers, as Go's poolDequeue and poolChain: the producer puts and takes at the head
 * (last in, first out), consumers take at the tail. No locks.
 */
#ifndef SCHED_POOL_CHAIN_H
#define SCHED_POOL_CHAIN_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A ring of fixed size. */
struct pool_ring {
	/* head << 32 | tail: [tail, head) modulo the size are filled. Producer: head up, down; consumers: tail up */
	_Atomic uint64_t ends;
	uint32_t size;          /* a power of two; immutable */
	_Atomic(void *) slot[]; /* NULL: the producer may fill it */
};

/* For a ring of `size` slots, a power of two up to 2^30. `first`: what both indexes start at. NULL when memory is out. */
struct pool_ring *pool_ring_make(uint32_t size, uint32_t first) __attribute__((warn_unused_result));
/* The producer. False when the ring is full. item is not NULL. */
bool pool_ring_push_head(struct pool_ring *r, void *item) __attribute__((warn_unused_result));
/* The producer. NULL when the ring is empty. */
void *pool_ring_pop_head(struct pool_ring *r);
/* Anybody. NULL when the ring is empty. */
void *pool_ring_pop_tail(struct pool_ring *r);
uint32_t pool_ring_count(const struct pool_ring *r); /* at some moment */

struct pool_link;

/* Rings, each twice as large as the one before it. A zeroed chain is empty and ready for use. */
struct pool_chain {
	struct pool_link *head;  /* owned by the producer: where it puts */
	struct pool_link *limbo; /* owned by the producer: drained, maybe still looked at */
	_Atomic(struct pool_link *)
		tail; /* where consumers take; producer sets the first, consumers move it */
	_Atomic(struct pool_link *) retire; /* drained links; consumers put, the producer takes all */
	_Atomic uint32_t consumers;         /* inside pool_chain_pop_tail() */
};

/* The producer. False when memory is out: the item stays the caller's. item is not NULL. */
bool pool_chain_push_head(struct pool_chain *c, void *item) __attribute__((warn_unused_result));
/* The producer. NULL when the chain is empty. */
void *pool_chain_pop_head(struct pool_chain *c);
/* Anybody. NULL when the chain is empty. */
void *pool_chain_pop_tail(struct pool_chain *c);
/* How many items are in it, at some moment. The producer. */
size_t pool_chain_count(const struct pool_chain *c);
/* Frees the memory of an empty chain that nobody uses any more. */
void pool_chain_free(struct pool_chain *c);

#endif

/*
 * The producer's end is the head, which only it moves up; both ends move under one compare-and-swap of a word, so that the last item goes to
 * one of producer and consumers.
 *
 *	tail                    head                  links:   tail -next-> ... -next-> head
 *	 v                       v                                  <-prev-     <-prev-
 *	[ a ][ b ][ c ][ d ][ e ][   ][   ][   ]
 *	 consumers take          the producer puts and takes
 *
 * 1. A consumer that has moved the tail past a slot owns it until it stores NULL there; the producer fills empty slots only. Otherwise it
 *    would overwrite an item that is being taken.
 * 2. A link leaves the chain when its ring is empty and it had a successor before it was found empty: it stays empty. Otherwise items put
 *    later would be lost.
 * 3. A link is freed by the producer only, when it has been taken out and then no consumer was inside. Otherwise a consumer that came by
 *    before would read freed memory. Consumers count themselves before they read the tail, which is moved before the link is retired: both
 *    sequentially consistent.
 */
#include "sched/pool_chain.h"

#include "kernel/assert.h"
#include "kernel/heap.h"

enum { FIRST_SIZE = 8, MOST_SIZE = 1 << 15 };

struct pool_link {
	_Atomic(struct pool_link *) next; /* the producer sets it once */
	_Atomic(struct pool_link *) prev; /* consumers clear it */
	struct pool_link *retired;        /* next in retire or limbo */
	struct pool_ring *ring;           /* immutable */
};

static uint32_t head_of(uint64_t ends)
{
	return (uint32_t)(ends >> 32);
}

static uint32_t tail_of(uint64_t ends)
{
	return (uint32_t)ends;
}

static uint64_t ends_of(uint32_t head, uint32_t tail)
{
	return (uint64_t)head << 32 | tail;
}

struct pool_ring *pool_ring_make(uint32_t size, uint32_t first)
{
	ASSERT(size != 0 && (size & (size - 1)) == 0 && size <= 1u << 30, "a ring's size is a power of two");
	struct pool_ring *r = heap_alloc_zero(sizeof *r + size * sizeof r->slot[0]);
	if (r != NULL) {
		r->size = size;
		atomic_init(&r->ends, ends_of(first, first));
	}
	return r;
}

bool pool_ring_push_head(struct pool_ring *r, void *item)
{
	uint64_t ends = atomic_load_explicit(&r->ends, memory_order_relaxed);
	uint32_t head = head_of(ends);
	if (head - tail_of(ends) == r->size)
		return false;
	_Atomic(void *) *slot = &r->slot[head & (r->size - 1)];
	/* rule 1; pairs with the store of NULL in pool_ring_pop_tail() */
	if (atomic_load_explicit(slot, memory_order_acquire) != NULL)
		return false;
	atomic_store_explicit(slot, item, memory_order_relaxed);
	/* publishes the slot: pairs with the compare-and-swap in pool_ring_pop_tail() */
	atomic_fetch_add(&r->ends, (uint64_t)1 << 32);
	return true;
}

void *pool_ring_pop_head(struct pool_ring *r)
{
	uint64_t ends = atomic_load_explicit(&r->ends, memory_order_relaxed);
	do {
		if (head_of(ends) == tail_of(ends))
			return NULL;
		/* pairs with the compare-and-swap in pool_ring_pop_tail(): one of the two gets the last item */
	} while (!atomic_compare_exchange_weak(&r->ends, &ends, ends - ((uint64_t)1 << 32)));
	_Atomic(void *) *slot = &r->slot[(head_of(ends) - 1) & (r->size - 1)];
	void *item = atomic_load_explicit(slot, memory_order_relaxed);
	atomic_store_explicit(slot, NULL, memory_order_relaxed);
	return item;
}

void *pool_ring_pop_tail(struct pool_ring *r)
{
	uint64_t ends = atomic_load_explicit(&r->ends, memory_order_relaxed);
	do {
		if (head_of(ends) == tail_of(ends))
			return NULL;
		/* pairs with the addition in pool_ring_push_head(): the slot is filled */
	} while (!atomic_compare_exchange_weak(&r->ends, &ends, ends_of(head_of(ends), tail_of(ends) + 1)));
	_Atomic(void *) *slot = &r->slot[tail_of(ends) & (r->size - 1)];
	void *item = atomic_load_explicit(slot, memory_order_relaxed);
	/* rule 1; pairs with the load in pool_ring_push_head() */
	atomic_store_explicit(slot, NULL, memory_order_release);
	return item;
}

uint32_t pool_ring_count(const struct pool_ring *r)
{
	uint64_t ends = atomic_load_explicit(&r->ends, memory_order_relaxed);
	return head_of(ends) - tail_of(ends);
}

static void link_free(struct pool_link *l)
{
	heap_free(l->ring);
	heap_free(l);
}

/* Frees what consumers have retired, if none of them can still look at it: rule 3. */
static void reclaim(struct pool_chain *c)
{
	if (atomic_load_explicit(&c->retire, memory_order_relaxed) != NULL) {
		/* pairs with the compare-and-swap in retire() */
		struct pool_link *l = atomic_exchange(&c->retire, NULL);
		while (l != NULL) {
			struct pool_link *next = l->retired;
			l->retired = c->limbo;
			c->limbo = l;
			l = next;
		}
	}
	/* pairs with the addition in pool_chain_pop_tail() */
	if (c->limbo == NULL || atomic_load(&c->consumers) != 0)
		return;
	while (c->limbo != NULL) {
		struct pool_link *l = c->limbo;
		c->limbo = l->retired;
		link_free(l);
	}
}

bool pool_chain_push_head(struct pool_chain *c, void *item)
{
	struct pool_link *l = c->head;
	if (l != NULL && pool_ring_push_head(l->ring, item))
		return true;
	reclaim(c);
	uint32_t size = l == NULL ? FIRST_SIZE : l->ring->size < MOST_SIZE ? l->ring->size * 2 : MOST_SIZE;
	struct pool_link *new = heap_alloc_zero(sizeof *new);
	if (new == NULL)
		return false;
	new->ring = pool_ring_make(size, 0);
	if (new->ring == NULL || !pool_ring_push_head(new->ring, item)) {
		heap_free(new);
		return false;
	}
	atomic_store_explicit(&new->prev, l, memory_order_relaxed);
	c->head = new;
	/* both pair with the loads in pool_chain_pop_tail() */
	if (l == NULL)
		atomic_store(&c->tail, new);
	else
		atomic_store(&l->next, new);
	return true;
}

void *pool_chain_pop_head(struct pool_chain *c)
{
	/* An earlier ring may still have items. Pairs with the store of NULL in pool_chain_pop_tail(). */
	for (struct pool_link *l = c->head; l != NULL;
	     l = atomic_load_explicit(&l->prev, memory_order_acquire)) {
		void *item = pool_ring_pop_head(l->ring);
		if (item != NULL)
			return item;
	}
	reclaim(c);
	return NULL;
}

static void retire(struct pool_chain *c, struct pool_link *l)
{
	l->retired = atomic_load_explicit(&c->retire, memory_order_relaxed);
	/* pairs with the exchange in reclaim() */
	while (!atomic_compare_exchange_weak(&c->retire, &l->retired, l))
		;
}

void *pool_chain_pop_tail(struct pool_chain *c)
{
	atomic_fetch_add(&c->consumers, 1); /* rule 3: pairs with the load in reclaim() */
	void *item = NULL;
	/* rule 3: counted before it reads the tail; pairs with the stores in pool_chain_push_head() */
	for (struct pool_link *l = atomic_load(&c->tail); l != NULL;) {
		struct pool_link *next = atomic_load(&l->next); /* before the look at the ring: rule 2 */
		item = pool_ring_pop_tail(l->ring);
		if (item != NULL || next == NULL)
			break;
		struct pool_link *drained = l;
		/* rule 3: moved before it is retired; one consumer retires it */
		if (atomic_compare_exchange_strong(&c->tail, &drained, next)) {
			/* pairs with the acquire in pool_chain_pop_head() and pool_chain_count() */
			atomic_store_explicit(&next->prev, NULL, memory_order_release);
			retire(c, l);
		}
		l = next;
	}
	atomic_fetch_sub(&c->consumers, 1); /* rule 3: pairs with the load in reclaim() */
	return item;
}

size_t pool_chain_count(const struct pool_chain *c)
{
	size_t n = 0;
	/* pairs with the release in pool_chain_pop_tail() */
	for (struct pool_link *l = c->head; l != NULL;
	     l = atomic_load_explicit(&l->prev, memory_order_acquire))
		n += pool_ring_count(l->ring);
	return n;
}

void pool_chain_free(struct pool_chain *c)
{
	reclaim(c);
	ASSERT(c->limbo == NULL, "a chain is freed when nobody uses it");
	for (struct pool_link *l = c->head; l != NULL;) {
		struct pool_link *prev = atomic_load_explicit(&l->prev, memory_order_relaxed);
		link_free(l);
		l = prev;
	}
	*c = (struct pool_chain){0};
}

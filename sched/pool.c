/*
 * Pool: for each hart a private slot and a chain that other hands take from (sched/pool_chain.h), and one chain of what is old.
 *
 *	get:   private slot -> own chain, head -> others' chains, tail -> old, tail -> make()
 *	put:   private slot -> own chain, head
 *	pass:  old is dropped; what the harts have goes to old
 *
 * The owner of a hart's chain is whoever runs on that hart with preemption off; the owner of the old chain is the pass.
 *
 * 1. Items that are set aside stay there for a whole pass and can be taken meanwhile. Otherwise a pass would empty pools that are in use.
 * 2. A pass takes an item like any consumer, and puts it into a chain whose only producer it is: passes take turns by all_mutex. Otherwise
 *    two producers would meet.
 */
#include "sched/pool.h"

#include <hartbeat/mutex.h>
#include <hartbeat/pool.h>

#include <stdatomic.h>

#include "kernel/heap.h"
#include "kernel/preempt.h"
#include "sched/pool_chain.h"
#include "sched/shrink.h"

struct pool_local {
	_Atomic(void *) own; /* the private slot: this hart, and the pass */
	struct pool_chain shared;
} __attribute__((aligned(128)));

struct pool_state {
	struct pool_chain old; /* producer: the pass */
	struct pool_local local[];
};

static struct mutex all_mutex;    /* protects all_pools, makes passes take turns */
static struct pool *all_pools;    /* those that have a state, linked by next */
static _Atomic uint32_t n_passes; /* relaxed; a figure */

static struct pool_state *state_of(struct pool *p)
{
	/* pairs with the release in state_make() */
	return atomic_load_explicit((_Atomic(struct pool_state *) *)&p->state, memory_order_acquire);
}

static struct pool_state *state_make(struct pool *p)
{
	mutex_lock(&all_mutex);
	struct pool_state *s = state_of(p);
	if (s == NULL) {
		size_t size = sizeof *s + hart_count * sizeof s->local[0];
		s = heap_aligned(_Alignof(struct pool_local), size);
		if (s != NULL) {
			__builtin_memset(s, 0, size);
			p->next = all_pools;
			all_pools = p;
			/* pairs with the acquire in state_of() */
			atomic_store_explicit((_Atomic(struct pool_state *) *)&p->state, s,
					      memory_order_release);
		}
	}
	mutex_unlock(&all_mutex);
	return s;
}

static void drop(struct pool *p, void *item)
{
	if (p->drop != NULL)
		p->drop(item);
}

/* From the private slot: one of the hart and the pass gets it. */
static void *take_own(struct pool_local *l)
{
	if (atomic_load_explicit(&l->own, memory_order_relaxed) == NULL)
		return NULL;
	return atomic_exchange(&l->own, NULL); /* pairs with the compare-and-swap in put_own() */
}

static bool put_own(struct pool_local *l, void *item)
{
	void *none = NULL;
	if (atomic_load_explicit(&l->own, memory_order_relaxed) != NULL)
		return false;
	return atomic_compare_exchange_strong(&l->own, &none,
					      item); /* pairs with the exchange in take_own() */
}

static void *take_elsewhere(struct pool_state *s, uint32_t self)
{
	for (uint32_t i = 1; i < hart_count; i++) {
		void *item = pool_chain_pop_tail(&s->local[(self + i) % hart_count].shared);
		if (item != NULL)
			return item;
	}
	return pool_chain_pop_tail(&s->old);
}

void *pool_get(struct pool *p)
{
	struct pool_state *s = state_of(p);
	void *item = NULL;
	if (s != NULL) {
		preempt_disable();
		uint32_t self = hart_index();
		item = take_own(&s->local[self]);
		if (item == NULL)
			item = pool_chain_pop_head(&s->local[self].shared);
		if (item == NULL)
			item = take_elsewhere(s, self);
		preempt_enable();
	}
	return item == NULL && p->make != NULL ? p->make() : item;
}

void pool_put(struct pool *p, void *item)
{
	if (item == NULL)
		return;
	struct pool_state *s = state_of(p);
	if (s == NULL)
		s = state_make(p);
	bool kept = false;
	if (s != NULL) {
		preempt_disable();
		struct pool_local *l = &s->local[hart_index()];
		kept = put_own(l, item) || pool_chain_push_head(&l->shared, item);
		preempt_enable();
	}
	if (kept)
		shrink_want();
	else
		drop(p, item);
}

static void set_aside(struct pool *p, void *item)
{
	shrink_want(); /* the pass that drops it */
	if (!pool_chain_push_head(&p->state->old, item))
		drop(p, item);
}

static void pass(struct pool *p)
{
	struct pool_state *s = p->state;
	void *item;
	while ((item = pool_chain_pop_tail(&s->old)) != NULL)
		drop(p, item);
	for (uint32_t i = 0; i < hart_count; i++) {
		struct pool_local *l = &s->local[i];
		if ((item = take_own(l)) != NULL)
			set_aside(p, item);
		/* Not for ever: the hart may put as fast as this takes. */
		for (uint32_t n = 0; n < 1u << 20 && (item = pool_chain_pop_tail(&l->shared)) != NULL; n++)
			set_aside(p, item);
	}
}

void pools_pass(bool hurry)
{
	mutex_lock(&all_mutex);
	for (struct pool *p = all_pools; p != NULL; p = p->next) {
		pass(p);
		if (hurry)
			pass(p);
	}
	atomic_fetch_add_explicit(&n_passes, 1, memory_order_relaxed);
	mutex_unlock(&all_mutex);
}

uint32_t pools_passes(void)
{
	return atomic_load_explicit(&n_passes, memory_order_relaxed);
}

void pool_destroy(struct pool *p)
{
	mutex_lock(&all_mutex);
	struct pool_state *s = p->state;
	if (s != NULL) {
		pass(p);
		pass(p);
		struct pool **at = &all_pools;
		while (*at != p)
			at = &(*at)->next;
		*at = p->next;
		for (uint32_t i = 0; i < hart_count; i++)
			pool_chain_free(&s->local[i].shared);
		pool_chain_free(&s->old);
		heap_free(s);
		p->state = NULL;
		p->next = NULL;
	}
	mutex_unlock(&all_mutex);
}

/* Pools. Names in brackets are those of Go's tests. */
#include "suite.h"

#include <stdatomic.h>
#include <stdlib.h>

#include <hartbeat/go.h>
#include <hartbeat/pool.h>
#include <hartbeat/time.h>

#include "kernel/preempt.h"
#include "sched/pool.h"
#include "sched/pool_chain.h"

static _Atomic uint32_t made, dropped;

static void *make(void)
{
	atomic_fetch_add(&made, 1);
	return malloc(16);
}

static void drop(void *item)
{
	atomic_fetch_add(&dropped, 1);
	free(item);
}

static int a, b, c;

/* On one hart, so that what is put is found in its order. */
GUEST_TEST(sync, pool,
	   "the last item put comes out first of the private slot, the others from the chain; old ones last "
	   "a pass (TestPool)")
{
	struct pool p = {0};
	CHECK(pool_get(&p) == NULL);
	preempt_disable();
	pool_put(&p, &a);
	preempt_enable();
	preempt_disable();
	while (pool_get(&p) != NULL)
		;
	pool_put(&p, &a);
	preempt_enable();
	pool_destroy(&p);

	pool_put(&p, NULL);
	CHECK(pool_get(&p) == NULL);
	do /* makes the state, which may wait; again when two passes of the shrinker took the item */
		pool_put(&p, &a);
	while (pool_get(&p) == NULL);
	uint32_t before;
	do { /* again when a pass of the shrinker's own came between, or was under way */
		void *got[4];
		while (pool_get(&p) != NULL)
			;
		before = pools_passes();
		preempt_disable();
		pool_put(&p, &a);
		pool_put(&p, &b);
		pool_put(&p, &c);
		for (int i = 0; i < 4; i++)
			got[i] = pool_get(&p);
		preempt_enable();
		pools_pass(false);
		if (pools_passes() - before == 1)
			CHECK(got[0] == &a && got[1] == &c && got[2] == &b && got[3] == NULL);
	} while (pools_passes() - before != 1);

	do { /* again when a pass of the shrinker's own came between */
		before = pools_passes();
		for (int i = 0; i < 100; i++)
			pool_put(&p, &c);
		pools_pass(false);
		void *after_one = pool_get(&p);
		pools_pass(false);
		void *after_two = pool_get(&p);
		if (pools_passes() - before == 2) {
			CHECK(after_one == &c);
			CHECK(after_two == NULL);
		}
	} while (pools_passes() - before != 2);
	pool_destroy(&p);
}

GUEST_TEST(sync, pool_new, "an empty pool makes items, a filled one gives what is there (TestPoolNew)")
{
	struct pool p = POOL(make, drop);
	atomic_store(&made, 0);
	atomic_store(&dropped, 0);
	void *first = pool_get(&p), *second = pool_get(&p);
	CHECK_EQ(atomic_load(&made), 2);
	pool_put(&p, first);
	CHECK(pool_get(&p) == first);
	CHECK_EQ(atomic_load(&made), 2);
	pool_put(&p, first);
	pool_put(&p, second);
	pool_destroy(&p);
	CHECK_EQ(atomic_load(&dropped), 2);
}

enum { ITEMS = 100 };

static void fill(struct pool *p)
{
	void *item[ITEMS];
	for (int i = 0; i < ITEMS; i++)
		item[i] = pool_get(p);
	for (int i = 0; i < ITEMS; i++)
		pool_put(p, item[i]);
}

GUEST_TEST(sync, pool_gc,
	   "what nobody takes is dropped in two passes, all of it and once (TestPoolGC, TestPoolRelease)")
{
	struct pool p = POOL(make, drop);
	pool_put(&p, make()); /* a state, and one item more or less does not matter */
	for (uint32_t i = 0; i < guest_count(5, 100); i++) {
		pools_pass(true);
		atomic_store(&dropped, 0);
		atomic_store(&made, 0);
		uint32_t before = pools_passes();
		fill(&p);
		pools_pass(false);
		uint32_t after_one = atomic_load(&dropped);
		pools_pass(false);
		uint32_t after_two = atomic_load(&dropped);
		fill(&p);
		pools_pass(true);
		if (pools_passes() - before != 3)
			continue; /* a pass of the shrinker's own came between */
		CHECK_EQ(atomic_load(&made), 2 * ITEMS);
		CHECK_EQ(after_one, 0);
		CHECK_EQ(after_two, ITEMS);
		CHECK_EQ(atomic_load(&dropped), 2 * ITEMS);
	}
	pool_destroy(&p);
}

static struct {
	struct pool p;
	struct pool_ring *ring;
	struct pool_chain chain;
	uint32_t rounds;
	_Atomic uint32_t stop, taken, out;
	_Atomic uint8_t *seen; /* times an item came out */
} po;

/* An item has one user at a time: its first word says whether. */
static void stress(void *arg)
{
	uint64_t seed = (uintptr_t)arg;
	for (uint32_t i = 0; i < po.rounds; i++) {
		_Atomic uint64_t *item = pool_get(&po.p);
		CHECK_EQ(atomic_exchange(item, 1), 0);
		if (guest_random(&seed) % 16 == 0)
			go_yield();
		CHECK_EQ(atomic_exchange(item, 0), 1);
		pool_put(&po.p, item);
		if (guest_random(&seed) % 64 == 0) {
			_Atomic uint64_t *more[8];
			for (int k = 0; k < 8; k++)
				more[k] = pool_get(&po.p);
			for (int k = 0; k < 8; k++) {
				CHECK_EQ(atomic_load(more[k]), 0);
				pool_put(&po.p, more[k]);
			}
		}
	}
	atomic_fetch_sub(&po.out, 1);
}

static void *make_zero(void)
{
	atomic_fetch_add(&made, 1);
	return calloc(1, 16);
}

GUEST_TEST(sync, pool_stress,
	   "an item is with one user at a time, passes included, and none is lost (TestPoolStress)")
{
	struct guest_group all = {0};
	po.p = (struct pool)POOL(make_zero, drop);
	po.rounds = guest_count(2000, 100000);
	atomic_store(&made, 0);
	atomic_store(&dropped, 0);
	atomic_store(&po.out, 10);
	for (uintptr_t i = 0; i < 10; i++)
		guest_go(&all, stress, (void *)i);
	while (atomic_load(&po.out) > 0) {
		pools_pass(false);
		go_yield();
	}
	guest_wait(&all);
	pool_destroy(&po.p);
	CHECK_EQ(atomic_load(&dropped), atomic_load(&made));
}

/* One producer, which also takes, and consumers; each item comes out once. item = number + 1 */
static void *(*pop_tail)(void);

static void *ring_tail(void)
{
	return pool_ring_pop_tail(po.ring);
}

static void *chain_tail(void)
{
	return pool_chain_pop_tail(&po.chain);
}

static void got(void *item)
{
	CHECK_EQ(atomic_fetch_add(&po.seen[(uintptr_t)item - 1], 1), 0);
	atomic_fetch_add(&po.taken, 1);
}

static void consume(void *arg)
{
	uint64_t seed = (uintptr_t)arg;
	while (atomic_load(&po.taken) < po.rounds) {
		void *item = pop_tail();
		if (item != NULL)
			got(item);
		else if (guest_random(&seed) % 4 == 0)
			go_yield();
	}
}

static void deque(bool chain)
{
	struct guest_group all = {0};
	uint32_t heads = 0;
	po.rounds = guest_count(20000, 1000000);
	po.seen = calloc(po.rounds, 1);
	atomic_store(&po.taken, 0);
	pop_tail = chain ? chain_tail : ring_tail;
	for (uintptr_t i = 0; i < 5; i++)
		guest_go(&all, consume, (void *)i);
	for (uintptr_t i = 0; i < po.rounds; i++) {
		void *item = (void *)(i + 1);
		if (chain)
			CHECK(pool_chain_push_head(&po.chain, item));
		else
			while (!pool_ring_push_head(po.ring, item))
				go_yield();
		if (i % 10 == 0) {
			item = chain ? pool_chain_pop_head(&po.chain) : pool_ring_pop_head(po.ring);
			if (item != NULL) {
				heads++;
				got(item);
			}
		}
		if (i % 64 == 0)
			go_yield();
	}
	guest_wait(&all);
	CHECK_EQ(atomic_load(&po.taken), po.rounds);
	CHECK(heads > 0);
	free(po.seen);
}

GUEST_TEST(
	sync, pool_dequeue,
	"one producer, many consumers, a ring of 16 that wraps: each item comes out once (TestPoolDequeue)")
{
	po.ring = pool_ring_make(16, UINT32_MAX - 100);
	CHECK(po.ring != NULL);
	deque(false);
	CHECK_EQ(pool_ring_count(po.ring), 0);
	CHECK(pool_ring_pop_tail(po.ring) == NULL && pool_ring_pop_head(po.ring) == NULL);
	free(po.ring);
}

GUEST_TEST(sync, pool_chain,
	   "the same with rings that are added and freed as it grows and drains (TestPoolChain)")
{
	po.chain = (struct pool_chain){0};
	deque(true);
	CHECK_EQ(pool_chain_count(&po.chain), 0);
	pool_chain_free(&po.chain);
}

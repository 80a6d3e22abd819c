/* sched/pool_chain: what the producer puts comes out once, at whichever end; drained rings are freed. Meant for ASan, and for TSan. */
#include "sched/pool_chain.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/heap.h"
#include "tests/host/check.h"

enum { ITEMS = 60000, CONSUMERS = 3 };

static _Atomic uint32_t live; /* objects of the heap */
static bool no_memory;

void *heap_alloc_zero(size_t size)
{
	if (no_memory)
		return NULL;
	atomic_fetch_add(&live, 1);
	return calloc(1, size);
}

void heap_free(void *p)
{
	atomic_fetch_sub(&live, p != NULL);
	free(p);
}

static uint32_t plain[ITEMS + 1]; /* written before an item is put, read by who takes it: TSan looks */
static _Atomic uint8_t seen[ITEMS + 1];
static _Atomic uint32_t taken;
static struct pool_chain chain;

static void got(void *item)
{
	uintptr_t i = (uintptr_t)item;
	CHECK_EQ(plain[i], i);
	CHECK_EQ(atomic_fetch_add_explicit(&seen[i], 1, memory_order_relaxed), 0);
	atomic_fetch_add_explicit(&taken, 1, memory_order_relaxed);
}

static void *consumer(void *arg)
{
	while (atomic_load_explicit(&taken, memory_order_relaxed) < ITEMS) {
		void *item = pool_chain_pop_tail(&chain);
		if (item != NULL)
			got(item);
		else
			sched_yield();
	}
	return arg;
}

TEST(last_in_first_out_at_the_head_and_first_at_the_tail)
{
	for (uintptr_t i = 1; i <= 100; i++)
		CHECK(pool_chain_push_head(&chain, (void *)i));
	CHECK_EQ(pool_chain_count(&chain), 100);
	CHECK_EQ((uintptr_t)pool_chain_pop_head(&chain), 100);
	CHECK_EQ((uintptr_t)pool_chain_pop_tail(&chain), 1);
	for (uintptr_t i = 99; i >= 2; i--)
		CHECK_EQ((uintptr_t)pool_chain_pop_head(&chain), i);
	CHECK(pool_chain_pop_head(&chain) == NULL);
	CHECK(pool_chain_pop_tail(&chain) == NULL);
	pool_chain_free(&chain);
	CHECK_EQ(atomic_load(&live), 0);
}

TEST(out_of_memory_leaves_the_item_with_the_caller)
{
	for (uintptr_t i = 1; i <= 8; i++)
		CHECK(pool_chain_push_head(&chain, (void *)i));
	no_memory = true;
	CHECK(!pool_chain_push_head(&chain, (void *)9ul));
	no_memory = false;
	CHECK(pool_chain_push_head(&chain, (void *)9ul));
	for (uintptr_t i = 1; i <= 9; i++)
		CHECK_EQ((uintptr_t)pool_chain_pop_tail(&chain), i);
	pool_chain_free(&chain);
	CHECK_EQ(atomic_load(&live), 0);
}

TEST(each_item_comes_out_once)
{
	pthread_t t[CONSUMERS];
	memset(plain, 0, sizeof plain);
	memset(&chain, 0, sizeof chain);
	for (int i = 0; i < CONSUMERS; i++)
		pthread_create(&t[i], NULL, consumer, NULL);
	for (uintptr_t i = 1; i <= ITEMS; i++) {
		plain[i] = (uint32_t)i;
		CHECK(pool_chain_push_head(&chain, (void *)i));
		if (i / 500 % 2 == 0) {
			/* Consumers keep up: nothing but the put orders what they read. Rings drain while they look. */
			if (i % 16 == 0)
				while (atomic_load_explicit(&taken, memory_order_relaxed) < i)
					sched_yield();
		} else if (i % 10 == 0) {
			void *item = pool_chain_pop_head(&chain);
			if (item != NULL)
				got(item);
		}
		if (i % 5000 == 0)
			sched_yield();
	}
	for (int i = 0; i < CONSUMERS; i++)
		pthread_join(t[i], NULL);
	CHECK_EQ(atomic_load(&taken), ITEMS);
	CHECK(pool_chain_pop_head(&chain) == NULL);
	pool_chain_free(&chain);
	CHECK_EQ(atomic_load(&live), 0);
}

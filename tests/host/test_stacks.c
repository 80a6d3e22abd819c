/*
 * prof/stacks.c with threads for goroutines: a record is complete when it is found without the lock, each stack has one, and nothing that is
 * counted is lost, not even without memory.
 */
#include "prof/stacks.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/g.h"
#include "kernel/hart.h"
#include "kernel/page.h"
#include "kernel/random.h"
#include "kernel/unwind.h"
#include "tests/host/check.h"

enum { THREADS = 4, EACH = 20000, STACKS = 3000, SPANS = 64 };

/* ---- what they stand on ---- */

static struct hart hart;
_Thread_local struct g *g_tls;
static void *spans[SPANS]; /* taken one after the other: under the table's lock */
static uint32_t n_spans, most_spans;

struct hart *arch_hart(void)
{
	return &hart;
}

bool page_short(void)
{
	return false;
}

void *page_alloc_span(size_t pages, unsigned align_order)
{
	(void)align_order;
	if (n_spans == most_spans)
		return NULL;
	spans[n_spans] = malloc(pages << PAGE_SHIFT);
	return spans[n_spans++];
}

uint32_t unwind_fp_callers(uintptr_t *fp, const struct unwind_bounds *b, uintptr_t *pcs, uint32_t max)
{
	(void)fp;
	(void)b;
	(void)pcs;
	(void)max;
	return 0;
}

/* ---- the test ---- */

static struct stack_table table;
static _Atomic bool done;

static uint32_t depth_of(uint64_t key)
{
	return 1 + (uint32_t)(key % 20);
}

static uintptr_t pc_of(uint64_t key, uint32_t i)
{
	return (uintptr_t)(key * 1000 + i);
}

static bool whole(const struct stack_record *r)
{
	bool ok = r->key < STACKS && r->key2 == r->key + 1 && r->depth == depth_of(r->key);
	for (uint32_t i = 0; ok && i < r->depth; i++)
		ok = r->pcs[i] == pc_of(r->key, i);
	return ok;
}

static void *count(void *seed)
{
	uint64_t rng = (uintptr_t)seed;
	for (uint32_t n = 0; n < EACH; n++) {
		uint64_t key = (random_step(&rng) >> 32) % STACKS;
		uintptr_t pcs[20];
		for (uint32_t i = 0; i < depth_of(key); i++)
			pcs[i] = pc_of(key, i);
		struct stack_record *r = stack_find(&table, key, key + 1, pcs, depth_of(key));
		CHECK(r == &table.lost || (r->key == key && whole(r)));
		stack_count(r, 0, 1);
		stack_count(r, 1, key);
	}
	return NULL;
}

static void *read_all(void *arg)
{
	(void)arg;
	while (!atomic_load_explicit(&done, memory_order_relaxed))
		for (const struct stack_record *r = NULL; (r = stack_next(&table, r)) != NULL;)
			CHECK(whole(r));
	return NULL;
}

/* With memory for so many spans: who counts and a reader; then every sum. */
static void run(uint32_t most)
{
	static uint32_t seen[STACKS];
	pthread_t t[THREADS], reader;
	memset(&table, 0, sizeof table);
	pthread_mutex_init(&table.lock.mutex, NULL);
	table.limit = SIZE_MAX;
	n_spans = 0;
	most_spans = most;
	atomic_store_explicit(&done, false, memory_order_relaxed);
	pthread_create(&reader, NULL, read_all, NULL);
	for (uintptr_t i = 0; i < THREADS; i++)
		pthread_create(&t[i], NULL, count, (void *)(i + 1));
	for (uint32_t i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
	atomic_store_explicit(&done, true, memory_order_relaxed);
	pthread_join(reader, NULL);

	uint64_t n = stack_value(&table.lost, 0);
	uint32_t records = 0;
	memset(seen, 0, sizeof seen);
	for (const struct stack_record *r = NULL; (r = stack_next(&table, r)) != NULL; records++) {
		CHECK(whole(r));
		CHECK_EQ(seen[r->key]++, 0);
		CHECK_EQ(stack_value(r, 1), r->key * stack_value(r, 0));
		n += stack_value(r, 0);
	}
	CHECK_EQ(n, THREADS * EACH);
	CHECK_EQ(table.refused > 0, records < STACKS);
	CHECK_EQ(table.refused > 0, most < SPANS);
	for (uint32_t i = 0; i < n_spans; i++)
		free(spans[i]);
}

TEST(each_stack_has_one_record_and_no_count_is_lost)
{
	run(SPANS);
}

TEST(what_finds_no_memory_is_counted_as_lost)
{
	run(4);
}

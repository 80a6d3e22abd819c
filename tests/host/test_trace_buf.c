/*
 * trace/buf.c and map.c with threads for harts: an event that was written is in the generation's list once, in the order of its hart; equal
 * bytes have one id, found without the lock when they are whole; without memory a generation says so, and no block is lost.
 */
#include "trace/impl.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/heap.h"
#include "kernel/page.h"
#include "kernel/random.h"
#include "tests/host/check.h"

enum { HARTS = 4, EVENTS = 40000, WORDS = 2000, LOOKS = 30000 };

/* ---- what they stand on ---- */

static struct hart hart[HARTS];
static _Thread_local uint32_t here;
_Thread_local struct g *g_tls;
struct trace_gen *trace_gen;
static struct trace_gen gen;
static size_t blocks; /* under trace_lock, or with one thread */

struct hart *arch_hart(void)
{
	return &hart[here];
}

uint64_t arch_ticks(void)
{
	return 1;
}

bool page_short(void)
{
	return false;
}

void *page_alloc_span(size_t pages, unsigned align_order)
{
	(void)align_order;
	blocks++;
	return malloc(pages << PAGE_SHIFT);
}

void page_free_span(void *p, size_t pages)
{
	(void)pages;
	blocks--;
	free(p);
}

void *heap_alloc_zero(size_t size)
{
	return calloc(1, size);
}

void heap_free(void *p)
{
	free(p);
}

/* ---- buffers ---- */

struct event {
	uint32_t hart, n;
};

static struct trace_hart traces[HARTS];

static void *emit(void *arg)
{
	here = (uint32_t)(uintptr_t)arg;
	struct trace_hart *t = &traces[here];
	for (uint32_t n = 0; n < EVENTS; n++) {
		if (t->at >= t->end)
			trace_buf_swap(t);
		struct event e = {here, n};
		memcpy(t->at, &e, sizeof e);
		t->at += sizeof e;
	}
	return NULL;
}

static void on_harts(void *(*fn)(void *))
{
	pthread_t t[HARTS];
	for (uintptr_t i = 0; i < HARTS; i++)
		pthread_create(&t[i], NULL, fn, (void *)i);
	for (uint32_t i = 0; i < HARTS; i++)
		pthread_join(t[i], NULL);
}

static void run(uint64_t memory)
{
	trace_memory_max = memory;
	memset(&gen, 0, sizeof gen);
	trace_gen = &gen;
	for (uint32_t i = 0; i < HARTS; i++) {
		hart[i].index = i;
		trace_buf_begin(&traces[i], i);
	}
	on_harts(emit);
	for (uint32_t i = 0; i < HARTS; i++)
		trace_buf_end(&traces[i], &gen);
}

/* Each event that is there, once, in order: how many. Frees the list. */
static uint32_t events_take(bool dropped)
{
	uint32_t next[HARTS] = {0}, all = 0;
	uint64_t bytes = 0;
	struct trace_buf *after;
	for (struct trace_buf *b = gen.first; b != NULL; b = after) {
		after = b->next;
		bytes += TRACE_BUF_SIZE;
		CHECK(b->used <= sizeof b->data && b->m >= 1 && b->m <= HARTS);
		for (uint32_t at = 0; at + sizeof(struct event) <= b->used; at += sizeof(struct event)) {
			struct event e;
			memcpy(&e, b->data + at, sizeof e);
			CHECK_EQ(e.hart + 1, b->m);
			CHECK(dropped ? e.n >= next[e.hart] : e.n == next[e.hart]);
			next[e.hart] = e.n + 1;
			all++;
		}
		trace_block_give(b);
	}
	CHECK_EQ(bytes, gen.bytes);
	CHECK_EQ(trace_memory(), 0);
	trace_blocks_free();
	CHECK_EQ(blocks, 0);
	return all;
}

TEST(every_event_is_in_the_list_once)
{
	run(UINT64_C(64) << 20);
	CHECK(!atomic_load(&gen.dropped));
	CHECK_EQ(events_take(false), HARTS * EVENTS);
}

TEST(without_memory_a_generation_says_so)
{
	run(UINT64_C(6) * TRACE_BUF_SIZE);
	CHECK(atomic_load(&gen.dropped));
	uint32_t n = events_take(true);
	CHECK(n > 0 && n < HARTS * EVENTS);
}

/* ---- tables ---- */

static uint32_t ids[HARTS][WORDS];

static void *put(void *arg)
{
	here = (uint32_t)(uintptr_t)arg;
	uint64_t rng = here + 1;
	for (uint32_t n = 0; n < LOOKS; n++) {
		uint64_t key = (random_step(&rng) >> 32) % WORDS, data[3] = {key, ~key, key * key};
		uint64_t hash = trace_hash_step(0, key);
		const struct trace_entry *e = trace_map_find(&gen.stacks, data, sizeof data, hash);
		if (e == NULL) {
			spin_lock(&trace_lock);
			e = trace_map_put_locked(&gen.stacks, data, sizeof data, hash);
			spin_unlock(&trace_lock);
		}
		CHECK(memcmp(e->data, data, sizeof data) == 0);
		CHECK(ids[here][key] == 0 || ids[here][key] == e->id);
		ids[here][key] = e->id;
	}
	return NULL;
}

TEST(equal_bytes_have_one_id)
{
	static bool used[WORDS + 1];
	memset(&gen, 0, sizeof gen);
	memset(ids, 0, sizeof ids);
	memset(used, 0, sizeof used);
	trace_gen = &gen;
	trace_memory_max = UINT64_C(64) << 20;
	CHECK(trace_map_init(&gen.stacks, 64)); /* long chains */
	on_harts(put);
	uint32_t n = 0;
	for (uint32_t key = 0; key < WORDS; key++) {
		uint32_t id = 0;
		for (uint32_t i = 0; i < HARTS; i++) {
			CHECK(id == 0 || ids[i][key] == 0 || ids[i][key] == id);
			id = ids[i][key] != 0 ? ids[i][key] : id;
		}
		CHECK(id <= WORDS && !used[id]);
		used[id] = id != 0;
		n += id != 0;
	}
	CHECK_EQ(n, gen.stacks.n);
	trace_map_free(&gen.stacks);
	CHECK_EQ(trace_memory(), 0);
	trace_blocks_free();
	CHECK_EQ(blocks, 0);
}

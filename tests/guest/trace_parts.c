/* Parts of the tracer one by one: its tables, and samples of the CPU profile in it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hartbeat/chan.h>
#include <hartbeat/go.h>
#include <hartbeat/labels.h>
#include <hartbeat/prof.h>
#include <hartbeat/select.h>
#include <hartbeat/time.h>
#include <hartbeat/trace.h>

#include "kernel/preempt.h"
#include "prof/impl.h"
#include "prof/prof.h"
#include "profiles.h"
#include "suite.h"
#include "trace/impl.h"
#include "traces.h"

/* ---- tables ---- */

static struct trace_map map;
static uint32_t ids[3][1000];

static uint32_t map_put(uint64_t i)
{
	uint64_t words[3] = {i, i * 7, ~i}, hash = 0;
	for (int k = 0; k < 3; k++)
		hash = trace_hash_step(hash, words[k]);
	const struct trace_entry *e = trace_map_find(&map, words, sizeof words, hash);
	return (e != NULL ? e : trace_map_put(&map, words, sizeof words, hash))->id;
}

static void put_all(void *arg)
{
	for (uint64_t i = 0; i < 1000; i++) {
		preempt_disable();
		ids[(uintptr_t)arg][i] = map_put(i);
		preempt_enable();
	}
}

GUEST_TEST(trace_program, map,
	   "what is put into a table has one id, from 1 on (TestTraceMap, TestTraceMapConcurrent)")
{
	struct guest_group all = {0};
	CHECK(trace_map_init(&map, 64));
	preempt_disable();
	for (uint64_t i = 0; i < 10; i++)
		CHECK_EQ(map_put(i), i + 1);
	for (uint64_t i = 0; i < 10; i++)
		CHECK_EQ(map_put(i), i + 1);
	preempt_enable();
	for (uintptr_t i = 0; i < 3; i++)
		guest_go(&all, put_all, (void *)i);
	guest_wait(&all);
	for (int i = 0; i < 1000; i++)
		CHECK(ids[0][i] == ids[1][i] && ids[1][i] == ids[2][i] && ids[0][i] >= 1 &&
		      ids[0][i] <= 1000);
	CHECK_EQ(map.n, 1000);
	trace_map_free(&map);
}

/* ---- samples ---- */

/* Its samples say in the profile, too, which goroutine it is. */
__attribute__((noinline, noclone)) static void sampled(void *arg)
{
	char id[24];
	(void)arg;
	snprintf(id, sizeof id, "%llu", (unsigned long long)go_id());
	LABELS_SCOPE({"goroutine", id});
	guest_spin(guest_count(100, 1000) * TIME_MILLISECOND);
	__asm__ volatile("");
}

GUEST_TEST(trace_program, cpu_profile,
	   "the samples of a CPU profile are in the trace, each at its time (TestTraceCPUProfile)")
{
	struct guest_group all = {0};
	struct taken t = {0};
	uint64_t period = traced_period(20 * TIME_MILLISECOND);
	guest_profile_off();
	CHECK(prof_start(1000) == 0);
	CHECK(trace_start_func(taken_write, &t) == 0);
	for (int i = 0; i < 3; i++)
		guest_go(&all, sampled, NULL);
	guest_wait(&all);
	CHECK(trace_stop() == 0);
	CHECK(prof_stop("traced-cpu.pb.gz") == 0);
	struct trace_facts f = taken_facts(&t);
	CHECK(f.events[TRACE_CPU_SAMPLE] >= 3); /* a busy host merges ticks */
	CHECK(taken_has(&t, "sampled"));
	trace_period_ns = period;
	taken_free(&t);
	traced_begin("cpu-profile.out");
	CHECK(prof_start(1000) == 0);
	for (int i = 0; i < 3; i++)
		guest_go(&all, sampled, NULL);
	guest_wait(&all);
	CHECK(prof_stop("cpu-profile.pb.gz") == 0);
	traced_end();
}

static const char *no_text(uintptr_t pc)
{
	(void)pc;
	return NULL;
}

/* As from a ring that is read at last: samples of every time since the trace began. */
static void samples_feed(void *fed)
{
	const uintptr_t pc = (uintptr_t)samples_feed;
	uint64_t since = trace_gen->since, now = arch_ticks();
	for (uint64_t i = 0; i < 10; i++) {
		trace_cpu_sample(&(struct trace_cpu){
			.at = since + (now - since) * i / 10, .depth = 1, .pcs = &pc, .text = no_text});
		(*(uint64_t *)fed)++;
	}
}

GUEST_TEST(trace_program, late_samples,
	   "a sample that comes when its generation is finished is in the next one")
{
	struct taken t = {0};
	uint64_t period = traced_period(5 * TIME_MILLISECOND), fed = 0;
	guest_profile_off();
	CHECK(trace_start_func(taken_write, &t) == 0);
	(void)trace_advanced();
	for (int i = 0, advances = 0; i < 20 || advances < 2; i++) {
		time_sleep(2 * TIME_MILLISECOND);
		drain_turn(samples_feed, &fed);
		advances += trace_advanced();
	}
	CHECK(trace_stop() == 0);
	struct trace_facts f = taken_facts(&t);
	CHECK(f.gens >= 3);
	CHECK_EQ(f.events[TRACE_CPU_SAMPLE], fed);
	trace_period_ns = period;
	taken_free(&t);
}

/* ---- the heap ---- */

GUEST_TEST(trace_program, heap, "the trace says how much of the heap is in use, and how much there is")
{
	enum { OBJECTS = 2000, SIZE = 4000 };
	struct taken t = {0};
	void **held = malloc(OBJECTS * sizeof *held);
	CHECK(held != NULL);
	CHECK(trace_start_func(taken_write, &t) == 0);
	for (int i = 0; i < OBJECTS; i++)
		CHECK((held[i] = malloc(SIZE)) != NULL);
	void *large = malloc(1 << 20);
	CHECK(large != NULL);
	free(large);
	for (int i = 0; i < OBJECTS; i++)
		free(held[i]);
	CHECK(trace_stop() == 0);
	struct trace_facts f = taken_facts(&t);
	CHECK(f.events[TRACE_HEAP_ALLOC] >= OBJECTS * SIZE / (64 << 10));
	CHECK(f.events[TRACE_HEAP_GOAL] >= f.gens);
	CHECK(f.heap_most >= f.heap_first + OBJECTS * SIZE + (1 << 20) - (128 << 10));
	CHECK(f.heap_last <= f.heap_most - OBJECTS * SIZE / 2);
	CHECK(f.goal_least >= f.heap_most);
	free(held);
	taken_free(&t);
}

/* A tree of small objects, each checked when it is given back. */
struct node {
	struct node *left, *right;
	uint64_t depth;
};

static struct node *tree_make(uint64_t depth)
{
	struct node *n = malloc(sizeof *n);
	if (n != NULL)
		*n = (struct node){depth > 0 ? tree_make(depth - 1) : NULL,
				   depth > 0 ? tree_make(depth - 1) : NULL, depth};
	return n;
}

static uint64_t tree_free(struct node *n)
{
	if (n == NULL)
		return 0;
	uint64_t count = 1 + tree_free(n->left) + tree_free(n->right);
	free(n);
	return count;
}

/* Touches some pages of its stack, then waits, so that the shrinker comes by. */
static void wide(int rounds)
{
	volatile char page[20000];
	for (size_t i = 0; i < sizeof page; i += 1000)
		page[i] = (char)rounds;
	time_sleep(TIME_MILLISECOND);
	CHECK_EQ(page[0], (char)rounds);
	if (rounds > 0)
		wide(rounds - 1);
}

static void memory_user(void *arg)
{
	(void)arg;
	for (uint32_t i = 0; i < guest_count(3, 30); i++) {
		struct node *t = tree_make(9);
		void *large = malloc(300000);
		wide(2);
		free(large);
		CHECK_EQ(tree_free(t), 1023);
		go_yield();
	}
}

GUEST_TEST(trace_program, memory_stress,
	   "the allocator and the shrinker at work while a trace runs (TestTraceGCStress)")
{
	struct guest_group all = {0};
	traced_begin("memory-stress.out");
	for (int i = 0; i < 8; i++)
		guest_go(&all, memory_user, NULL);
	guest_wait(&all);
	traced_end();
}

/* ---- the profiler, the shrinker and the tracer at once ---- */

static _Atomic uint32_t contending;
static _Atomic bool contended;

/* Waits and runs by turns, on a stack that has pages to give back. */
static void contends(void *arg)
{
	struct chan **c = arg;
	for (uint32_t i = 0; !atomic_load(&contended); i++) {
		wide(1);
		chan_send(c[0], &i);
		chan_recv(c[1], &i);
		if (i == 0)
			atomic_fetch_add(&contending, 1);
		go_yield();
	}
	chan_close(c[0]);
}

static void contends_echo(void *arg)
{
	struct chan **c = arg;
	uint32_t v;
	while (chan_recv(c[0], &v)) {
		wide(0);
		chan_send(c[1], &v);
	}
}

GUEST_TEST(trace_program, contention,
	   "the goroutine profiler, the shrinker and the tracer want the same stacks")
{
	enum { PAIRS = 4 };
	struct guest_group all = {0};
	struct chan *c[PAIRS][2];
	atomic_store(&contending, 0);
	atomic_store(&contended, false);
	traced_begin("contention.out");
	for (int i = 0; i < PAIRS; i++) {
		c[i][0] = chan_make(sizeof(uint32_t), 0);
		c[i][1] = chan_make(sizeof(uint32_t), 0);
		guest_go(&all, contends, c[i]);
		guest_go(&all, contends_echo, c[i]);
	}
	uint32_t n = go_count();
	while (atomic_load(&contending) < PAIRS)
		time_sleep(TIME_MILLISECOND);
	for (uint32_t i = 0; i < guest_count(6, 100); i++) {
		char *text = goroutine_text(i % 3 == 2 ? 2 : 1);
		if (i % 3 != 2) {
			CHECK_EQ(profile_total(text), n);
			CHECK_EQ(profile_sum(text), n);
		}
		CHECK(strstr(text, "contends_echo") != NULL);
		free(text);
	}
	atomic_store(&contended, true);
	guest_wait(&all);
	traced_end();
	for (int i = 0; i < PAIRS; i++) {
		chan_free(c[i][0]);
		chan_free(c[i][1]);
	}
}

/* ---- wake-ups for nothing ---- */

enum { FUTILE_ROUNDS = 300 };
static struct chan *f0, *f1, *f2;

#define SPECIAL(name, what)                               \
	static void name(void *arg)                       \
	{                                                 \
		(void)arg;                                \
		TRACE_REGION(0, "special");               \
		for (int i = 0; i < FUTILE_ROUNDS; i++) { \
			go_yield();                       \
			what;                             \
		}                                         \
	}                                                 \
	_Static_assert(1, "")

SPECIAL(special_send, chan_send(f0, NULL));
SPECIAL(special_recv, chan_recv(f0, NULL));
SPECIAL(special_select_send,
	chan_select(((struct chan_case[]){CHAN_CASE_SEND(f1, NULL), CHAN_CASE_SEND(f2, NULL)}), 2, false));
SPECIAL(special_select_recv,
	chan_select(((struct chan_case[]){CHAN_CASE_RECV(f1, NULL), CHAN_CASE_RECV(f2, NULL)}), 2, false));

GUEST_TEST(trace_program, futile_wakeup,
	   "who is woken has something to go on with: no wait follows a wait (TestTraceFutileWakeup)")
{
	struct guest_group all = {0};
	f0 = chan_make(0, 1);
	f1 = chan_make(0, 0);
	f2 = chan_make(0, 0);
	traced_begin("futile-wakeup.out");
	for (int i = 0; i < 2; i++) {
		guest_go(&all, special_send, NULL);
		guest_go(&all, special_recv, NULL);
		guest_go(&all, special_select_send, NULL);
		guest_go(&all, special_select_recv, NULL);
	}
	guest_wait(&all);
	traced_end();
	chan_free(f0);
	chan_free(f1);
	chan_free(f2);
}

/* ---- very many events ---- */

enum { WRITERS = 4 };
static uint64_t logs_each;

static void logs_write(void *arg)
{
	(void)arg;
	for (uint64_t i = 0; i < logs_each; i++)
		trace_log(0, "many", "events");
}

GUEST_TEST(trace_program, many_events, "with a reader that keeps up no event is lost")
{
	struct taken t = {0};
	/* The many of the long form do not fit the memory. */
	struct counted c = {.kept = guest_keep() && guest_count(1, 0) ? &t : NULL};
	struct guest_group all = {0};
	logs_each = guest_count(100000, 10000000) / WRITERS;
	CHECK(trace_start_func(counted_write, &c) == 0);
	for (int i = 0; i < WRITERS; i++)
		guest_go(&all, logs_write, NULL);
	guest_wait(&all);
	CHECK(trace_stop() == 0);
	CHECK_EQ(c.files, 0);
	CHECK_EQ(c.facts.events[TRACE_LOG], logs_each * WRITERS);
	taken_free(&t);
}

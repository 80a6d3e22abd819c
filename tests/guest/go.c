/* Goroutines: start, end, identity, number, thread-local state. */
#include "suite.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#include <hartbeat/chan.h>
#include <hartbeat/go.h>
#include <hartbeat/time.h>

static _Atomic uint32_t hits;

static void hit(void *arg)
{
	(void)arg;
	atomic_fetch_add(&hits, 1);
}

GUEST_TEST(go, runs, "go starts each function once")
{
	struct guest_group all = {0};
	atomic_store(&hits, 0);
	for (int i = 0; i < 500; i++)
		guest_go(&all, hit, NULL);
	guest_wait(&all);
	CHECK_EQ(atomic_load(&hits), 500);
}

static void yield_many(void *arg)
{
	_Atomic uint32_t *stop = arg;
	while (atomic_load(stop) == 0)
		go_yield();
}

GUEST_TEST(go, yield_progress, "goroutines that only yield let the others run")
{
	struct guest_group all = {0};
	_Atomic uint32_t stop = 0;
	for (unsigned i = 0; i < 2 * go_harts(); i++)
		guest_go(&all, yield_many, &stop);
	for (int i = 0; i < 1000; i++)
		go_yield();
	atomic_store(&stop, 1);
	guest_wait(&all);
}

static struct waitgroup exits;

__attribute__((noinline)) static void leave_deep(int depth)
{
	if (depth > 0) {
		leave_deep(depth - 1);
		atomic_fetch_add(&hits, 1000);
		return;
	}
	atomic_fetch_add(&hits, 1);
	waitgroup_done(&exits);
	if (go_id() !=
	    0) /* always: without a way to return the recursion would be an endless one to the compiler */
		go_exit();
}

static void leave(void *arg)
{
	leave_deep(*(int *)arg);
	atomic_fetch_add(&hits, 1000);
}

GUEST_TEST(go, exit, "go_exit ends the goroutine at any depth, and only it")
{
	int depth = 5;
	atomic_store(&hits, 0);
	waitgroup_add(&exits, 20);
	for (int i = 0; i < 20; i++)
		CHECK(go(leave, &depth) != 0);
	waitgroup_wait(&exits);
	CHECK_EQ(atomic_load(&hits), 20);
}

static _Atomic uint64_t id_seen[64];

static void id_report(void *arg)
{
	atomic_store((_Atomic uint64_t *)arg, go_id());
}

static int id_order(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return x < y ? -1 : x > y;
}

GUEST_TEST(go, ids, "an id is never given to a second goroutine, and go() returns the one that go_id() says")
{
	enum { WAVE = 64 };
	uint32_t waves = guest_count(20, 500), n = waves * WAVE;
	uint64_t *ids = malloc((n + 1) * sizeof *ids);
	CHECK(go_id() != 0);
	ids[n] = go_id();
	for (uint32_t wave = 0; wave < waves; wave++) {
		uint64_t *id = ids + wave * WAVE;
		uint32_t before = go_count();
		for (int i = 0; i < WAVE; i++) {
			atomic_store(&id_seen[i], 0);
			id[i] = go(id_report, &id_seen[i]);
			CHECK(id[i] != 0);
		}
		CHECK(guest_count_settles(before));
		for (int i = 0; i < WAVE; i++)
			CHECK_EQ(atomic_load(&id_seen[i]), id[i]);
	}
	qsort(ids, n + 1, sizeof *ids, id_order);
	for (uint32_t i = 0; i < n; i++)
		CHECK(ids[i] < ids[i + 1]);
	free(ids);
}

static void recv_one(void *arg)
{
	chan_recv(arg, NULL);
}

GUEST_TEST(go, count, "go_count() is the number of goroutines that exist")
{
	struct guest_group all = {0};
	struct chan *c = chan_make(0, 0);
	uint32_t before = go_count();
	for (int i = 0; i < 50; i++)
		guest_go(&all, recv_one, c);
	CHECK_EQ(go_count(), before + 50);
	for (int i = 0; i < 50; i++)
		chan_send(c, NULL);
	guest_wait(&all);
	CHECK(guest_count_settles(before));
	chan_free(c);
}

static void add_received(void *arg)
{
	uint32_t v = 0;
	chan_recv(arg, &v);
	atomic_fetch_add(&hits, v);
}

GUEST_TEST(go, ten_thousand, "ten thousand goroutines exist at once and each is woken")
{
	struct guest_group all = {0};
	struct chan *c = chan_make(sizeof(uint32_t), 0);
	uint32_t n = 10000, before = go_count();
	atomic_store(&hits, 0);
	for (uint32_t i = 0; i < n; i++)
		guest_go(&all, add_received, c);
	CHECK_EQ(go_count(), before + n);
	for (uint32_t i = 0; i < n; i++)
		chan_send(c, &i);
	guest_wait(&all);
	CHECK_EQ(atomic_load(&hits), n / 2 * (n - 1));
	chan_free(c);
}

static void tree(void *arg)
{
	uintptr_t depth = (uintptr_t)arg;
	struct guest_group below = {0};
	atomic_fetch_add(&hits, 1);
	if (depth == 0)
		return;
	guest_go(&below, tree, (void *)(depth - 1));
	guest_go(&below, tree, (void *)(depth - 1));
	guest_wait(&below);
}

GUEST_TEST(go, tree, "goroutines that start goroutines and wait for them")
{
	atomic_store(&hits, 0);
	tree((void *)(uintptr_t)guest_count(10, 13));
	CHECK_EQ(atomic_load(&hits), (2u << guest_count(10, 13)) - 1);
}

static _Thread_local uint64_t local = 42;
static _Thread_local uint64_t local_zero[5];

static void local_use(void *arg)
{
	uint64_t mine = go_id() * 1000 + (uintptr_t)arg;
	CHECK_EQ(local, 42);
	for (int i = 0; i < 5; i++)
		CHECK_EQ(local_zero[i], 0);
	local = mine;
	local_zero[4] = ~mine;
	errno = (int)(mine % 100000);
	for (int i = 0; i < 50; i++) {
		if (i % 10 == 0)
			time_sleep(50 * TIME_MICROSECOND);
		else if (i % 10 == 5)
			guest_spin(20 * TIME_MICROSECOND);
		else
			go_yield();
		CHECK_EQ(local, mine);
		CHECK_EQ(local_zero[4], ~mine);
		CHECK_EQ(errno, mine % 100000);
	}
}

GUEST_TEST(go, thread_locals,
	   "thread-local variables and errno belong to the goroutine, whichever hart runs it")
{
	struct guest_group all = {0};
	for (uintptr_t i = 0; i < guest_count(64, 500); i++)
		guest_go(&all, local_use, (void *)i);
	guest_wait(&all);
	CHECK_EQ(local, 42);
}

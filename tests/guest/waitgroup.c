/* Wait groups. Names in brackets are those of Go's tests. */
#include "suite.h"

#include <stdatomic.h>
#include <string.h>

#include <hartbeat/go.h>
#include <hartbeat/panic.h>
#include <hartbeat/sync.h>
#include <hartbeat/time.h>

static struct {
	struct waitgroup in, out;
	_Atomic uint32_t n;
} wg;

static void wait_both(void *arg)
{
	(void)arg;
	waitgroup_done(&wg.in);
	waitgroup_wait(&wg.in);
	atomic_fetch_add(&wg.n, 1);
	waitgroup_done(&wg.out);
}

GUEST_TEST(sync, wait_group, "a wait group is used again and again, with many waiters (TestWaitGroup)")
{
	for (uint32_t i = 0; i < guest_count(50, 2000); i++) {
		struct guest_group all = {0};
		atomic_store(&wg.n, 0);
		waitgroup_add(&wg.in, 17);
		waitgroup_add(&wg.out, 16);
		for (int k = 0; k < 16; k++)
			guest_go(&all, wait_both, NULL);
		go_yield();
		CHECK_EQ(atomic_load(&wg.n), 0);
		waitgroup_done(&wg.in);
		waitgroup_wait(&wg.out);
		CHECK_EQ(atomic_load(&wg.n), 16);
		guest_wait(&all);
		CHECK_EQ(wg.in.state, 0);
	}
}

static void done_one(void *arg)
{
	atomic_fetch_add((_Atomic uint32_t *)arg, 1);
	waitgroup_done(&wg.in);
}

GUEST_TEST(sync, wait_group_race, "wait does not return before the last done (TestWaitGroupRace)")
{
	for (uint32_t i = 0; i < guest_count(300, 10000); i++) {
		struct guest_group all = {0};
		_Atomic uint32_t n = 0;
		waitgroup_add(&wg.in, 2);
		guest_go(&all, done_one, &n);
		guest_go(&all, done_one, &n);
		waitgroup_wait(&wg.in);
		CHECK_EQ(atomic_load(&n), 2);
		guest_wait(&all);
	}
}

struct nested {
	struct waitgroup *w;
	_Atomic uint32_t n;
};

static void count(void *arg)
{
	struct nested *o = arg;
	atomic_fetch_add(&o->n, 1);
}

static void count_and_start(void *arg)
{
	struct nested *o = arg;
	if (waitgroup_go(o->w, count, o) == 0)
		guest_fail(__FILE__, __LINE__, "no goroutine");
	go_yield();
	atomic_fetch_add(&o->n, 1);
}

GUEST_TEST(sync, wait_group_go, "waitgroup_go() counts up, runs the function, counts down (TestWaitGroupGo)")
{
	uint32_t before = go_count();
	for (uint32_t i = 0; i < guest_count(50, 2000); i++) {
		struct waitgroup w = {0};
		struct nested o = {.w = &w};
		for (int k = 0; k < 10; k++)
			CHECK(waitgroup_go(&w, count_and_start, &o) != 0);
		waitgroup_wait(&w);
		CHECK_EQ(atomic_load(&o.n), 20);
	}
	CHECK(guest_count_settles(before));
}

static void done_later(void *arg)
{
	go_yield();
	waitgroup_done(arg);
}

GUEST_TEST(sync, wait_group_on_stack, "a wait group may go away when wait has returned")
{
	struct guest_group all = {0};
	for (uint32_t i = 0; i < guest_count(500, 20000); i++) {
		struct waitgroup w = {0};
		waitgroup_add(&w, 1);
		guest_go(&all, done_later, &w);
		waitgroup_wait(&w);
		__builtin_memset(&w, 0xff, sizeof w);
		__asm__ volatile("" : : "r"(&w) : "memory");
	}
	guest_wait(&all);
}

GUEST_TEST(sync, wait_group_misuse,
	   "a counter below 0 is a panic that can be recovered (TestWaitGroupMisuse)")
{
	static struct waitgroup w;
	volatile bool landed = false;
	memset(&w, 0, sizeof w);
	RECOVER_SCOPE (r) {
		waitgroup_add(&w, 1);
		waitgroup_done(&w);
		waitgroup_done(&w);
	} else {
		landed = strcmp(r.message, "sync: negative WaitGroup counter") == 0;
	}
	CHECK(landed);
}

/* Sleeping and the clock. Only lower bounds are checked: a slow host makes everything late. */
#include "suite.h"

#include <stdatomic.h>
#include <stdlib.h>

#include <hartbeat/chan.h>
#include <hartbeat/go.h>
#include <hartbeat/time.h>

#include "kernel/assert.h"
#include "sched/sched.h"

static void sleep_check(void *arg)
{
	uint64_t ns = (uintptr_t)arg, before = time_now();
	time_sleep(ns);
	uint64_t slept = time_now() - before;
	if (slept < ns)
		CHECK_EQ(slept, ns);
}

GUEST_TEST(time, at_least, "a sleep is never shorter than asked")
{
	struct guest_group all = {0};
	static const uint64_t spans[] = {0, 1, 99, 100, 101, 1000, 12345, 99999, 1000000, 3333333, 20000000};
	for (size_t i = 0; i < sizeof spans / sizeof spans[0]; i++) {
		sleep_check((void *)(uintptr_t)spans[i]);
		for (int k = 0; k < 4; k++)
			guest_go(&all, sleep_check, (void *)(uintptr_t)spans[i]);
	}
	guest_wait(&all);
}

GUEST_TEST(time, sleep, "a sleep takes as long, though another goroutine wakes in the middle of it")
{
	struct guest_group other = {0};
	const uint64_t delay = 40 * TIME_MILLISECOND;
	guest_go(&other, sleep_check, (void *)(uintptr_t)(delay / 2));
	sleep_check((void *)(uintptr_t)delay);
	guest_wait(&other);
}

static void churn(void *arg)
{
	(void)arg;
	for (int i = 0; i < 100; i++) {
		free(malloc(100000));
		go_yield();
	}
}

GUEST_TEST(time, sleep_zero_deadlock, "sleeping for no time leaves the goroutine as it was")
{
	struct guest_group all = {0};
	guest_go(&all, churn, NULL);
	for (int i = 0; i < 100; i++) {
		time_sleep(0);
		struct chan *c = chan_make(sizeof i, 1);
		int got = -1;
		chan_send(c, &i);
		CHECK(chan_recv(c, &got) && got == i);
		chan_free(c);
	}
	guest_wait(&all);
}

static void sleep_for_ever(void *arg)
{
	(void)arg;
	time_sleep(INT64_MAX);
	panic("a sleep of 292 years is over");
}

GUEST_TEST(time, overflow_sleep,
	   "a duration beyond the clock's range never ends, nor gets in the way; a negative one is over")
{
	static const uint64_t negative[] = {(uint64_t)INT64_MIN, (uint64_t)-1, (uint64_t)-1000000};
	/* for ever: not one of the program's goroutines, which this test would leave behind */
	if (go_system(sleep_for_ever, NULL, "sleeps for ever") == 0)
		panic("out of memory: no goroutine for a test");
	struct timer *big = timer_new(INT64_MAX), *soon = timer_new(25 * TIME_MILLISECOND);
	CHECK(big != NULL && soon != NULL && chan_recv(soon->c, NULL));
	CHECK(!chan_try_recv(big->c, NULL, NULL));
	CHECK(timer_reset(big, INT64_MAX - 1));
	for (size_t i = 0; i < sizeof negative / sizeof negative[0]; i++) {
		time_sleep(negative[i]);
		CHECK(timer_reset(big, negative[i]) == (i == 0));
		CHECK(chan_recv(big->c, NULL));
	}
	timer_free(big);
	timer_free(soon);
}

enum { SLEEPERS = 1000 };

static struct {
	uint64_t deadline[SLEEPERS], woken[SLEEPERS];
	_Atomic uint32_t next, order[SLEEPERS];
} sl;

static void sleep_random(void *arg)
{
	uint32_t i = (uint32_t)(uintptr_t)arg;
	uint64_t seed = i + 7, ns = guest_random(&seed) % (30 * TIME_MILLISECOND);
	sl.deadline[i] = time_now() + ns;
	time_sleep(ns);
	sl.woken[i] = time_now();
	atomic_store(&sl.order[atomic_fetch_add(&sl.next, 1)], i);
}

GUEST_TEST(time, thousand, "a thousand sleepers at once all wake, none early")
{
	struct guest_group all = {0};
	atomic_store(&sl.next, 0);
	for (uintptr_t i = 0; i < SLEEPERS; i++)
		guest_go(&all, sleep_random, (void *)i);
	guest_wait(&all);
	CHECK_EQ(atomic_load(&sl.next), SLEEPERS);
	for (int i = 0; i < SLEEPERS; i++)
		CHECK(sl.woken[i] >= sl.deadline[i]);
}

static void sleep_step(void *arg)
{
	uint32_t i = (uint32_t)(uintptr_t)arg;
	time_sleep((20 + 30 * (uint64_t)i) * TIME_MILLISECOND - time_now() % TIME_MILLISECOND);
	atomic_store(&sl.order[atomic_fetch_add(&sl.next, 1)], i);
}

static bool in_order(void)
{
	struct guest_group all = {0};
	bool ok = true;
	atomic_store(&sl.next, 0);
	for (uintptr_t i = 6; i-- > 0;)
		guest_go(&all, sleep_step, (void *)i);
	guest_wait(&all);
	for (uint32_t i = 0; i < 6; i++)
		ok &= atomic_load(&sl.order[i]) == i;
	return ok;
}

GUEST_TEST(time, order, "sleepers whose deadlines lie far apart wake in their order (one hart: ktimer.order)")
{
	for (int i = 0; i < GUEST_ATTEMPTS; i++)
		if (in_order())
			return;
	CHECK(!"in order");
}

static _Atomic uint64_t latest;

static void clock_check(void *arg)
{
	(void)arg;
	for (uint32_t i = 0; i < guest_count(3000, 100000); i++) {
		/* what another hart published before is not later than now */
		uint64_t seen = atomic_load(&latest), now = time_now();
		if (now < seen)
			CHECK_EQ(now, seen);
		while (seen < now && !atomic_compare_exchange_weak(&latest, &seen, now))
			;
		if (i % 100 == 0)
			go_yield();
	}
}

GUEST_TEST(time, monotonic, "the clock never goes back, on one hart or from one to another")
{
	struct guest_group all = {0};
	for (unsigned i = 0; i < 2 * go_harts(); i++)
		guest_go(&all, clock_check, NULL);
	guest_wait(&all);
	uint64_t wall = time_wall();
	time_sleep(TIME_MILLISECOND);
	CHECK(time_wall() >= wall + TIME_MILLISECOND);
}

static void keep_busy(void *arg)
{
	_Atomic uint32_t *stop = arg;
	while (atomic_load(stop) == 0)
		;
}

GUEST_TEST(time, fairness, "a sleeper wakes though every hart is busy (TestTimerFairness)")
{
	struct guest_group all = {0};
	_Atomic uint32_t stop = 0;
	for (unsigned i = 0; i < 2 * go_harts(); i++)
		guest_go(&all, keep_busy, &stop);
	for (int i = 0; i < 3; i++)
		time_sleep(TIME_MILLISECOND);
	atomic_store(&stop, 1);
	guest_wait(&all);
}

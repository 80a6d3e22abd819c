/* Sleeping and the clock. Only lower bounds are checked: a slow host makes everything late. */
#include "suite.h"

#include <stdatomic.h>
#include <stdlib.h>

#include <hartbeat/go.h>
#include <hartbeat/time.h>

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

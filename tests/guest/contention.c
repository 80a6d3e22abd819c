/* Contention by who gave the lock back: large numbers, and whose waits are in no mutex profile. */
#include "suite.h"
#include "waits.h"

#include <stdatomic.h>

#include <hartbeat/go.h>
#include <hartbeat/prof_rates.h>
#include <hartbeat/sync.h>

#include "kernel/g.h"
#include "prof/wait.h"
#include "sched/sched.h"

static __attribute__((noipa)) void blames(uint64_t ticks)
{
	contend_hook(ticks, (uintptr_t)__builtin_frame_address(0));
	__asm__ volatile("");
}

static __attribute__((noipa)) void blamed(void *ticks)
{
	blames(*(uint64_t *)ticks);
	__asm__ volatile("");
}

GUEST_TEST(wait_profile, contention_large, "a contention that stands for many is scaled without an overflow")
{
	enum { FRACTION = 16 };
	uint64_t fraction = prof_mutex_fraction(), ticks = UINT64_C(1) << 61;
	CHECK_EQ(prof_mutex_fraction_set(FRACTION), 0);
	struct sums d = {0}, before = waits_sum(&contention_stacks, blamed, -1);
	for (int i = 0; i < 1000 && d.count == 0; i++) {
		blamed(&ticks);
		d = sums_less(waits_sum(&contention_stacks, blamed, -1), before);
	}
	CHECK_EQ(prof_mutex_fraction_set(fraction), 0);
	CHECK_EQ(d.count, FRACTION * WAIT_ONE);
	CHECK_EQ(d.parked, WAIT_TICKS_MAX);
}

/* ---- who is of the kernel ---- */

static struct mutex held;
static struct g *_Atomic who;

static void waits_for_held(void *arg)
{
	atomic_store(&who, g_self());
	mutex_lock(&held);
	mutex_unlock(&held);
	waitgroup_done(arg);
}

static __attribute__((noipa)) void gives_back(void *arg)
{
	(void)arg;
	mutex_unlock(&held);
	__asm__ volatile("");
}

/* How often gives_back() is blamed when one goroutine has waited. */
static uint64_t blamed_for(bool system)
{
	struct waitgroup left = {0};
	struct sums before = waits_sum(&contention_stacks, gives_back, -1);
	atomic_store(&who, NULL);
	waitgroup_add(&left, 1);
	mutex_lock(&held);
	CHECK((system ? go_system(waits_for_held, &left, "test") : go(waits_for_held, &left)) != 0);
	until_waits(&who);
	gives_back(NULL);
	waitgroup_wait(&left);
	return sums_less(waits_sum(&contention_stacks, gives_back, -1), before).count;
}

GUEST_TEST(wait_profile, mutex_system, "what a goroutine of the kernel waits is in no mutex profile")
{
	uint64_t fraction = prof_mutex_fraction();
	CHECK_EQ(prof_mutex_fraction_set(1), 0);
	CHECK_EQ(blamed_for(false), WAIT_ONE);
	CHECK_EQ(blamed_for(true), 0);
	CHECK_EQ(prof_mutex_fraction_set(fraction), 0);
}

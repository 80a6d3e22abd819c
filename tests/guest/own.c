/* Ownership of stacks: who may have it, and what waits for it. */
#include "suite.h"

#include <stdatomic.h>

#include <hartbeat/go.h>
#include <hartbeat/time.h>

#include "kernel/g.h"
#include "kernel/preempt.h"
#include "kernel/walk.h"
#include "sched/own.h"
#include "sched/sched.h"

static struct {
	struct g *_Atomic g;
	_Atomic uint32_t woken;
	_Atomic bool stop, slow; /* slow: who wakes it looks again before it parks */
} sleeper;

static uint32_t status_of(const struct g *g)
{
	return atomic_load(&g->status);
}

static void sleeper_run(void *arg)
{
	(void)arg;
	atomic_store(&sleeper.g, g_self());
	for (;;) {
		park_prepare(WAIT_SLEEP);
		park_commit();
		if (atomic_load(&sleeper.stop))
			return;
		atomic_fetch_add(&sleeper.woken, 1);
		for (int i = 0; atomic_load(&sleeper.slow) && i < 200; i++)
			arch_pause();
	}
}

/* A goroutine that waits for ready(). */
static struct g *sleeper_start(struct guest_group *all)
{
	atomic_store(&sleeper.stop, false);
	atomic_store(&sleeper.g, NULL);
	atomic_store(&sleeper.woken, 0);
	guest_go(all, sleeper_run, NULL);
	struct g *g;
	while ((g = atomic_load(&sleeper.g)) == NULL || status_of(g) != G_WAITING)
		go_yield();
	return g;
}

static void sleeper_end(struct guest_group *all, struct g *g)
{
	while (status_of(g) != G_WAITING)
		go_yield();
	atomic_store(&sleeper.stop, true);
	ready(g);
	guest_wait(all);
}

GUEST_TEST(own, waiting, "a waiting goroutine's stack can be owned once, and then be walked")
{
	struct guest_group all = {0};
	struct g *g = sleeper_start(&all);
	preempt_disable();
	CHECK(g_own(g));
	CHECK(g_owned(g));
	CHECK(!g_own(g));
	struct arch_unwind u;
	uintptr_t pcs[32];
	unsigned flags;
	arch_context_unwind(&g->ctx, &u);
	unsigned n = walk_frames(&u, NULL, g, pcs, 32, &flags);
	g_disown(g);
	preempt_enable();
	CHECK(n > 2);
	CHECK_EQ(flags, WALK_COMPLETE);
	CHECK_EQ(status_of(g), G_WAITING);
	sleeper_end(&all, g);
}

GUEST_TEST(own, running, "the stack of a goroutine that runs or has ended is nobody else's")
{
	struct guest_group all = {0};
	struct g *g = sleeper_start(&all);
	preempt_disable();
	CHECK(!g_own(g_self()));
	preempt_enable();
	uint32_t before = go_count();
	sleeper_end(&all, g);
	CHECK(guest_count_settles(before - 1));
	while (status_of(g) != G_DEAD)
		go_yield();
	preempt_disable();
	CHECK(!g_own(g));
	preempt_enable();
}

GUEST_TEST(own, ready,
	   "a goroutine that is made ready while its stack is owned runs when it is given back, once")
{
	struct guest_group all = {0};
	struct g *g = sleeper_start(&all);
	for (uint32_t i = 1; i <= guest_count(200, 5000); i++) {
		while (status_of(g) != G_WAITING)
			go_yield();
		preempt_disable();
		CHECK(g_own(g));
		ready(g);
		guest_spin(20 * TIME_MICROSECOND);
		CHECK_EQ(atomic_load(&sleeper.woken), i - 1);
		CHECK_EQ(status_of(g), G_RUNNABLE | G_OWNED | G_DEFERRED);
		g_disown(g);
		preempt_enable();
		while (atomic_load(&sleeper.woken) != i)
			go_yield();
	}
	sleeper_end(&all, g);
}

static void yielder(void *arg)
{
	_Atomic uint64_t *n = arg;
	while (atomic_fetch_add(n, 1) < UINT64_MAX / 2)
		go_yield();
}

GUEST_TEST(own, runnable, "a runnable goroutine whose stack is owned does not run, and goes on afterwards")
{
	struct guest_group all = {0};
	enum { YIELDERS = 3 };
	_Atomic uint64_t n[YIELDERS] = {0};
	for (int i = 0; i < YIELDERS; i++)
		guest_go(&all, yielder, &n[i]);
	struct g *g = sleeper_start(&all);
	uint32_t owned = 0;
	for (uint32_t i = 1; i <= guest_count(500, 10000); i++) {
		while (status_of(g) != G_WAITING)
			go_yield();
		ready(g); /* now it is runnable, or runs elsewhere already */
		preempt_disable();
		if (g_own(g)) {
			owned++;
			uint32_t woken = atomic_load(&sleeper.woken);
			guest_spin(10 * TIME_MICROSECOND);
			CHECK_EQ(atomic_load(&sleeper.woken), woken);
			g_disown(g);
		}
		preempt_enable();
		while (atomic_load(&sleeper.woken) != i)
			go_yield();
	}
	CHECK(owned > 0);
	for (int i = 0; i < YIELDERS; i++)
		atomic_store(&n[i], UINT64_MAX / 2);
	sleeper_end(&all, g);
}

GUEST_TEST(own, parking,
	   "a goroutine that is made ready while it parks may be owned before its hart has settled that")
{
	if (go_harts() == 1 || guest_exact()) {
		guest_skip("one hart parks, another one makes ready and looks, at the same time");
		return;
	}
	struct guest_group all = {0};
	struct g *g = sleeper_start(&all);
	uint32_t parking = 0, owned = 0;
	atomic_store(&sleeper.slow, true);
	for (uint32_t i = 1; i <= guest_count(5000, 100000); i++) {
		uint32_t s;
		while ((s = status_of(g) & G_STATUS_MASK) != G_WAITING && s != G_PARKING)
			;
		parking += s == G_PARKING;
		preempt_disable();
		ready(g);
		bool own = false;
		for (int k = 0; k < 100 && !own && atomic_load(&sleeper.woken) != i; k++)
			own = g_own(g);
		if (own)
			g_disown(g);
		preempt_enable();
		owned += own;
		while (atomic_load(&sleeper.woken) != i)
			;
	}
	atomic_store(&sleeper.slow, false);
	guest_note("%u times while it parked; %u times owned", (unsigned)parking, (unsigned)owned);
	sleeper_end(&all, g);
}

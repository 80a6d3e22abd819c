/* Spinlocks: what is allowed. What is forbidden ends the machine and is tested by fault images. */
#include "suite.h"

#include <stdatomic.h>

#include <hartbeat/go.h>
#include <hartbeat/prof_rates.h>
#include <hartbeat/time.h>

#include "kernel/clock.h"
#include "kernel/hart.h"
#include "kernel/lock.h"
#include "kernel/preempt.h"

static struct spinlock outer = SPINLOCK_INIT(RANK_CHAN), inner = SPINLOCK_INIT(RANK_SCHED);
static uint64_t counter; /* guarded by outer */

static unsigned held(void)
{
	preempt_disable();
	unsigned n = locks_held(arch_hart());
	preempt_enable();
	return n;
}

GUEST_TEST(
	lock, nesting,
	"interrupts are off while any lock is held, and come back with the last one, in any order of release")
{
	for (int lifo = 0; lifo < 2; lifo++) {
		CHECK(arch_irq_enabled());
		CHECK_EQ(held(), 0);
		spin_lock(&outer);
		CHECK(spin_held(&outer) && !spin_held(&inner));
		CHECK(!arch_irq_enabled());
		spin_lock(&inner);
		CHECK_EQ(locks_held(arch_hart()), 2);
		spin_unlock(lifo ? &inner : &outer);
		CHECK(!arch_irq_enabled());
		CHECK_EQ(locks_held(arch_hart()), 1);
		CHECK(spin_held(lifo ? &outer : &inner) && !spin_held(lifo ? &inner : &outer));
		spin_unlock(lifo ? &outer : &inner);
		CHECK(arch_irq_enabled());
		CHECK_EQ(held(), 0);
		CHECK(!spin_held(&outer) && !spin_held(&inner));
	}
}

GUEST_TEST(lock, irq_off, "a lock taken with interrupts off leaves them off")
{
	bool on = arch_irq_save();
	CHECK(on);
	spin_lock(&outer);
	spin_unlock(&outer);
	CHECK(!arch_irq_enabled());
	arch_irq_restore(on);
	CHECK(arch_irq_enabled());
}

static void add(void *arg)
{
	uint64_t seed = (uintptr_t)arg;
	for (uint32_t i = 0; i < guest_count(5000, 500000); i++) {
		bool nested = guest_random(&seed) % 4 == 0;
		spin_lock(&outer);
		if (nested)
			spin_lock(&inner);
		counter++;
		if (nested)
			spin_unlock(&inner);
		spin_unlock(&outer);
	}
	CHECK_EQ(held(), 0);
}

GUEST_TEST(lock, exclusion, "a plain counter under a contended spinlock counts right")
{
	struct guest_group all = {0};
	unsigned n = 2 * go_harts();
	counter = 0;
	for (uintptr_t i = 0; i < n; i++)
		guest_go(&all, add, (void *)i);
	guest_wait(&all);
	CHECK_EQ(counter, (uint64_t)n * guest_count(5000, 500000));
}

static _Atomic int
	turn; /* 1: who waits has begun; 2: the lock is held; 3: it asks for it; 4: it has had it */

static void wait_for(int t)
{
	for (uint32_t n = 1; atomic_load(&turn) != t; n++)
		spin_pause(n);
}

static void waiter(void *arg)
{
	bool off = arg != NULL, on = true;
	preempt_disable();
	atomic_store(&turn, 1);
	wait_for(2);
	if (off)
		on = arch_irq_save();
	atomic_store(&turn, 3);
	spin_lock(&outer);
	spin_unlock(&outer);
	if (off)
		arch_irq_restore(on);
	preempt_enable();
	atomic_store(&turn, 4);
}

/* What all harts have waited for locks of this rank. */
static struct contention waited(void)
{
	struct contention c, all = {0};
	for (uint32_t h = 0; h < hart_count; h++)
		for (uint32_t i = 0; i < CONTENTION_MAX; i++)
			if (locks_contention(h, i, &c) && c.rank == RANK_CHAN) {
				all.count += c.count;
				all.ticks += c.ticks;
			}
	return all;
}

/* Has another hart wait for a lock that is held for ns; returns what was counted meanwhile. The caller is pinned. */
static struct contention hold(uint64_t ns, bool off)
{
	struct go_options there = {.pinned = true, .hart = (hart_index() + 1) % go_harts()};
	struct contention before = waited(), after;
	atomic_store(&turn, 0);
	CHECK(go_with(waiter, off ? &turn : NULL, &there) != 0);
	while (atomic_load(&turn) != 1)
		time_sleep(TIME_MILLISECOND / 10);
	spin_lock(&outer);
	atomic_store(&turn, 2);
	wait_for(3);
	uint64_t since = arch_ticks();
	for (uint32_t n = 1; clock_from_ticks(arch_ticks() - since) < ns; n++)
		spin_pause(n);
	spin_unlock(&outer);
	while (atomic_load(&turn) != 4)
		time_sleep(TIME_MILLISECOND / 10);
	after = waited();
	after.count -= before.count;
	after.ticks -= before.ticks;
	return after;
}

GUEST_TEST(lock, waiting,
	   "what a hart waits for a spinlock is counted, by the short way and by the long one, while it is "
	   "asked for")
{
	if (go_harts() == 1) {
		guest_skip("one hart never waits for another");
		return;
	}
	uint64_t fraction = prof_mutex_fraction(), held = 2 * TIME_MILLISECOND;
	CHECK_EQ(prof_mutex_fraction_set(1), 0);
	go_pin();
	for (int off = 0; off < 2; off++) {
		/* The other hart may lose its turn on the host between what it says and what it does. */
		struct contention got = {0};
		for (int k = 0;
		     k < GUEST_ATTEMPTS && (got.count == 0 || got.ticks < clock_to_ticks(held) / 2); k++)
			got = hold(held, off != 0);
		CHECK(got.count > 0);
		CHECK(clock_from_ticks(got.ticks) >= held / 2);
	}
	go_unpin();
	CHECK_EQ(prof_mutex_fraction_set(fraction), 0);
}

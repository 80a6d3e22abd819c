/* Spinlocks: what is allowed. What is forbidden ends the machine and is tested by fault images. */
#include "suite.h"

#include <stdatomic.h>

#include <hartbeat/go.h>

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

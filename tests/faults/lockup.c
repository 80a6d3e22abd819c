/* Harts that keep their interrupts off: for good, or until another one panics. */
#include <stdatomic.h>

#include <hartbeat/go.h>
#include <hartbeat/time.h>

#include "arch/arch.h"
#include "kernel/hart.h"
#include "kernel/lock.h"
#include "kernel/panic.h"
#include "kernel/preempt.h"
#include "tests/faults/cases.h"

SHOWN static void lockup_spin(void)
{
	for (;;)
		KEEP_FRAME();
}

/* Nobody can tell but another hart, or an NMI of its own. */
SHOWN void hard_lockup(void)
{
	preempt_disable();
	arch_irq_disable();
	lockup_spin();
	KEEP_FRAME();
}

/* One lock is held, and another waited for that nobody will release. */
SHOWN void lockup_waiting(void)
{
	static struct spinlock mine = SPINLOCK_INIT(RANK_CHAN),
			       theirs = {.state = LOCK_HELD, .rank = RANK_SCHED};
	preempt_disable();
	spin_lock(&mine);
	spin_lock(&theirs);
	KEEP_FRAME();
}

static _Atomic bool ready;

SHOWN static void second_one(void *arg)
{
	(void)arg;
	arch_irq_disable();
	atomic_store(&ready, true);
	while (!panic_in_progress())
		KEEP_FRAME();
	panic("the second one");
}

/* Another hart panics, too, when the report has begun. */
SHOWN void panic_second(void)
{
	struct go_options there = {.name = "second", .pinned = true};
	go_pin();
	there.hart = (hart_index() + 1) % go_harts();
	if (go_with(second_one, NULL, &there) == 0)
		return;
	while (!atomic_load(&ready))
		time_sleep(TIME_MILLISECOND);
	panic("the first one");
}

/* A spinlock where there may be none. */
#include "tests/faults/cases.h"

#include <stdatomic.h>

#include "kernel/hart.h"
#include "kernel/lock.h"
#include "kernel/preempt.h"
#include "kernel/timer.h"

static struct spinlock lock_profile = SPINLOCK_INIT(RANK_PROFILE);
static _Atomic(struct hart *) victim;

static void sample_lock(struct hart *h, struct arch_frame *f, uint64_t now)
{
	(void)f;
	h->sample_due = UINT64_MAX;
	if (h != atomic_load(&victim))
		return;
	spin_lock(&lock_profile);
	spin_unlock(&lock_profile);
	atomic_store(&victim, NULL);
	(void)now;
}

/* A tick takes a lock while the goroutine holds none: nothing but the context is wrong. */
SHOWN void irq_lock(void)
{
	preempt_disable();
	struct hart *h = arch_hart();
	timer_sample_hook = sample_lock;
	atomic_store(&victim, h);
	h->sample_due = arch_ticks() + arch_ticks_hz() / 1000;
	timer_rearm_irq(h);
	while (atomic_load(&victim) != NULL)
		KEEP_FRAME();
	preempt_enable();
}

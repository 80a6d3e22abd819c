/* A hart that keeps its interrupts off for good. */
#include "arch/arch.h"
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

/* Borrowing the system stack from the scheduler, which is suspended at sched_ctx while a goroutine runs (see system.h). */
#include "kernel/system.h"

#include "kernel/assert.h"
#include "kernel/preempt.h"
#include "kernel/stack.h"

void on_system_stack(void (*fn)(void *), void *arg)
{
	if (!stack_region_holds(arch_sp())) {
		fn(arg);
		return;
	}
	preempt_disable();
	struct hart *h = arch_hart();
	ASSERT(h->in_irq == 0, "no handler runs on a goroutine stack");
	ASSERT(h->serving == NULL, "one service at a time on the system stack");
	atomic_signal_fence(memory_order_seq_cst);
	h->serving = g_self();
	arch_call_on((h->sched_ctx.sp - 128) & ~(uintptr_t)15, fn, arg);
	/* preemption stayed off: still this hart */
#ifdef MUTANT_serving_late
	preempt_enable();
#endif
	h->serving = NULL;
	atomic_signal_fence(memory_order_seq_cst);
#ifndef MUTANT_serving_late
	preempt_enable();
#endif
}

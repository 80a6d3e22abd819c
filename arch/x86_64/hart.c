/* Making the running processor be a hart. */
#include "kernel/hart.h"

#include "arch/x86_64/lapic.h"
#include "arch/x86_64/segments.h"
#include "kernel/assert.h"

void arch_hart_enter(struct hart *h)
{
	ASSERT(!arch_irq_enabled(), "a hart enters with interrupts off");
	ASSERT(h->self == h, "hart->self is set");
	segments_enter(h);
	lapic_enter();
	ASSERT(lapic_id() == h->hwid, "the hart is the processor it was started as");
	atomic_store_explicit(&h->arch.entered, true, memory_order_relaxed);
}

void arch_halt(void)
{
	for (;;)
		__asm__ volatile("cli; hlt" ::: "memory");
}

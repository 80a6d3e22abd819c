/* The local APIC: interrupts between harts, and stopping them all. The timer is in arch/x86_64/timer.c. */
#include "arch/x86_64/lapic.h"

#include "arch/x86_64/frame_offsets.h"
#include "arch/x86_64/stop.h"
#include "kernel/hart.h"

enum { ICR_SPINS = 100000 }; /* far more than a command needs to leave */

void lapic_enter(void)
{
	lapic_write(LAPIC_TPR, 0);
	lapic_write(LAPIC_LVT_LINT0, LAPIC_MASKED);
	lapic_write(LAPIC_LVT_LINT1, LAPIC_MASKED);
	lapic_write(LAPIC_LVT_ERROR, LAPIC_MASKED);
	lapic_write(LAPIC_SPURIOUS, LAPIC_ENABLE | VECTOR_SPURIOUS);
	lapic_write(LAPIC_TIMER_DIVIDE, LAPIC_DIVIDE_BY_1);
	lapic_write(LAPIC_TIMER_INITIAL, 0);
	lapic_write(LAPIC_LVT_TIMER, VECTOR_TIMER);
}

uint32_t lapic_id(void)
{
	return lapic_read(LAPIC_ID) >> 24;
}

void lapic_send(uint64_t id, uint32_t command)
{
	/* Interrupts off: a handler that sends between the two writes would change the destination. */
	bool on = arch_irq_save();
	for (unsigned i = 0; i < ICR_SPINS && (lapic_read(LAPIC_ICR_LO) & ICR_PENDING) != 0; i++)
		arch_pause();
	lapic_write(LAPIC_ICR_HI, (uint32_t)id << 24);
	lapic_write(LAPIC_ICR_LO, command);
	arch_irq_restore(on);
}

void arch_ipi_send(struct hart *to)
{
	lapic_send(to->hwid, ICR_FIXED | ICR_ASSERT | VECTOR_IPI);
}

bool arch_nmi_enter(void)
{
	return true;
}

void arch_nmi_send(struct hart *to)
{
	lapic_send(to->hwid, ICR_NMI | ICR_ASSERT);
}

_Atomic(struct hart *) stop_owner;

void arch_stop_others(void)
{
	struct hart *me = arch_hart();
	/* pairs with the acquire in trap_nmi(): before the NMI is sent */
	atomic_store_explicit(&stop_owner, me, memory_order_release);
	for (uint32_t i = 0; i < hart_count; i++) {
		struct hart *h = harts[i];
		if (h != NULL && h != me && atomic_load_explicit(&h->arch.entered, memory_order_relaxed))
			lapic_send(h->hwid, ICR_NMI | ICR_ASSERT);
	}
}

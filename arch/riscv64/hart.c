/* One hart's own state: from the firmware's to the kernel's, and the end. */
#include "kernel/hart.h"

#include "arch/arch.h"
#include "arch/riscv64/trap.h"

void arch_hart_enter(struct hart *h)
{
	arch_irq_disable();
	csr_write(sie, 0);
	__asm__ volatile("mv gp, %0" : : "r"(h) : "memory");
	csr_write(sscratch, h);
	csr_write(stvec, trap_entry);

	/* No vector state, so that sstatus.SD means floating point alone (switch.S); no floating-point state
	 * yet. */
	csr_clear(sstatus, SSTATUS_VS | SSTATUS_FS_LOW);
	csr_set(sstatus, SSTATUS_FS_CLEAN);
	__asm__ volatile("fscsr zero");
	csr_clear(sstatus, SSTATUS_FS_LOW);

	arch_timer_arm(UINT64_MAX);
	csr_clear(sip, SI_SOFTWARE);
	csr_write(sie, SI_SOFTWARE | SI_TIMER | (h->index == 0 ? SI_EXTERNAL : 0)); /* plic.c */
	atomic_store_explicit(&h->arch.entered, true,
			      memory_order_release); /* pairs with arch_stop_others() */
}

void arch_halt(void)
{
	arch_irq_disable();
	csr_write(sie, 0);
	for (;;)
		__asm__ volatile("wfi");
}

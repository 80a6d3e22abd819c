/*
 * Interrupts between harts: the firmware sets the other hart's sip.SSIP, which that hart clears itself. They
 * merge; what they are about is in the receiver's struct hart.
 *
 * A hart with interrupts off does not see one until it turns them on.
 */
#include "arch/riscv64/ipi.h"

#include <stdatomic.h>

#include "arch/arch.h"
#include "arch/riscv64/sbi.h"
#include "arch/riscv64/trap.h"
#include "kernel/assert.h"
#include "kernel/hart.h"

static _Atomic bool stop_asked;

bool ipi_stop_asked(void)
{
	/* pairs with the release in arch_stop_others() */
	return atomic_load_explicit(&stop_asked, memory_order_acquire);
}

void arch_ipi_send(struct hart *to)
{
	long error = sbi_send_ipi(to->hwid);
	ASSERT(error == 0, "the firmware delivers an IPI to a started hart");
}

void arch_stop_others(void)
{
	atomic_store_explicit(&stop_asked, true, memory_order_release);
	for (uint32_t i = 0; i < hart_count; i++) {
		struct hart *h = harts[i];
		if (h != NULL && h != arch_hart() && atomic_load(&h->arch.entered))
			sbi_send_ipi(h->hwid);
		if (h != NULL && h != arch_hart())
			nmi_inject(h); /* one with interrupts off too */
	}
}

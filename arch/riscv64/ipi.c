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

static _Atomic(struct hart *) stop_owner; /* the hart that goes on, NULL while all do */

bool ipi_stop_asked(void)
{
	/* pairs with the release in arch_stop_others(); an event that was on its way may find the one who asks */
	const struct hart *owner = atomic_load_explicit(&stop_owner, memory_order_acquire);
	return owner != NULL && owner != arch_hart();
}

void arch_ipi_send(struct hart *to)
{
	/* rule 2 of kernel/hart.h: what is asked comes before the firmware's store to the device */
	arch_device_fence();
	long error = sbi_send_ipi(to->hwid);
	ASSERT(error == 0, "the firmware delivers an IPI to a started hart");
}

void arch_stop_others(void)
{
	/* pairs with the acquire in ipi_stop_asked() */
	atomic_store_explicit(&stop_owner, arch_hart(), memory_order_release);
	for (uint32_t i = 0; i < hart_count; i++) {
		struct hart *h = harts[i];
		/* pairs with the release in arch_hart_enter(): it has set up what an IPI needs */
		if (h != NULL && h != arch_hart() &&
		    atomic_load_explicit(&h->arch.entered, memory_order_acquire))
			sbi_send_ipi(h->hwid);
		if (h != NULL && h != arch_hart())
			nmi_inject(h); /* one with interrupts off too */
	}
}

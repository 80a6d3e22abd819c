/*
 * Interrupts that nothing masks: supervisor software events of the firmware (SBI extension SSE, OpenSBI 1.6 and newer), injected into a
 * hart by another one. Older firmware has none, and says so when it is asked.
 *
 * 1. An event is registered by each hart for itself, with its hart pointer as the argument. Otherwise the entry would not know whose stack
 *    to take: it may have interrupted code that has no usable register.
 * 2. One hart at a time injects, and never a second event into a hart that has not answered the first: who comes second leaves it. Otherwise
 *    harts would wait for one another in the firmware, which takes a lock whose waiters queue; an emulator that runs one hart at a time
 *    (-icount) goes on to the next only at a timer's deadline, and harts that wait there arm none. A refusal (-1) means that enough
 *    events are on their way. A stop for a panic does not wait for its turn (nmi_inject()).
 */
#include <stdatomic.h>

#include "arch/arch.h"
#include "arch/riscv64/ipi.h"
#include "arch/riscv64/sbi.h"
#include "arch/riscv64/trap.h"
#include "kernel/hart.h"

static _Atomic uint32_t sending; /* rule 2 */

bool arch_nmi_enter(void)
{
	struct hart *h = arch_hart();
	if (atomic_load_explicit(&h->arch.nmi, memory_order_relaxed))
		return true;
	if (h->arch.alarm != 0 /* alarm.c, rule 1 */ || !sbi_probe(SBI_EXT_SSE))
		return false;
	if (sbi_call(SBI_EXT_SSE, SBI_SSE_REGISTER, SBI_SSE_LOCAL_SOFTWARE, (uintptr_t)nmi_entry,
		     (uintptr_t)h) != 0)
		return false;
	if (sbi_call(SBI_EXT_SSE, SBI_SSE_ENABLE, SBI_SSE_LOCAL_SOFTWARE, 0, 0) != 0 ||
	    sbi_call(SBI_EXT_SSE, SBI_SSE_UNMASK, 0, 0, 0) != 0)
		return false;
	/* pairs with the acquire in nmi_inject() */
	atomic_store_explicit(&h->arch.nmi, true, memory_order_release);
	return true;
}

void nmi_inject(struct hart *to)
{
	/* pairs with the release in arch_nmi_enter() */
	if (atomic_load_explicit(&to->arch.nmi, memory_order_acquire))
		sbi_call(SBI_EXT_SSE, SBI_SSE_INJECT, SBI_SSE_LOCAL_SOFTWARE, to->hwid, 0);
}

void arch_nmi_send(struct hart *to)
{
	if (atomic_exchange_explicit(&sending, 1, memory_order_acquire) != 0)
		return;
	if (atomic_exchange_explicit(&to->arch.nmi_coming, 1, memory_order_relaxed) == 0)
		nmi_inject(to);
	atomic_store_explicit(&sending, 0, memory_order_release);
}

void nmi_dispatch(struct arch_frame *f)
{
	alarm_ended();
	if (ipi_stop_asked())
		upcall_stop(f);
	upcall_nmi(f);
	atomic_store_explicit(&arch_hart()->arch.nmi_coming, 0, memory_order_relaxed);
}

/*
 * Starting the other harts: INIT, then a startup interrupt that names the trampoline's page. Nobody waits
 * here: a started hart finds its struct hart by its APIC id, so that all may be on their way at once.
 *
 * 1. The trampoline's page is reserved memory (boot/x86_64/start.c), otherwise somebody's data would be
 * overwritten.
 * 2. A hart gets one INIT. When it is asked for again because it did not come, it gets another startup
 * interrupt, which a hart that runs already ignores, otherwise one that is only late would be reset while it
 * runs.
 */
#include "boot/x86_64/harts.h"

#include <stdatomic.h>
#include <string.h>

#include "arch/x86_64/lapic.h"
#include "arch/x86_64/mmu.h"
#include "boot/boot.h"
#include "boot/x86_64/entry.h"
#include "kernel/assert.h"
#include "kernel/hart.h"

extern const char trampoline_start[], trampoline_end[]; /* boot/x86_64/trampoline.S */

uint64_t secondary_root;
struct hart *secondary_harts[SECONDARY_HARTS];

int boot_hart_start(struct hart *h)
{
	ASSERT(mmu_root() != 0 && h->sys_stack_top != 0,
	       "a hart starts on the kernel's tables and its own stack");
	if (h->hwid >= SECONDARY_HARTS)
		return -1;
	bool again = secondary_harts[h->hwid] == h;
	if (!again) {
		memcpy((void *)TRAMPOLINE_PAGE, trampoline_start,
		       (size_t)(trampoline_end - trampoline_start));
		secondary_root = mmu_root();
		secondary_harts[h->hwid] = h;
		/* pairs with the start of the hart by lapic_send(), a store that could pass these */
		atomic_thread_fence(memory_order_seq_cst);
		lapic_send(h->hwid, ICR_INIT | ICR_ASSERT);
	}
	lapic_send(h->hwid, ICR_STARTUP | ICR_ASSERT | TRAMPOLINE_PAGE >> 12);
	return 0;
}

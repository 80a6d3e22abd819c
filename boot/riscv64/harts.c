/* Starting the other harts, through the firmware's hart state management. */
#include "boot/boot.h"

#include "arch/riscv64/sbi.h"
#include "boot/riscv64/start.h"
#include "kernel/hart.h"

int boot_hart_start(struct hart *h)
{
	/* The hart's first loads run with paging off and may run at once: pairs with its start by sbi_hart_start(). */
	atomic_thread_fence(memory_order_seq_cst);
	return sbi_hart_start(h->hwid, (uintptr_t)boot_secondary_entry, (uintptr_t)h) == 0 ? 0 : -1;
}

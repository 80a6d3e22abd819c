/*
 * Ways to die in a trap inside a trap (arch/riscv64/trap.S), by an interrupt's handler that fails, or by a trap whose stack is lost.
 *
 *	nested	a handler faults: the report is made on the panic stack
 *	entry	trap entry faults, before there is a frame: what it interrupted is known to nobody
 *	lost	a handler faults with a gp that points to something else than a hart
 *	wild	the same with one that points nowhere, so that the entry of the trap inside the trap faults, too
 */
#include "step.h"

#include "arch/riscv64/trap.h"
#include "kernel/hart.h"
#include "kernel/trap.h"

static const char no_hart[4096] __attribute__((aligned(16)));

#define READ_NOTHING "ld t0, 0(zero)"

static void fault(struct hart *h, struct arch_frame *f)
{
	(void)h;
	(void)f;
	__asm__ volatile(READ_NOTHING ::: "t0", "memory");
}

static void fault_lost(struct hart *h, struct arch_frame *f)
{
	(void)h;
	(void)f;
	__asm__ volatile("mv gp, %0\n\t" READ_NOTHING ::"r"(no_hart) : "t0", "memory");
}

static void fault_wild(struct hart *h, struct arch_frame *f)
{
	(void)h;
	(void)f;
	__asm__ volatile("li gp, 8\n\t" READ_NOTHING ::: "t0", "memory");
}

static void in_handler(void (*fails)(struct hart *h, struct arch_frame *f))
{
	trap_ipi_hook = fails;
	arch_ipi_send(arch_hart());
	arch_irq_enable();
	for (;;)
		arch_pause();
}

static void by_nested(void)
{
	in_handler(fault);
}

static void by_lost(void)
{
	in_handler(fault_lost);
}

static void by_wild(void)
{
	in_handler(fault_wild);
}

static void by_entry(void)
{
	arch_hart()->exc_stack_top = 0;
	__asm__ volatile(READ_NOTHING ::: "t0", "memory");
}

bool step_stack(uintptr_t sp, struct unwind_bounds *b)
{
	uintptr_t lo = (uintptr_t)trap_last_stack, hi = (uintptr_t)trap_last_stack_end;
	if (sp <= lo || sp > hi)
		return false;
	*b = (struct unwind_bounds){lo, hi, NULL};
	return true;
}

const struct step_end step_ends_arch[] = {
	{"nested", by_nested, (uintptr_t)upcall_double_fault},
	{"entry", by_entry, (uintptr_t)upcall_double_fault},
	{"lost", by_lost, (uintptr_t)trap_dispatch_last},
	{"wild", by_wild, (uintptr_t)trap_dispatch_last},
	{NULL, NULL, 0},
};

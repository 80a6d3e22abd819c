/*
 * What a trap is, and whom it concerns. trap.S calls in on the interrupt stack for interrupts, on the
 * exception stack for everything else, on the panic stack for a trap inside a trap; interrupts are off
 * throughout.
 *
 * 1. in_irq is 1 for the time between. Otherwise an assertion in here would be taken for one of the
 * interrupted code.
 * 2. The timer is silent after a timer interrupt unless the upcall armed it. Otherwise its level would
 * interrupt for ever.
 */
#include "arch/riscv64/trap.h"

#include "arch/riscv64/frame.h"
#include "arch/riscv64/ipi.h"
#include "arch/riscv64/plic.h"
#include "kernel/exit.h"
#include "kernel/hart.h"

static const char *const exception_names[] = {
	[0] = "misaligned instruction address",
	[1] = "instruction access fault",
	[2] = "illegal instruction",
	[3] = "breakpoint",
	[4] = "misaligned load",
	[5] = "load access fault",
	[6] = "misaligned store",
	[7] = "store access fault",
	[8] = "environment call from user mode",
	[9] = "environment call from supervisor mode",
	[CAUSE_FETCH_FAULT] = "instruction page fault",
	[CAUSE_LOAD_FAULT] = "load page fault",
	[CAUSE_STORE_FAULT] = "store page fault",
};

enum { N_EXCEPTIONS = sizeof exception_names / sizeof exception_names[0] };

static const char *cause_name(uint64_t cause)
{
	if ((cause & CAUSE_INTERRUPT) != 0)
		return "unexpected interrupt";
	if (cause >= N_EXCEPTIONS || exception_names[cause] == NULL)
		return "unknown exception";
	return exception_names[cause];
}

/* stval as an address: for an illegal instruction it is the instruction. */
static uintptr_t fault_address(const struct arch_frame *f)
{
	return f->cause == 2 || (f->cause & CAUSE_INTERRUPT) != 0 ? 0 : f->tval;
}

static void interrupt(struct hart *h, struct arch_frame *f)
{
	switch (f->cause & ~CAUSE_INTERRUPT) {
	case CAUSE_IRQ_TIMER:
		h->arch.timer_armed = false;
		upcall_timer_irq(f);
		if (!h->arch.timer_armed)
			arch_timer_arm(UINT64_MAX);
		break;
	case CAUSE_IRQ_SOFTWARE:
		/* Cleared first: an IPI that comes from here on interrupts again. */
		csr_clear(sip, SI_SOFTWARE);
		if (ipi_stop_asked())
			upcall_stop(f);
		upcall_ipi_irq(f);
		break;
	case CAUSE_IRQ_EXTERNAL:
		plic_irq();
		break;
	default:
		upcall_fault(f, cause_name(f->cause), f->cause, 0);
	}
	upcall_trap_exit(f);
}

static void exception(struct arch_frame *f)
{
	if (f->cause == CAUSE_FETCH_FAULT || f->cause == CAUSE_LOAD_FAULT || f->cause == CAUSE_STORE_FAULT) {
		if (upcall_page_fault(f, f->tval, f->cause == CAUSE_STORE_FAULT,
				      f->cause == CAUSE_FETCH_FAULT))
			return;
	}
	upcall_fault(f, cause_name(f->cause), f->cause, fault_address(f));
}

void trap_dispatch(struct arch_frame *f)
{
	struct hart *h = arch_hart();
	h->in_irq = 1;
	if ((f->cause & CAUSE_INTERRUPT) != 0)
		interrupt(h, f);
	else
		exception(f);
	h->in_irq = 0;
}

void arch_leave_trap(struct arch_context *to, uintptr_t word)
{
	arch_hart()->in_irq = 0;
	trap_leave(to, word);
}

void trap_dispatch_nested(struct arch_frame *f)
{
	arch_hart()->in_irq = 1;
	upcall_double_fault(f, cause_name(f->cause));
}

/* The first time there are two lines; if even they trap, there is the status; if that does too, silence. */
void trap_dispatch_last(uintptr_t pc, uint64_t cause, uintptr_t addr)
{
	static unsigned times;
	switch (times++) {
	case 0:
		upcall_print_line("fatal error: %s with the hart pointer lost: pc 0x%lx, address 0x%lx",
				  cause_name(cause), (unsigned long)pc, (unsigned long)addr);
		upcall_print_line("hb: exit %d", EXIT_STATUS_PANIC);
		/* fall through */
	case 1:
		arch_exit(exit_code(EXIT_STATUS_PANIC));
	default:
		arch_halt();
	}
}

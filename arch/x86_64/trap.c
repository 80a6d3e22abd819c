/*
 * Traps, after entry has saved the frame: which class, whose upcall.
 *
 * 1. hart->in_irq is 1 from here until the way out, for interrupts and exceptions. An exception that finds it
 * 1 is a fault inside a handler and is reported as a double fault, otherwise a broken handler would fault for
 * ever.
 * 2. An exception inside an NMI handler is fatal too: its iretq would let the next NMI in, over the outer
 * one's frame.
 * 3. While an exception is handled the exception IST is the panic stack: the frame of a nested one lands
 * there, and the outer frames stay as they are for the report.
 * 4. An NMI between sti and hlt comes back behind the hlt. Otherwise an interrupt that was pending would be taken before hlt, as the return
 * ends the delay of sti, and the hart would sleep over what it brought.
 * 5. An interrupt is acknowledged before its upcall, which may leave for the scheduler and not come back.
 */
#include "arch/x86_64/trap.h"

#include "arch/x86_64/instr.h"
#include "arch/x86_64/ioapic.h"
#include "arch/x86_64/lapic.h"
#include "arch/x86_64/stop.h"
#include "kernel/hart.h"

enum { VECTOR_PAGE_FAULT = 14 };

/* Page fault error code. Intel SDM volume 3, section 4.7. */
enum { PF_PRESENT = 1 << 0, PF_WRITE = 1 << 1, PF_RESERVED = 1 << 3, PF_FETCH = 1 << 4 };

static const char *const exception_names[32] = {
	[0] = "division by zero",
	[3] = "breakpoint",
	[4] = "overflow",
	[5] = "bound range exceeded",
	[6] = "illegal instruction",
	[7] = "floating point unit not available",
	[10] = "invalid task state segment",
	[11] = "segment or gate not present",
	[12] = "stack segment fault",
	[13] = "general protection fault",
	[14] = "page fault",
	[16] = "x87 floating point error",
	[17] = "alignment check",
	[19] = "SIMD floating point error",
	[20] = "virtualization exception",
	[21] = "control protection exception",
};

static uintptr_t tls_read(void)
{
	/* Not through %fs:0, which faults when the thread pointer is wrong. */
	return arch_platform.has_fsgsbase ? rdfsbase() : rdmsr(MSR_FS_BASE);
}

static const char *cause(const struct arch_frame *f)
{
	if (f->vector == VECTOR_PAGE_FAULT) {
		if ((f->error & PF_RESERVED) != 0)
			return "page fault: damaged page table";
		if ((f->error & PF_FETCH) != 0)
			return "page fault on instruction fetch";
		return (f->error & PF_WRITE) != 0 ? "page fault on write" : "page fault on read";
	}
	const char *name = f->vector < 32 ? exception_names[f->vector] : "unexpected interrupt";
	return name != NULL ? name : "unknown exception";
}

static void double_fault(void *frame)
{
	struct arch_frame *f = frame;
	upcall_double_fault(f, cause(f));
}

/* A trap that came while a handler ran. */
_Noreturn static void trap_nested(struct hart *h, struct arch_frame *f)
{
	if ((uintptr_t)(f + 1) == h->panic_stack_top)
		double_fault(f);
	arch_call_on(h->panic_stack_top, double_fault, f);
	arch_halt();
}

void trap_irq(struct arch_frame *f)
{
	struct hart *h = arch_hart();
	f->tls = tls_read();
	if (h->in_irq != 0)
		trap_nested(h, f);
	h->in_irq = 1;
	/* A level that is acknowledged before its device is quiet would interrupt again. */
	if (f->vector >= VECTOR_DEVICE && f->vector < VECTOR_SPURIOUS)
		ioapic_irq(f->vector);
	if (f->vector != VECTOR_SPURIOUS)
		lapic_write(LAPIC_EOI, 0);
	switch (f->vector) {
	case VECTOR_TIMER:
		upcall_timer_irq(f);
		break;
	case VECTOR_IPI:
		upcall_ipi_irq(f);
		break;
	case VECTOR_DEVICE ... VECTOR_SPURIOUS:
		break;
	default:
		upcall_fault(f, cause(f), f->vector, 0);
	}
	upcall_trap_exit(f);
	h->in_irq = 0;
}

void trap_exception(struct arch_frame *f)
{
	struct hart *h = arch_hart();
	uintptr_t addr = f->vector == VECTOR_PAGE_FAULT ? cr2_read() : 0;
	f->tls = tls_read();
	if (h->in_irq != 0 || h->arch.in_nmi)
		trap_nested(h, f);
	h->in_irq = 1;
	h->arch.tss.ist[IST_EXC - 1] = h->panic_stack_top;
	if (f->vector != VECTOR_PAGE_FAULT || (f->error & PF_RESERVED) != 0 ||
	    !upcall_page_fault(f, addr, (f->error & PF_WRITE) != 0, (f->error & PF_FETCH) != 0))
		upcall_fault(f, cause(f), f->vector, addr);
	h->arch.tss.ist[IST_EXC - 1] = h->exc_stack_top;
	h->in_irq = 0;
}

extern const char __text_start[], __text_end[];

/* Rule 4. */
static void step_over_hlt(struct arch_frame *f)
{
	const uint8_t hlt = 0xf4;
	if (f->rip - (uintptr_t)__text_start < (uintptr_t)(__text_end - __text_start) &&
	    *(const uint8_t *)f->rip == hlt) {
#ifndef MUTANT_hlt_after_nmi
		f->rip++;
#endif
	}
}

void trap_nmi(struct arch_frame *f)
{
	struct hart *h = arch_hart();
	f->tls = tls_read();
	h->arch.in_nmi = true;
	atomic_store_explicit(&h->arch.nmis, atomic_load_explicit(&h->arch.nmis, memory_order_relaxed) + 1,
			      memory_order_relaxed);
	/* pairs with the release in arch_stop_others() */
	struct hart *stopper = atomic_load_explicit(&stop_owner, memory_order_acquire);
	if (stopper != NULL && stopper != h)
		upcall_stop(f);
	upcall_nmi(f);
	step_over_hlt(f);
	h->arch.in_nmi = false;
}

void trap_debug(struct arch_frame *f)
{
	f->tls = tls_read();
	upcall_fault(f, "debug trap", f->vector, 0);
}

void trap_fatal(struct arch_frame *f)
{
	f->tls = tls_read();
	upcall_double_fault(f, f->vector == 8 ? "double fault" : "machine check");
}

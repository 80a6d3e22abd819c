/*
 * What a trap interrupted, while entry or exit have it in places that no rule of the symbol table names. Only an NMI finds them so.
 *
 * 1. In the places of the table sp is where it says, pc in sepc; ra and fp are in theirs throughout. Otherwise a sample in here would have
 *    the stack of nobody.
 */
#include "arch/arch.h"
#include "arch/riscv64/frame.h"
#include "arch/riscv64/outer_numbers.h"
#include "arch/riscv64/sbi.h"
#include "arch/riscv64/trap.h"
#include "kernel/hart.h"

/* trap.S, nmi.S: a row with from 0 is the end. */
extern const struct place {
	uintptr_t from, to, sp;
} trap_places[], nmi_places[];
extern const uintptr_t frame_resume_left; /* switch.S: the address of an instruction */
extern const char __trap_start[], __trap_end[];

static bool outer_at(const struct arch_frame *f, uintptr_t where, uintptr_t sepc, uintptr_t sscratch,
		     struct arch_unwind *u)
{
	uintptr_t sp = f->x[REG_SP];
	switch (where) {
	case OUTER_IN_SSCRATCH:
		sp = sscratch;
		break;
	case OUTER_IN_T0:
		sp = f->x[REG_T0];
		break;
	case OUTER_IN_HART:
		sp = arch_hart()->scratch[1];
		break;
	case OUTER_IN_NMI_SCRATCH:
		sp = arch_hart()->nmi_scratch;
		break;
	case OUTER_IN_FRAME:
		sp = ((const struct arch_frame *)sp)->x[REG_SP];
		break;
	}
	*u = (struct arch_unwind){.pc = sepc, .sp = sp, .fp = f->x[REG_FP], .ra = f->x[REG_RA]};
	return true;
}

static bool outer_in(const struct place *p, const struct arch_frame *f, uintptr_t sepc, uintptr_t sscratch,
		     struct arch_unwind *u)
{
	for (; p->from != 0; p++)
		if (f->pc >= p->from && f->pc < p->to)
			return outer_at(f, p->sp, sepc, sscratch, u);
	return false;
}

bool trap_outer(const struct arch_frame *f, uintptr_t sepc, uintptr_t sscratch, struct arch_unwind *u)
{
	if (f->pc == frame_resume_left)
		return outer_at(f, OUTER_IN_SP, sepc, sscratch, u);
	return outer_in(trap_places, f, sepc, sscratch, u) || outer_in(nmi_places, f, sepc, sscratch, u);
}

bool arch_frame_unwind_outer(const struct arch_frame *f, struct arch_unwind *u)
{
	if (f->pc - (uintptr_t)__trap_start >= (uintptr_t)(__trap_end - __trap_start) &&
	    f->pc != frame_resume_left)
		return false;
	/* The firmware has it while an event is handled; the buffer is at its physical address. */
	volatile uint64_t *sepc = &arch_hart()->arch.nmi_sepc;
	unsigned long event = arch_hart()->arch.alarm != 0 ? SBI_SSE_LOCAL_COUNTER : SBI_SSE_LOCAL_SOFTWARE;
	if (sbi_call5(SBI_EXT_SSE, SBI_SSE_READ, event, SBI_SSE_SEPC, 1, (uintptr_t)sepc, 0) != 0)
		return false;
	return trap_outer(f, *sepc, csr_read(sscratch), u);
}

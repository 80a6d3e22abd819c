/* Where an NMI finds trap entry before it has saved what it interrupted (arch/riscv64/outer.c): the firmware is asked for the pc. */
#include "suite.h"

#include <string.h>

#include "arch/arch.h"
#include "arch/riscv64/frame.h"
#include "arch/riscv64/sbi.h"
#include "arch/riscv64/trap.h"
#include "kernel/g.h"
#include "kernel/hart.h"
#include "kernel/preempt.h"
#include "kernel/trap.h"
#include "kernel/walk.h"
#include "prof/impl.h"
#include "trace/sample_ring.h"

static struct {
	volatile bool came, own; /* own: in the test's function itself, not in one that it calls */
	bool found, elsewhere;
	uintptr_t fp, sp;
	struct arch_unwind outer;
	struct sample sample;
} seen;

/* As if the event had come at the first instruction of trap entry, of a trap that interrupted what the event did. */
static void nmi(struct hart *h, struct arch_frame *f)
{
	struct arch_frame at_entry = *f;
	struct arch_unwind none;
	seen.came = true;
	if (f->x[REG_FP] != seen.fp)
		return;
	at_entry.pc = (uintptr_t)trap_entry;
	seen.sp = f->x[REG_SP];
	seen.elsewhere = arch_frame_unwind_outer(f, &none);
	seen.found = arch_frame_unwind_outer(&at_entry, &seen.outer);
	seen.sample.flags = SAMPLE_IRQ_OFF;
	sample_stack_irq(h, &at_entry, &seen.sample);
	seen.own = true;
}

GUEST_TEST(unwind, trap_entry,
	   "a sample that finds trap entry goes on with what the trap interrupted, to its root")
{
	void (*before)(struct hart *, struct arch_frame *) = trap_nmi_hook;
	guest_profile_off();
	bool alarm = hart_count == 1 && arch_alarm_enter(); /* else the software event, never both */
	if (!alarm && !arch_nmi_enter()) {
		guest_skip("the firmware has no software events");
		return;
	}
	preempt_disable();
	bool was = arch_irq_save();
	uint64_t sepc = csr_read(sepc);
	uintptr_t interrupted = arch_pc();
	seen.own = false;
	seen.fp = (uintptr_t)__builtin_frame_address(0);
	trap_nmi_hook = nmi;
	csr_write(sepc, interrupted);
	for (int k = 0; k < GUEST_ATTEMPTS && !seen.own; k++) {
		seen.came = false;
		if (alarm)
			arch_alarm_arm(arch_ticks() + arch_ticks_hz() / 100000);
		else
			sbi_call(SBI_EXT_SSE, SBI_SSE_INJECT, SBI_SSE_LOCAL_SOFTWARE, arch_hart()->hwid, 0);
		for (int i = 0; i < 1000000 && !seen.came; i++)
			arch_pause();
	}
	CHECK_EQ(csr_read(sepc), interrupted);
	csr_write(sepc, sepc);
	trap_nmi_hook = before;
	arch_irq_restore(was);
	preempt_enable();
	CHECK(seen.own && seen.found && !seen.elsewhere);
	CHECK_EQ(seen.outer.pc, interrupted);
	CHECK_EQ(seen.outer.sp, seen.sp);
	uintptr_t true_ones[32];
	unsigned n = walk_here(0, true_ones, 32);
	CHECK_EQ(seen.sample.depth, n + 1);
	CHECK_EQ(seen.sample.pcs[0], (uintptr_t)trap_entry);
	CHECK_EQ(seen.sample.pcs[1], interrupted + 1);
	for (unsigned i = 1; i < n; i++)
		CHECK_EQ(seen.sample.pcs[i + 1], true_ones[i]);
}

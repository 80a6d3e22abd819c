/*
 * Voluntary switches, the first entry of a context, and the way out of a trap into the scheduler. The record that a
 * switch leaves lies at the suspended sp (struct switch_record), so that the same call frame information holds before
 * and after sp changes.
 *
 * Floating point. sstatus.FS is dirty (sstatus.SD, the sign bit, says it) exactly while the running context has
 * floating-point state: it wrote a register or fcsr at some time since it began. A context without it
 * (RECORD_FP 0) pays nothing, and runs with fcsr 0 and whatever the registers hold.
 * 1. A switch to a context without state leaves FS clean and fcsr 0. Otherwise it would inherit a rounding mode, and
 *    be saved as if it had state.
 *    A context that has state leaves fcsr 0 when it is left, so that only a record that says otherwise need be loaded.
 * 2. A switch to a context with state leaves FS dirty (the loads do that). Otherwise its next switch would lose it.
 */
#include "arch/riscv64/frame_asm.h"

	.macro	record_cfi_offset n, offset
	.cfi_offset \n, (\offset) - RECORD_SIZE
	.endm

	.macro	record_cfi
	record_cfi_offset ra, RECORD_RA
	record_cfi_offset s0, RECORD_S(0)
	record_cfi_offset s1, RECORD_S(1)
	.irp	n, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11
	record_cfi_offset s\n, RECORD_S(\n)
	.endr
	.endm

	.macro	record_uncfi
	.cfi_def_cfa_offset 0
	.irp	r, ra, s0, s1, s2, s3, s4, s5, s6, s7, s8, s9, s10, s11
	.cfi_same_value \r
	.endr
	.endm

	/* Saves the running context in a record on its stack and in the context at a0; leaves sstatus in t1. A CSR is read and cleared by one
	 * instruction: each ends a translation block in an emulator. */
	.macro	context_save
	addi	sp, sp, -RECORD_SIZE
	.cfi_def_cfa_offset RECORD_SIZE
	sd	ra, RECORD_RA(sp)
	.irp	n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11
	sd	s\n, RECORD_S(\n)(sp)
	.endr
	record_cfi
	csrr	t1, sstatus
	srli	t0, t1, 63
	sd	t0, RECORD_FP(sp)
	beqz	t0, 1f
	fscsr	t0, zero
	sd	t0, RECORD_FCSR(sp)
	.irp	n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11
	fsd	fs\n, RECORD_FS(\n)(sp)
	.endr
1:	sd	sp, 0(a0)
	.endm

	/* sp is the record of the context to resume, t1 is sstatus, fcsr is 0. */
	.macro	record_load
	ld	t0, RECORD_FP(sp)
	beqz	t0, 2f
	ld	t0, RECORD_FCSR(sp)
	beqz	t0, 4f
	fscsr	t0
4:
	.irp	n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11
	fld	fs\n, RECORD_FS(\n)(sp)
	.endr
	j	3f
2:	bgez	t1, 3f
	li	t0, SSTATUS_FS_LOW
	csrc	sstatus, t0
3:	ld	ra, RECORD_RA(sp)
	.irp	n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11
	ld	s\n, RECORD_S(\n)(sp)
	.endr
	addi	sp, sp, RECORD_SIZE
#ifndef MUTANT_cfi_directive
	record_uncfi
#endif
	ret
	.endm

	/* The running context, whose sstatus is t1, is left for good. */
	.macro	context_drop
	bgez	t1, 5f
	fscsr	zero
5:
	.endm

	.section .text.switch, "ax", @progbits

/* arch_arrival arch_switch(struct arch_context *from, const struct arch_context *to, struct g **cur, struct g *g, uintptr_t word):
 * returns from and word in a0 and a1, on the other stack. */
	function arch_switch
	context_save
	andi	t0, t1, SSTATUS_SIE
	beqz	t0, 6f
	sd	a3, 0(a2)
	ld	sp, 0(a1)
	ld	tp, 8(a1)
	mv	a1, a4
	.cfi_remember_state
	record_load
	.cfi_restore_state
6:	call	switch_irq_off
	unimp
	end_function arch_switch

	/* The fresh context at a1 begins: a0 is from, a3 its g, a4 word, a5 entry; t1 is sstatus, fcsr is 0. */
	.macro	context_begin
	sd	a3, 0(a2)
	ld	tp, 8(a1)
	ld	sp, 0(a1)
	.cfi_undefined ra
	.cfi_def_cfa_offset 0
	bgez	t1, 8f
	li	t0, SSTATUS_FS_LOW
	csrc	sstatus, t0
8:	addi	sp, sp, -1 /* ARCH_CONTEXT_FRESH */
	li	s0, 0
	mv	s1, a5
	mv	s2, a3
	mv	a1, a4
	j	context_start
	.endm

/* arch_arrival arch_begin(struct arch_context *from, const struct arch_context *to, struct g **cur, struct g *g, uintptr_t word,
 * arch_entry_fn *entry) */
	function arch_begin
	context_save
	andi	t0, t1, SSTATUS_SIE
	beqz	t0, 6f
	.cfi_remember_state
	context_begin
	.cfi_restore_state
6:	call	switch_irq_off
	unimp
	end_function arch_begin

/* void arch_begin_last(the same) */
	function arch_begin_last
	csrr	t1, sstatus
	andi	t0, t1, SSTATUS_SIE
	beqz	t0, 6f
7:	context_drop
	.cfi_remember_state
	context_begin
	.cfi_restore_state
6:	beqz	a0, 7b
	addi	sp, sp, -16
	.cfi_def_cfa_offset 16
	sd	ra, 8(sp) /* for the report */
	.cfi_offset ra, -8
	call	switch_irq_off
	unimp
	end_function arch_begin_last

/* void arch_resume(const struct arch_context *to, struct g **cur, struct g *g, struct arch_context *from, uintptr_t word) */
	function arch_resume
	.cfi_undefined ra
	csrr	t1, sstatus
	andi	t0, t1, SSTATUS_SIE
	beqz	t0, 6f
	sd	a2, 0(a1)
	context_drop
	ld	tp, 8(a0)
	.cfi_remember_state
	ld	sp, 0(a0)
	.cfi_def_cfa_offset RECORD_SIZE
	record_cfi
	mv	a0, a3
	mv	a1, a4
	record_load
	.cfi_restore_state
6:	call	switch_irq_off
	unimp
	end_function arch_resume

/* arch_arrival arch_switch_frame(struct arch_context *from, struct arch_frame *frame): falls into frame_resume, which is a
 * function of its own because its caller is interrupted code. */
	function arch_switch_frame
	context_save
	mv	sp, a1
	end_function arch_switch_frame

	signal_function frame_resume
	frame_cfi
	frame_load
	ld	sp, FRAME_X(2)(sp)
	frame_uncfi
.Lframe_resume_left:
	sret
	end_function frame_resume

/* void trap_leave(struct arch_context *to, uintptr_t word): the second half of arch_leave_trap(). Nothing leads back to the interrupt
 * stack. */
	function trap_leave
	.cfi_undefined ra
	csrw	sscratch, gp
	csrr	t1, sstatus
	context_drop
	ld	sp, 0(a0)
	.cfi_def_cfa_offset RECORD_SIZE
	record_cfi
	ld	tp, 8(a0)
	record_load
	end_function trap_leave

/* Where a fresh context begins: s1 is the function, s2 its first argument. A walk of one that has not begun starts behind the nop, because
 * an unwinder looks return addresses up one below. */
	function context_start
	.cfi_undefined ra
	.option	push
	.option	norvc
	nop
	.option	pop
	mv	a2, a1
	mv	a1, a0
	mv	a0, s2
	jalr	s1
	.globl	__context_call_end
__context_call_end:
	unimp
	end_function context_start

/* void arch_call_on(uintptr_t stack_top, void (*fn)(void *), void *arg): a frame as gcc lays it out, so that the frame
 * pointer chain leads across the two stacks. */
	function arch_call_on
	addi	sp, sp, -16
	.cfi_def_cfa_offset 16
	sd	ra, 8(sp)
	sd	s0, 0(sp)
	.cfi_offset ra, -8
	.cfi_offset s0, -16
	addi	s0, sp, 16
	.cfi_def_cfa s0, 0
	mv	sp, a0
	mv	a0, a2
	jalr	a1
	addi	sp, s0, -16
	.cfi_def_cfa sp, 16
	ld	ra, 8(sp)
	.cfi_same_value ra
	ld	s0, 0(sp)
	.cfi_same_value s0
	addi	sp, sp, 16
	.cfi_def_cfa_offset 0
	ret
	end_function arch_call_on

	.section .rodata.frame_resume_left, "a", @progbits
	.balign	8
	.globl	frame_resume_left
frame_resume_left: /* where the resumed registers are in place, but for the pc */
	.dword	.Lframe_resume_left

	.section .note.GNU-stack, "", @progbits

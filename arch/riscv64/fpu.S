/*
 * The floating-point state of preempted code: a flag (1: there is state), fcsr, f0-f31. See switch.S for what FS
 * dirty means. Both functions are called by code that has no floating-point values of its own: trap exit and the
 * scheduler.
 */
#include "arch/riscv64/frame_asm.h"

#define AREA_USED 0
#define AREA_FCSR 8
#define AREA_F(n) (16 + 8 * (n))

	.macro	for_f do
	.irp	n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
	\do	f\n, AREA_F(\n)(a0)
	.endr
	.endm

	.section .text.fpu, "ax", @progbits

/* void arch_fpu_save(void *area) */
	function arch_fpu_save
	csrr	t0, sstatus
	srli	t0, t0, 63
	sd	t0, AREA_USED(a0)
	beqz	t0, 1f
	frcsr	t0
	sd	t0, AREA_FCSR(a0)
	for_f	fsd
1:	ret
	end_function arch_fpu_save

/* void arch_fpu_restore(const void *area): leaves FS clean, because the state belongs to the frame that is resumed next
 * (whose status has FS dirty) and not to the caller. */
	function arch_fpu_restore
	ld	t0, AREA_USED(a0)
	beqz	t0, 1f
	ld	t0, AREA_FCSR(a0)
	fscsr	t0
	for_f	fld
	j	2f
1:	csrr	t0, sstatus
	bgez	t0, 3f
	fscsr	zero
2:	li	t0, SSTATUS_FS_LOW
	csrc	sstatus, t0
3:	ret
	end_function arch_fpu_restore

	.section .note.GNU-stack, "", @progbits

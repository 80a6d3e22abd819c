/*
 * Going back to a place further up the same stack: recover_here() notes the callee-saved registers, arch_jump() loads them. Offsets are
 * in words of the array regs of include/hartbeat/panic.h.
 *
 * Floating-point registers only where there is state, as in the switch (switch.S): a place without it has no value in them.
 */
#include "arch/riscv64/frame_asm.h"

#define JUMP_RA    0
#define JUMP_SP    8
#define JUMP_S(n)  (16 + 8 * (n))
#define JUMP_FP    112
#define JUMP_FS(n) (120 + 8 * (n))

	.section .text.switch, "ax", @progbits

/* int recover_here(uintptr_t *regs) */
	function recover_here
	sd	ra, JUMP_RA(a0)
	sd	sp, JUMP_SP(a0)
	.irp	n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11
	sd	s\n, JUMP_S(\n)(a0)
	.endr
	csrr	t0, sstatus
	srli	t0, t0, 63
	sd	t0, JUMP_FP(a0)
	beqz	t0, 1f
	.irp	n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11
	fsd	fs\n, JUMP_FS(\n)(a0)
	.endr
1:	li	a0, 0
	ret
	end_function recover_here

/* void arch_jump(const uintptr_t *regs): nothing leads back. */
	function arch_jump
	.cfi_undefined ra
	ld	t0, JUMP_FP(a0)
	beqz	t0, 1f
	.irp	n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11
	fld	fs\n, JUMP_FS(\n)(a0)
	.endr
1:	ld	ra, JUMP_RA(a0)
	ld	sp, JUMP_SP(a0)
	.irp	n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11
	ld	s\n, JUMP_S(\n)(a0)
	.endr
	li	a0, 1
	ret
	end_function arch_jump

	.section .note.GNU-stack, "", @progbits

/*
 * Going back to a place further up the same stack: recover_here() notes the callee-saved registers, arch_jump() loads them. The ABI's
 * control words are among them; x87 registers and the direction flag are not live at a call.
 */

#define JUMP_RBX     0
#define JUMP_RBP     8
#define JUMP_R12     16
#define JUMP_R13     24
#define JUMP_R14     32
#define JUMP_R15     40
#define JUMP_RSP     48 /* after the return */
#define JUMP_RIP     56
#define JUMP_MXCSR   64
#define JUMP_CONTROL 68

	.section .text.switch, "ax"

/* int recover_here(uintptr_t *regs) */
	.balign	16
	.globl	recover_here
	.type	recover_here, @function
recover_here:
	.cfi_startproc
	movq	%rbx, JUMP_RBX(%rdi)
	movq	%rbp, JUMP_RBP(%rdi)
	movq	%r12, JUMP_R12(%rdi)
	movq	%r13, JUMP_R13(%rdi)
	movq	%r14, JUMP_R14(%rdi)
	movq	%r15, JUMP_R15(%rdi)
	leaq	8(%rsp), %rax
	movq	%rax, JUMP_RSP(%rdi)
	movq	(%rsp), %rax
	movq	%rax, JUMP_RIP(%rdi)
	stmxcsr	JUMP_MXCSR(%rdi)
	fnstcw	JUMP_CONTROL(%rdi)
	xorl	%eax, %eax
	ret
	.cfi_endproc
	.size	recover_here, . - recover_here

/* _Noreturn void arch_jump(const uintptr_t *regs): nothing leads back. */
	.balign	16
	.globl	arch_jump
	.type	arch_jump, @function
arch_jump:
	.cfi_startproc
	.cfi_undefined rip
	movq	JUMP_RSP(%rdi), %rsp
	movq	JUMP_RBX(%rdi), %rbx
	movq	JUMP_RBP(%rdi), %rbp
	movq	JUMP_R12(%rdi), %r12
	movq	JUMP_R13(%rdi), %r13
	movq	JUMP_R14(%rdi), %r14
	movq	JUMP_R15(%rdi), %r15
	ldmxcsr	JUMP_MXCSR(%rdi)
	fldcw	JUMP_CONTROL(%rdi)
	movl	$1, %eax
	jmp	*JUMP_RIP(%rdi)
	.cfi_endproc
	.size	arch_jump, . - arch_jump

	.section .note.GNU-stack, "", @progbits

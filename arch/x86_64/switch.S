/*
 * Switching stacks. A suspended voluntary context is, from its sp upwards:
 *
 *	mxcsr (4 bytes), x87 control word (4) | r15 | r14 | r13 | r12 | rbx | rbp | return address
 *
 * The control words are callee-saved by the ABI; without them one goroutine's rounding mode would become
 * another's. The CFI says the same before and after sp changes, so a walk that starts anywhere here is a
 * walk of one of the two contexts.
 */
#include "arch/x86_64/context_offsets.h"
#include "arch/x86_64/frame.inc"

#define MSR_FS_BASE 0xc0000100

	.section .text.switch, "ax"

.macro PUSH reg
	pushq	%\reg
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset \reg, 0
.endm

.macro POP reg
	popq	%\reg
	.cfi_adjust_cfa_offset -8
	.cfi_restore \reg
.endm

/* Thread pointer from rax; changes rax, rcx, rdx. LOAD_TLS_SLOW is its other half, somewhere behind. */
.macro LOAD_TLS
	cmpb	$0, arch_platform(%rip)
	je	1f
	wrfsbase %rax
2:
.endm

.macro LOAD_TLS_SLOW dir=b
1:	movl	$MSR_FS_BASE, %ecx
	movq	%rax, %rdx
	shrq	$32, %rdx
	wrmsr
	jmp	2\dir
.endm

/* Pushes all of the running context but its control words; the flags are where those belong (bit 9 of them: interrupts are on). */
.macro CONTEXT_PUSH
	PUSH	rbp
	PUSH	rbx
	PUSH	r12
	PUSH	r13
	PUSH	r14
	PUSH	r15
	pushfq
	.cfi_adjust_cfa_offset 8
.endm

/* Where it stands, into the struct arch_context at rdi. */
.macro CONTEXT_SAVE
	movq	%rsp, CONTEXT_SP(%rdi)
.endm

/* sp is a suspended context's: runs it. */
.macro CONTEXT_RESUME
	ldmxcsr	(%rsp)
	fldcw	4(%rsp)
	addq	$8, %rsp
#ifndef MUTANT_cfi_directive
	.cfi_adjust_cfa_offset -8
#endif
	POP	r15
	POP	r14
	POP	r13
	POP	r12
	POP	rbx
	POP	rbp
	ret
.endm

/* arch_arrival arch_switch(struct arch_context *from, const struct arch_context *to, struct g **cur, struct g *g, uintptr_t word):
 * returns from and word in rax and rdx, on the other stack. */
	.balign	16
	.globl	arch_switch
	.type	arch_switch, @function
arch_switch:
	.cfi_startproc
	CONTEXT_PUSH
	testb	$2, 1(%rsp)
	jz	3f
	stmxcsr	(%rsp)
	fnstcw	4(%rsp)
	CONTEXT_SAVE
	movq	%rcx, (%rdx)
	movq	CONTEXT_TLS(%rsi), %rax
	LOAD_TLS
	movq	CONTEXT_SP(%rsi), %rsp
	movq	%rdi, %rax
	movq	%r8, %rdx
	.cfi_remember_state
	CONTEXT_RESUME
	.cfi_restore_state
	LOAD_TLS_SLOW
3:	call	switch_irq_off
	ud2
	.cfi_endproc
	.size	arch_switch, . - arch_switch

/* The fresh context at rsi begins: rdi is from, rcx its g, r8 word, r9 entry. */
.macro CONTEXT_BEGIN
	movq	%rcx, (%rdx)
	movq	%rcx, %r13
	movq	%r9, %r12
	movq	CONTEXT_TLS(%rsi), %rax
	LOAD_TLS
	movq	CONTEXT_SP(%rsi), %rsp
	.cfi_undefined rip
	subq	$1, %rsp /* ARCH_CONTEXT_FRESH */
	ldmxcsr	control_words(%rip)
	fldcw	control_words + 4(%rip)
	xorl	%ebp, %ebp
	movq	%rdi, %rax
	movq	%r8, %rdx
	jmp	context_start
.endm

	.section .rodata.control_words, "a"
	.balign	8
control_words:
	.long	MXCSR_DEFAULT, X87_CONTROL_DEFAULT
	.section .text.switch, "ax"

/* arch_arrival arch_begin(struct arch_context *from, const struct arch_context *to, struct g **cur, struct g *g, uintptr_t word,
 * arch_entry_fn *entry) */
	.balign	16
	.globl	arch_begin
	.type	arch_begin, @function
arch_begin:
	.cfi_startproc
	CONTEXT_PUSH
	testb	$2, 1(%rsp)
	jz	3f
	stmxcsr	(%rsp)
	fnstcw	4(%rsp)
	CONTEXT_SAVE
	.cfi_remember_state
	CONTEXT_BEGIN
	.cfi_restore_state
	LOAD_TLS_SLOW
3:	call	switch_irq_off
	ud2
	.cfi_endproc
	.size	arch_begin, . - arch_begin

/* void arch_begin_last(the same) */
	.balign	16
	.globl	arch_begin_last
	.type	arch_begin_last, @function
arch_begin_last:
	.cfi_startproc
	pushfq
	.cfi_adjust_cfa_offset 8
	testb	$2, 1(%rsp)
	jz	3f
	.cfi_remember_state
4:	CONTEXT_BEGIN
	.cfi_restore_state
	LOAD_TLS_SLOW
3:	testq	%rdi, %rdi
	jz	4b
	call	switch_irq_off
	ud2
	.cfi_endproc
	.size	arch_begin_last, . - arch_begin_last

/* void arch_resume(const struct arch_context *to, struct g **cur, struct g *g, struct arch_context *from, uintptr_t word) */
	.balign	16
	.globl	arch_resume
	.type	arch_resume, @function
arch_resume:
	.cfi_startproc
	.cfi_undefined rip
	pushfq
	testb	$2, 1(%rsp)
	jz	3f
	movq	%rdx, (%rsi)
	movq	%rcx, %r9
	movq	CONTEXT_TLS(%rdi), %rax
	LOAD_TLS
	.cfi_remember_state
	movq	CONTEXT_SP(%rdi), %rsp
	.cfi_offset rip, -8
	.cfi_def_cfa_offset 64
	.cfi_offset rbp, -16
	.cfi_offset rbx, -24
	.cfi_offset r12, -32
	.cfi_offset r13, -40
	.cfi_offset r14, -48
	.cfi_offset r15, -56
	movq	%r9, %rax
	movq	%r8, %rdx
	CONTEXT_RESUME
	.cfi_restore_state
	LOAD_TLS_SLOW
3:	call	switch_irq_off
	ud2
	.cfi_endproc
	.size	arch_resume, . - arch_resume

/* _Noreturn void context_resume(struct arch_context *to, uintptr_t word): leaves the running stack for good. */
	.balign	16
	.globl	context_resume
	.type	context_resume, @function
context_resume:
	.cfi_startproc
	movq	CONTEXT_TLS(%rdi), %rax
	LOAD_TLS
	.cfi_remember_state
	movq	CONTEXT_SP(%rdi), %rsp
	.cfi_def_cfa_offset 64
	.cfi_offset rbp, -16
	.cfi_offset rbx, -24
	.cfi_offset r12, -32
	.cfi_offset r13, -40
	.cfi_offset r14, -48
	.cfi_offset r15, -56
	movq	%rsi, %rdx
	CONTEXT_RESUME
	.cfi_restore_state
	LOAD_TLS_SLOW
	.cfi_endproc
	.size	context_resume, . - context_resume

/*
 * arch_arrival arch_switch_frame(struct arch_context *from, struct arch_frame *frame)
 *
 * The FP state is the frame's already (arch_fpu_restore), its control words too: from, which is a
 * scheduler, gets the default ones.
 */
	.balign	16
	.globl	arch_switch_frame
	.type	arch_switch_frame, @function
arch_switch_frame:
	.cfi_startproc
	CONTEXT_PUSH
	movl	$MXCSR_DEFAULT, (%rsp)
	movl	$X87_CONTROL_DEFAULT, 4(%rsp)
	CONTEXT_SAVE
	movq	FRAME_TLS(%rsi), %rax
	cmpb	$0, arch_platform(%rip)
	je	1f
	wrfsbase %rax
	jmp	2f
	LOAD_TLS_SLOW f
2:
	movq	%rsi, %rsp
	.cfi_endproc
	.size	arch_switch_frame, . - arch_switch_frame

/*
 * Continues arch_switch_frame, with rsp at the frame: a function of its own, because its caller was
 * interrupted.
 */
	.type	frame_resume, @function
frame_resume:
	.cfi_startproc simple
	FRAME_CFI FRAME_SIZE
	.set	frame_slot, 0
	.irp reg, r15, r14, r13, r12, r11, r10, r9, r8, rbp, rdi, rsi, rdx, rcx, rbx, rax
	.cfi_offset \reg, FRAME_R15 - FRAME_SIZE + 8 * frame_slot
	.set	frame_slot, frame_slot + 1
	.endr
	FRAME_RESUME
	.cfi_endproc
	.size	frame_resume, . - frame_resume

/*
 * Where a fresh context begins: r12 is entry, r13 its first argument. The root of every walk. A walk looks up the address below a return
 * address, so that must be in the function too; one of a context that has not begun starts behind the nop.
 */
	.balign	16
	.globl	context_start
	.type	context_start, @function
context_start:
	.cfi_startproc
	.cfi_undefined rip
	nop
	movq	%rax, %rsi
	movq	%r13, %rdi
	call	*%r12
	.globl	__context_call_end
__context_call_end:
	ud2
	.cfi_endproc
	.size	context_start, . - context_start

/* void arch_call_on(uintptr_t stack_top, void (*fn)(void *), void *arg) */
	.balign	16
	.globl	arch_call_on
	.type	arch_call_on, @function
arch_call_on:
	.cfi_startproc
	pushq	%rbp
	.cfi_def_cfa_offset 16
	.cfi_offset rbp, -16
	movq	%rsp, %rbp
	.cfi_def_cfa_register rbp
	movq	%rdi, %rsp
	movq	%rdx, %rdi
	call	*%rsi
	leave
	.cfi_def_cfa rsp, 8
	.cfi_restore rbp
	ret
	.cfi_endproc
	.size	arch_call_on, . - arch_call_on

	.section .note.GNU-stack, "", @progbits

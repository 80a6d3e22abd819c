/*
 * Trap entry and exit. Every vector has an IST stack, so nothing is pushed on the interrupted stack and its
 * red zone is safe; a stub completes the hardware's part of the frame, and one entry for each class of trap
 * saves the rest and calls C (arch/x86_64/trap.c). GS base is the hart in all code, so nothing is swapped.
 */
#include "arch/x86_64/frame.inc"

	.section .text.trap, "ax"

/* One stub of 16 bytes for each vector. `error`: the processor pushed an error code. */
.macro STUB vector, error, entry
	.balign	16
	.cfi_def_cfa rsp, 40 + 8 * \error
	.if	\error == 0
	pushq	$0
	.cfi_adjust_cfa_offset 8
	.endif
	pushq	$\vector
	.cfi_adjust_cfa_offset 8
	jmp	\entry
.endm

	.balign	16
	.globl	trap_stubs
	.type	trap_stubs, @function
trap_stubs:
	.cfi_startproc simple
	FRAME_CFI 40
	STUB	0, 0, trap_exception_entry
	STUB	1, 0, trap_debug_entry
	STUB	2, 0, trap_nmi_entry
	STUB	3, 0, trap_exception_entry
	STUB	4, 0, trap_exception_entry
	STUB	5, 0, trap_exception_entry
	STUB	6, 0, trap_exception_entry
	STUB	7, 0, trap_exception_entry
	STUB	8, 1, trap_fatal_entry
	STUB	9, 0, trap_exception_entry
	STUB	10, 1, trap_exception_entry
	STUB	11, 1, trap_exception_entry
	STUB	12, 1, trap_exception_entry
	STUB	13, 1, trap_exception_entry
	STUB	14, 1, trap_exception_entry
	STUB	15, 0, trap_exception_entry
	STUB	16, 0, trap_exception_entry
	STUB	17, 1, trap_exception_entry
	STUB	18, 0, trap_fatal_entry
	STUB	19, 0, trap_exception_entry
	STUB	20, 0, trap_exception_entry
	STUB	21, 1, trap_exception_entry
	STUB	22, 0, trap_exception_entry
	STUB	23, 0, trap_exception_entry
	STUB	24, 0, trap_exception_entry
	STUB	25, 0, trap_exception_entry
	STUB	26, 0, trap_exception_entry
	STUB	27, 0, trap_exception_entry
	STUB	28, 0, trap_exception_entry
	STUB	29, 1, trap_exception_entry
	STUB	30, 1, trap_exception_entry
	STUB	31, 0, trap_exception_entry
	.set	vector, 32
	.rept	VECTOR_COUNT - 32
	STUB	vector, 0, trap_irq_entry
	.set	vector, vector + 1
	.endr
	.cfi_endproc
	.size	trap_stubs, . - trap_stubs

.macro ENTRY name, handler
	.type	\name, @function
\name:
	.cfi_startproc simple
	FRAME_CFI 56
	FRAME_SAVE
	movq	%rsp, %rdi
	call	\handler
.endm

.macro ENTRY_END name
	.cfi_endproc
	.size	\name, . - \name
.endm

	ENTRY	trap_irq_entry, trap_irq
	FRAME_RESUME
	ENTRY_END trap_irq_entry

	ENTRY	trap_exception_entry, trap_exception
	FRAME_RESUME
	ENTRY_END trap_exception_entry

	ENTRY	trap_nmi_entry, trap_nmi
	FRAME_RESUME
	ENTRY_END trap_nmi_entry

	ENTRY	trap_debug_entry, trap_debug
	ud2
	ENTRY_END trap_debug_entry

	ENTRY	trap_fatal_entry, trap_fatal
	ud2
	ENTRY_END trap_fatal_entry

	.section .note.GNU-stack, "", @progbits

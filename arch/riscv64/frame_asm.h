/*
 * Assembly macros over struct arch_frame, with the call frame information that is right at each instruction.
 *
 * Code that stands on a frame is described as a signal frame: CFA = end of the frame, every register at its slot, sp
 * included, and the interrupted pc in column 64.
 */
#ifndef ARCH_RISCV64_FRAME_ASM_H
#define ARCH_RISCV64_FRAME_ASM_H

#include "arch/riscv64/csr.h"
#include "arch/riscv64/frame_offsets.h"

/* Starts a function that runs on behalf of interrupted code. */
.macro signal_function name
	.globl	\name
	.type	\name, @function
\name:
	.cfi_startproc
	.cfi_signal_frame
	.cfi_return_column DWARF_PC
.endm

.macro function name
	.globl	\name
	.type	\name, @function
\name:
	.cfi_startproc
.endm

.macro end_function name
	.cfi_endproc
	.size	\name, . - \name
.endm

/* Every register that may differ in a resumed frame, but sp, gp and t0. */
.macro for_registers do
	.irp n, 1, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
	\do	\n
	.endr
.endm

.macro frame_save_one n
	sd	x\n, FRAME_X(\n)(sp)
.endm

.macro frame_load_one n
	ld	x\n, FRAME_X(\n)(sp)
.endm

.macro frame_cfi_one n
	.cfi_offset \n, FRAME_X(\n) - FRAME_SIZE
.endm

.macro frame_uncfi_one n
	.cfi_same_value \n
.endm

/* sp is a complete frame. */
.macro frame_cfi
	.cfi_def_cfa sp, FRAME_SIZE
	for_registers frame_cfi_one
	frame_cfi_one 2
	frame_cfi_one 3
	frame_cfi_one 5
	.cfi_offset DWARF_PC, FRAME_PC - FRAME_SIZE
.endm

/* The interrupted code is in the registers again, its pc in sepc. */
.macro frame_uncfi
	.cfi_def_cfa sp, 0
	for_registers frame_uncfi_one
	.cfi_same_value 2
	.cfi_same_value 3
	.cfi_same_value 5
	.cfi_register DWARF_PC, DWARF_SEPC
.endm

/* sp is a complete frame, interrupts are off: all but sp. The status has SIE off, so that they stay off until sret.
 * gp stays: the code may resume on another hart than it was interrupted on. */
.macro frame_load
	ld	t0, FRAME_PC(sp)
	csrw	sepc, t0
	ld	t0, FRAME_STATUS(sp)
	csrw	sstatus, t0
	for_registers frame_load_one
	ld	t0, FRAME_X(5)(sp)
.endm

#endif

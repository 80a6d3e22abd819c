/*
 * Entry of a supervisor software event (SBI SSE, docs/architecture.md): the firmware enters here whatever the hart does,
 * with interrupts off or inside trap entry.
 *
 * At entry: a6 hart id, a7 the hart pointer that was registered, sepc the interrupted pc, sstatus.SPIE whether
 * interrupts were on; every other register is the interrupted code's, sp included, which may be anything. The firmware
 * keeps the interrupted a6 and a7, and an interrupted trap's sepc, and gives them back at `complete`.
 *
 * 1. sscratch, scause and stval are not touched, and nothing in the handler traps. Otherwise a trap that was interrupted
 *    at its entry would go on with another's.
 */
#include "arch/riscv64/frame_asm.h"
#include "arch/riscv64/outer_numbers.h"
#include "arch/riscv64/sbi_numbers.h"
#include "kernel/hart_offsets.h"

	.section .text.trap, "ax", @progbits

	.balign	4
	signal_function nmi_entry
	.cfi_register DWARF_PC, DWARF_SEPC
	.cfi_def_cfa sp, 0
	.cfi_same_value 2
	sd	sp, HART_NMI_SCRATCH(a7)
	ld	sp, HART_NMI_STACK_TOP(a7)
.Lnmi_entry_in_scratch:
	.cfi_escape 0x0f, 5, 0x70 + 17, (HART_NMI_SCRATCH & 0x7f) | 0x80, HART_NMI_SCRATCH >> 7, 0x06, 0x96
	.cfi_escape 0x10, 2, 3, 0x70 + 17, (HART_NMI_SCRATCH & 0x7f) | 0x80, HART_NMI_SCRATCH >> 7
	addi	sp, sp, -FRAME_SIZE
	for_registers frame_save_one
	sd	t0, FRAME_X(5)(sp)
	sd	gp, FRAME_X(3)(sp)
	ld	t0, HART_NMI_SCRATCH(a7)
	sd	t0, FRAME_X(2)(sp)
	csrr	t0, sepc
	sd	t0, FRAME_PC(sp)
.Lnmi_entry_in_frame:
	frame_cfi
	csrr	t0, sstatus
	sd	t0, FRAME_STATUS(sp)
	sd	zero, FRAME_CAUSE(sp)
	sd	zero, FRAME_TVAL(sp)
	mv	gp, a7
	mv	a0, sp
	call	nmi_dispatch
	for_registers frame_load_one
	ld	t0, FRAME_X(5)(sp)
	ld	gp, FRAME_X(3)(sp)
	ld	sp, FRAME_X(2)(sp)
	frame_uncfi
.Lnmi_entry_left:
	li	a7, SBI_EXT_SSE
	li	a6, SBI_SSE_COMPLETE
	ecall
	unimp
	end_function nmi_entry
.Lnmi_entry_end:
	.balign	4 /* else the linker's padding hides the next file's first line from debuggers */

	/* As trap_places in trap.S. */
	.section .rodata.nmi_places, "a", @progbits
	.balign	8
	.globl	nmi_places
nmi_places:
	.dword	nmi_entry, .Lnmi_entry_in_scratch, OUTER_IN_SP
	.dword	.Lnmi_entry_in_scratch, .Lnmi_entry_in_frame, OUTER_IN_NMI_SCRATCH
	.dword	.Lnmi_entry_left, .Lnmi_entry_end, OUTER_IN_SP
	.dword	0

	.section .note.GNU-stack, "", @progbits

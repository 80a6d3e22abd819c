/*
 * Trap entry and exit.
 *
 * sscratch is the hart pointer while interrupted code runs. Entry swaps it with sp; finding 0 means a trap inside a
 * trap. The frame is built at the top of the hart's interrupt or exception stack, never on the interrupted one, so that
 * a bad sp does no harm and nothing below it is overwritten.
 *
 * 1. From the second swap until the last but one instruction before sret, sscratch is 0. Otherwise a fault in here
 *    would overwrite the frame in use.
 * 2. What is touched is wired. Otherwise a fault in here would be a trap inside a trap.
 * 3. Interrupts are off from entry to sret: the handler never turns them on.
 *
 * Where the interrupted registers are is said twice: in call frame information, for debuggers, and in the table at the end, for walks of an
 * NMI (arch/riscv64/outer.c): the rules of the symbol table cannot say it.
 */
#include "arch/riscv64/frame_asm.h"
#include "arch/riscv64/outer_numbers.h"
#include "kernel/hart_offsets.h"

/* Call frame information where interrupted registers lie in memory that is not the frame: expressions of DWARF.
 * Operands below 64 fit one byte. */
#define DW_CFA_DEF_CFA_EXPRESSION 0x0f
#define DW_CFA_EXPRESSION	  0x10
#define DW_OP_DEREF		  0x06
#define DW_OP_BREG(n)		  0x70 + (n)
#define DW_OP_BREGX		  0x92

	/* register \n was saved at the word \offset of what register \base points to */
	.macro	saved_at n, base, offset
	.cfi_escape DW_CFA_EXPRESSION, \n, 3, DW_OP_BREG(\base), ((\offset) & 0x7f) | 0x80, (\offset) >> 7
	.endm

	/* the interrupted sp is in sscratch, the interrupted pc in sepc */
	.macro	interrupted_sp_in_sscratch
	.cfi_escape DW_CFA_DEF_CFA_EXPRESSION, 4, DW_OP_BREGX, (DWARF_SSCRATCH & 0x7f) | 0x80, DWARF_SSCRATCH >> 7, 0
	.cfi_register sp, DWARF_SSCRATCH
	.endm

	.section .text.trap, "ax", @progbits

	.balign	4
	signal_function trap_entry
	.cfi_register DWARF_PC, DWARF_SEPC
	csrrw	sp, sscratch, sp
.Ltrap_entry_in_sscratch:
	interrupted_sp_in_sscratch
	beqz	sp, trap_nested
	sd	t0, HART_SCRATCH(sp)
	saved_at 5, 2, HART_SCRATCH
	csrrw	t0, sscratch, zero
.Ltrap_entry_in_t0:
	.cfi_def_cfa t0, 0
	.cfi_register sp, t0
	sd	t0, HART_SCRATCH + 8(sp)
	sd	gp, HART_SCRATCH + 16(sp)
	mv	gp, sp
	saved_at 5, 3, HART_SCRATCH
	saved_at 3, 3, HART_SCRATCH + 16
	csrr	t0, scause
.Ltrap_entry_in_hart:
	.cfi_escape DW_CFA_DEF_CFA_EXPRESSION, 3, DW_OP_BREG(3), HART_SCRATCH + 8, DW_OP_DEREF
	saved_at 2, 3, HART_SCRATCH + 8
	bltz	t0, 1f
	ld	sp, HART_EXC_STACK_TOP(gp)
	j	2f
1:	ld	sp, HART_IRQ_STACK_TOP(gp)
2:	addi	sp, sp, -FRAME_SIZE
	for_registers frame_save_one
	ld	t0, HART_SCRATCH(gp)
	sd	t0, FRAME_X(5)(sp)
	ld	t0, HART_SCRATCH + 8(gp)
	sd	t0, FRAME_X(2)(sp)
	ld	t0, HART_SCRATCH + 16(gp)
	sd	t0, FRAME_X(3)(sp)
	csrr	t0, sepc
	sd	t0, FRAME_PC(sp)
.Ltrap_entry_in_frame:
	frame_cfi
	csrr	t0, sstatus
	sd	t0, FRAME_STATUS(sp)
	csrr	t0, scause
	sd	t0, FRAME_CAUSE(sp)
	csrr	t0, stval
	sd	t0, FRAME_TVAL(sp)
	mv	a0, sp
	call	trap_dispatch
	frame_load
	csrw	sscratch, gp
	ld	sp, FRAME_X(2)(sp)
	frame_uncfi
.Ltrap_entry_left:
	sret
	end_function trap_entry

/*
 * A trap inside a trap: a frame at the top of the panic stack, for the report. gp is trusted only after it is seen to
 * point to a hart; until then a further trap ends the machine. A trap inside the report comes here again and starts a
 * report of its own, which finds that one is under way.
 */
	signal_function trap_nested
	.cfi_register DWARF_PC, DWARF_SEPC
	interrupted_sp_in_sscratch
	la	sp, trap_last
	csrw	stvec, sp
	ld	sp, HART_SELF(gp)
	bne	sp, gp, trap_last
	ld	sp, HART_PANIC_STACK_TOP(gp)
	addi	sp, sp, -FRAME_SIZE
	sd	t0, FRAME_X(5)(sp)
	sd	gp, FRAME_X(3)(sp)
	for_registers frame_save_one
	csrrw	t0, sscratch, zero
.Ltrap_nested_in_t0:
	.cfi_def_cfa t0, 0
	.cfi_register sp, t0
	saved_at 5, 2, FRAME_X(5)
	sd	t0, FRAME_X(2)(sp)
.Ltrap_nested_sp_in_frame:
	.cfi_escape DW_CFA_DEF_CFA_EXPRESSION, 4, DW_OP_BREG(2), FRAME_X(2), DW_OP_DEREF, 0x96 /* nop */
	saved_at 2, 2, FRAME_X(2)
	csrr	t0, sepc
	sd	t0, FRAME_PC(sp)
.Ltrap_nested_in_frame:
	frame_cfi
	csrr	t0, sstatus
	sd	t0, FRAME_STATUS(sp)
	csrr	t0, scause
	sd	t0, FRAME_CAUSE(sp)
	csrr	t0, stval
	sd	t0, FRAME_TVAL(sp)
	la	t0, trap_entry
	csrw	stvec, t0
	mv	a0, sp
	call	trap_dispatch_nested
	unimp
	end_function trap_nested

/* The hart pointer or the panic stack is lost as well. Nothing leads back from here. */
	.balign	4
	function trap_last
	.cfi_undefined ra
	la	sp, trap_last_stack_end
	csrr	a0, sepc
	csrr	a1, scause
	csrr	a2, stval
	call	trap_dispatch_last
	unimp
	end_function trap_last

	.section .bss.trap_last_stack, "aw", @nobits
	.balign	16
	.globl	trap_last_stack, trap_last_stack_end
trap_last_stack:
	.skip	4096
trap_last_stack_end:

	.section .rodata.trap_places, "a", @progbits
	.balign	8
	.globl	trap_places
trap_places:
	.dword	trap_entry, .Ltrap_entry_in_sscratch, OUTER_IN_SP
	.dword	.Ltrap_entry_in_sscratch, .Ltrap_entry_in_t0, OUTER_IN_SSCRATCH
	.dword	.Ltrap_entry_in_t0, .Ltrap_entry_in_hart, OUTER_IN_T0
	.dword	.Ltrap_entry_in_hart, .Ltrap_entry_in_frame, OUTER_IN_HART
	.dword	.Ltrap_entry_left, .Ltrap_entry_left + 4, OUTER_IN_SP
	.dword	trap_nested, .Ltrap_nested_in_t0, OUTER_IN_SSCRATCH
	.dword	.Ltrap_nested_in_t0, .Ltrap_nested_sp_in_frame, OUTER_IN_T0
	.dword	.Ltrap_nested_sp_in_frame, .Ltrap_nested_in_frame, OUTER_IN_FRAME
	.dword	0

	.section .note.GNU-stack, "", @progbits

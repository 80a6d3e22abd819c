/*
 * First instructions of each hart. The firmware enters in S-mode with paging and interrupts off, a0 = hart id,
 * a1 = device tree (boot hart) or struct hart (the others, boot_hart_start()). Linked and running at physical addresses.
 *
 * Until arch_hart_enter() a trap goes to boot_trap: one line and the end.
 *
 * OpenSBI before 1.3 (QEMU 7.2 has 1.1 built in) marks a hart as to be started before it notes where. One that is just coming up then, on a
 * busy host, goes where the boot hart went: to _start, with its id and no struct hart. It finds that there is a boot hart, and its own
 * struct hart by its id.
 */
#include "arch/riscv64/csr.h"
#include "arch/riscv64/frame_asm.h"
#include "kernel/hart_offsets.h"

#define BOOT_STACK_SIZE 32768

	/* The first loaded address: QEMU and the firmware jump there, not to the ELF entry. */
	.section .text.entry, "ax", @progbits
	function _start
	.cfi_undefined ra
	rdtime	a2
	csrw	sie, zero
	csrci	sstatus, SSTATUS_SIE
	la	t0, boot_hart_taken
	li	t1, 1
	amoswap.w.aqrl	t1, t1, (t0)
	bnez	t1, boot_astray
	csrw	satp, zero
	la	t0, boot_trap
	csrw	stvec, t0
	la	t0, __bss_start
	la	t1, __bss_end
1:	sd	zero, 0(t0)		/* .bss ends on a page */
	sd	zero, 8(t0)
	sd	zero, 16(t0)
	sd	zero, 24(t0)
	sd	zero, 32(t0)
	sd	zero, 40(t0)
	sd	zero, 48(t0)
	sd	zero, 56(t0)
	addi	t0, t0, 64
	bltu	t0, t1, 1b
	la	sp, boot_stack_end
	mv	gp, zero
	mv	tp, zero
	mv	s0, zero
	call	boot_start
	unimp
	end_function _start

	.section .text.boot, "ax", @progbits
	/* A hart at the wrong entry; a0 = hart id. */
	function boot_astray
	.cfi_undefined ra
	la	t0, harts
	lwu	t1, hart_count
1:	beqz	t1, 2f
	ld	a1, 0(t0)
	ld	t2, HART_HWID(a1)
	beq	t2, a0, boot_secondary_entry
	addi	t0, t0, 8
	addi	t1, t1, -1
	j	1b
2:	wfi				/* nobody has asked for it */
	j	2b
	end_function boot_astray

	function boot_secondary_entry
	.cfi_undefined ra
	csrw	sie, zero
	csrci	sstatus, SSTATUS_SIE
	la	t0, boot_trap
	csrw	stvec, t0
	ld	t0, mmu_satp
	sfence.vma
	csrw	satp, t0
	sfence.vma
	ld	sp, HART_SYS_STACK_TOP(a1)
	mv	gp, zero
	mv	tp, zero
	mv	s0, zero
	mv	a0, a1
	call	boot_secondary
	unimp
	end_function boot_secondary_entry

	.balign	4
	function boot_trap
	.cfi_undefined ra
	la	sp, boot_stack_end
	csrr	a0, scause
	csrr	a1, sepc
	csrr	a2, stval
	call	boot_trap_report
	unimp
	end_function boot_trap

	.section .data.boot_hart_taken, "aw", @progbits
	.balign	4
boot_hart_taken:			/* not in .bss, which the boot hart clears */
	.word	0

	.section .bss.boot_stack, "aw", @nobits
	.balign	4096
	.skip	BOOT_STACK_SIZE
boot_stack_end:

	.section .note.GNU-stack, "", @progbits

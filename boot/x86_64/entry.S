/*
 * First instructions, on the boot hart (PVH: 32-bit protected mode, paging off, ebx = start info) and,
 * behind the trampoline, on every other one. PVH: Xen's docs/misc/pvh.pandoc; the note is what QEMU looks
 * for.
 *
 * The boot page tables identity map the first 4 GiB with every permission. The boot hart leaves them in
 * arch_mmu_init(); the others pass through them from the trampoline, so that the kernel's own tables never
 * have a low executable page.
 */
#include "arch/x86_64/frame_offsets.h"
#include "boot/x86_64/entry.h"
#include "kernel/hart_offsets.h"

	.section .note.pvh, "a", @note
	.balign	4
	.long	4, 4, 18			/* XEN_ELFNOTE_PHYS32_ENTRY */
	.asciz	"Xen"
	.long	_start

	.section .text.entry, "ax"
	.code32
	.globl	_start
	.type	_start, @function
_start:
	.cfi_startproc
	.cfi_undefined 16	/* rip: the name is not known in .code32 */
	cli
	cld
	movl	$boot_stack_end, %esp
	movl	%ebx, %ebp

	/* One root entry, four directories of 2 MiB pages behind it. */
	movl	$boot_pdpt + ENTRY_TABLE, boot_pml4
	movl	$boot_pd + ENTRY_TABLE, %eax
	xorl	%ecx, %ecx
1:	movl	%eax, boot_pdpt(, %ecx, 8)
	addl	$4096, %eax
	incl	%ecx
	cmpl	$4, %ecx
	jne	1b
	movl	$ENTRY_PAGE, %eax
	xorl	%ecx, %ecx
2:	movl	%eax, boot_pd(, %ecx, 8)
	addl	$0x200000, %eax
	incl	%ecx
	cmpl	$4 * 512, %ecx
	jne	2b

	/* Long mode, and no-execute where there is such a thing (start() refuses a processor without it). */
	movl	$0x80000001, %eax
	cpuid
	andl	$1 << 20, %edx
	shrl	$20 - 11, %edx
	orl	$EFER_LME, %edx
	movl	%edx, %eax
	xorl	%edx, %edx
	movl	$MSR_EFER, %ecx
	wrmsr
	movl	$boot_pml4, %eax
	movl	%eax, %cr3
	movl	$BOOT_CR4, %eax
	movl	%eax, %cr4
	movl	$BOOT_CR0, %eax
	movl	%eax, %cr0
	lgdt	boot_gdt_pointer
	ljmp	$SELECTOR_CODE, $start64
	.cfi_endproc
	.size	_start, . - _start

	.code64
	.type	start64, @function
start64:
	.cfi_startproc
	.cfi_undefined rip
	movl	$SELECTOR_DATA, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %ss
	xorl	%eax, %eax
	movl	%eax, %fs
	movl	%eax, %gs
	movl	$boot_stack_end, %esp
	movl	%ebp, %edi
	xorl	%ebp, %ebp
	call	start
	ud2
	.cfi_endproc
	.size	start64, . - start64

/*
 * Another hart, from the trampoline, in long mode on the boot page tables: the kernel's own, the hart's
 * system stack, C.
 */
	.globl	secondary_entry
	.type	secondary_entry, @function
secondary_entry:
	.cfi_startproc
	.cfi_undefined rip
	movl	$SELECTOR_DATA, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %ss
	xorl	%eax, %eax
	movl	%eax, %fs
	movl	%eax, %gs
	xorl	%ebp, %ebp
	movl	$1, %eax		/* ebx, bits 24 to 31: APIC id */
	cpuid
	shrl	$24, %ebx
	movq	secondary_harts(, %rbx, 8), %rdi
	movq	secondary_root, %rax
	movq	%rax, %cr3
	movq	HART_SYS_STACK_TOP(%rdi), %rsp
	call	start_secondary
	ud2
	.cfi_endproc
	.size	secondary_entry, . - secondary_entry

	.section .rodata.boot, "a"
	.balign	8
boot_gdt:
	.quad	0
	.quad	0x00af9b000000ffff	/* SELECTOR_CODE: 64-bit code */
	.quad	0x00cf93000000ffff	/* SELECTOR_DATA */
	.quad	0x00cf9b000000ffff	/* SELECTOR_CODE32 */
boot_gdt_end:
	.globl	boot_gdt_pointer
boot_gdt_pointer:
	.word	boot_gdt_end - boot_gdt - 1
	.quad	boot_gdt

	.section .bss.boot, "aw", @nobits
	.balign	4096
	.globl	boot_pml4, boot_pdpt, boot_pd
boot_pml4:
	.skip	4096
boot_pdpt:
	.skip	4096
boot_pd:
	.skip	4 * 4096
boot_stack:
	.skip	BOOT_STACK_SIZE
boot_stack_end:

	.section .note.GNU-stack, "", @progbits

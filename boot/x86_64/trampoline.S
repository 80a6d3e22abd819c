/*
 * Where every hart but the boot hart starts: real mode, at TRAMPOLINE_PAGE, where boot/x86_64/harts.c
 * copies these bytes. Straight to long mode on the boot page tables, then into the image.
 */
#include "arch/x86_64/frame_offsets.h"
#include "boot/x86_64/entry.h"

#define HERE(label) (TRAMPOLINE_PAGE + (label) - trampoline_start)

	.section .rodata.trampoline, "a"
	.balign	16
	.globl	trampoline_start, trampoline_end
trampoline_start:
	.code16
	cli
	cld
	xorw	%ax, %ax
	movw	%ax, %ds
	lgdtl	HERE(trampoline_gdt_pointer)
	movl	$0x11, %eax		/* PE, ET: caches on */
	movl	%eax, %cr0
	ljmpl	$SELECTOR_CODE32, $HERE(trampoline32)

	.code32
trampoline32:
	movl	$SELECTOR_DATA, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %ss
	movl	$EFER_LME | EFER_NXE, %eax
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
	ljmp	$SELECTOR_CODE, $secondary_entry

	.balign	8
trampoline_gdt:
	.quad	0
	.quad	0x00af9b000000ffff
	.quad	0x00cf93000000ffff
	.quad	0x00cf9b000000ffff
trampoline_gdt_end:
trampoline_gdt_pointer:
	.word	trampoline_gdt_end - trampoline_gdt - 1
	.long	HERE(trampoline_gdt)
trampoline_end:
	.code64

	.section .note.GNU-stack, "", @progbits

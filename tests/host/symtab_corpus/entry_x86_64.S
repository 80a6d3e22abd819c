/* Entry of the corpus as a Linux process, and assembly of each kind that the table must describe. */
	.section .text.entry, "ax"
	.globl _start
	.type _start, @function
_start:
	.cfi_startproc
	.cfi_undefined rip
	lea __stack_hi(%rip), %rsp
	xor %ebp, %ebp
	call corpus_main
	mov %eax, %edi
	call finish
	.cfi_endproc
	.size _start, . - _start

/* exit(status) */
	.globl asm_exit
	.type asm_exit, @function
asm_exit:
	.cfi_startproc
	mov $60, %eax
	syscall
	ud2
	.cfi_endproc
	.size asm_exit, . - asm_exit

	.text
/* Assembly with CFI: moves rsp, saves rbp, calls back. long asm_call(long (*fn)(long), long arg) */
	.globl asm_call
	.type asm_call, @function
asm_call:
	.cfi_startproc
	push %rbx
	.cfi_adjust_cfa_offset 8
	push %rbp
	.cfi_adjust_cfa_offset 8
	.cfi_offset rbp, -24
	sub $24, %rsp
	.cfi_adjust_cfa_offset 24
	mov %rdi, %rax
	mov %rsi, %rdi
	xor %ebp, %ebp		/* rbp is anything here: the rules must not need it */
	call *%rax
	add $24, %rsp
	.cfi_adjust_cfa_offset -24
	pop %rbp
	.cfi_adjust_cfa_offset -8
	.cfi_restore rbp
	pop %rbx
	.cfi_adjust_cfa_offset -8
	ret
	.cfi_endproc
	.size asm_call, . - asm_call

/* Assembly without CFI, type and size, with a local label: long asm_leaf(long x) */
	.globl asm_leaf
asm_leaf:
	mov %rdi, %rax
inner_label:
	add $3, %rax
	ret

/*
 * A function with a second, global entry, whose size says less than there is, an alias, a weak name and a label that all
 * would come first in the alphabet.
 */
	.globl asm_two, asm_two_alias
	.weak a_weak
	.type a_weak, @function
	.type asm_two, @function
	.type asm_two_alias, @function
a_label:
asm_two:
a_weak:
asm_two_alias:
	.cfi_startproc
	inc %rdi
	.globl asm_two_second
	.type asm_two_second, @function
asm_two_second:
	lea 1(%rdi), %rax
	ret
	.cfi_endproc
	.size asm_two, . - asm_two
	.size a_weak, . - a_weak
	.size asm_two_second, 1
	.size asm_two_alias, . - asm_two_alias

/*
 * An interrupted frame, as trap entry leaves it: 512 bytes on another part of the stack hold pc, sp and rbp of the
 * interrupted code. long asm_signal(long (*fn)(long), long arg) calls fn from such a frame.
 */
	.globl asm_signal
	.type asm_signal, @function
asm_signal:
	.cfi_startproc
	mov %rsp, %rax		/* sp of the "interrupted" code, which stands at signal_back with rsp as now */
	sub $256, %rsp
	.cfi_adjust_cfa_offset 256
	push %rax
	.cfi_adjust_cfa_offset 8
	push %rbp
	.cfi_adjust_cfa_offset 8
	lea signal_back(%rip), %rcx
	push %rcx
	.cfi_adjust_cfa_offset 8
	mov %rdi, %rax
	mov %rsi, %rdi
	jmp signal_entry
	.cfi_endproc
	.size asm_signal, . - asm_signal
	.globl asm_signal_entry
	.type asm_signal_entry, @function
	.cfi_startproc
	.cfi_signal_frame
	.cfi_def_cfa rsp, 24
	.cfi_offset rip, -24
	.cfi_offset rbp, -16
	.cfi_offset rsp, -8
asm_signal_entry:
signal_entry:
	sub $8, %rsp
	.cfi_adjust_cfa_offset 8
	call *%rax
	add $8, %rsp
	.cfi_adjust_cfa_offset -8
	mov 8(%rsp), %rbp
	mov 16(%rsp), %rcx
	pop %rdx
	.cfi_def_cfa rsp, 16
	.cfi_register rip, rdx	/* a form that a rule cannot hold: the walk is broken here */
	jmp signal_leave
	.cfi_endproc
	.size asm_signal_entry, . - asm_signal_entry
	.globl asm_signal_leave
	.type asm_signal_leave, @function
	.cfi_startproc
asm_signal_leave:
signal_leave:
	.cfi_def_cfa rcx, 8
	mov %rcx, %rsp
	.cfi_def_cfa rsp, 8
	jmp *%rdx
	.cfi_endproc
	.size asm_signal_leave, . - asm_signal_leave
	.globl asm_signal_back
	.type asm_signal_back, @function
	.cfi_startproc
asm_signal_back:
	nop
signal_back:
	ret
	.cfi_endproc
	.size asm_signal_back, . - asm_signal_back
	.section .note.GNU-stack, "", @progbits

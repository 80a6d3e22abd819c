/* Entry of the corpus, never run, and assembly of each kind that the table must describe. */
	.section .text.entry, "ax"
	.globl _start
	.type _start, @function
_start:
	.cfi_startproc
	.cfi_undefined ra
	la sp, __stack_hi
	li s0, 0
	call corpus_main
	call finish
	.cfi_endproc
	.size _start, . - _start
	.globl asm_exit
	.type asm_exit, @function
asm_exit:
	.cfi_startproc
	j asm_exit
	.cfi_endproc
	.size asm_exit, . - asm_exit

	.text
/* Assembly with CFI: long asm_call(long (*fn)(long), long arg) */
	.globl asm_call
	.type asm_call, @function
asm_call:
	.cfi_startproc
	addi sp, sp, -32
	.cfi_adjust_cfa_offset 32
	sd ra, 8(sp)
	.cfi_offset ra, -24
	sd s0, 0(sp)
	.cfi_offset s0, -32
	li s0, 0
	mv a5, a0
	mv a0, a1
	jalr a5
	ld ra, 8(sp)
	.cfi_restore ra
	ld s0, 0(sp)
	.cfi_restore s0
	addi sp, sp, 32
	.cfi_adjust_cfa_offset -32
	ret
	.cfi_endproc
	.size asm_call, . - asm_call

/* Assembly without CFI, type and size, with a local label: long asm_leaf(long x) */
	.globl asm_leaf
asm_leaf:
	addi a0, a0, 1
inner_label:
	addi a0, a0, 2
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
	addi a0, a0, 1
	.globl asm_two_second
	.type asm_two_second, @function
asm_two_second:
	addi a0, a0, 1
	ret
	.cfi_endproc
	.size asm_two, . - asm_two
	.size a_weak, . - a_weak
	.size asm_two_second, 1
	.size asm_two_alias, . - asm_two_alias

/* An interrupted frame: the saved registers lie at sp; its caller's pc has a column of its own. Never run. */
	.globl asm_signal
	.type asm_signal, @function
asm_signal:
	j asm_signal
	.size asm_signal, . - asm_signal
	.globl asm_signal_entry
	.type asm_signal_entry, @function
	.cfi_startproc
	.cfi_signal_frame
	.cfi_return_column 64
	.cfi_def_cfa sp, 288
	.cfi_offset 64, -8
	.cfi_offset ra, -280
	.cfi_offset sp, -272
	.cfi_offset s0, -224
asm_signal_entry:
	jalr a5
	j asm_signal_entry
	.cfi_endproc
	.size asm_signal_entry, . - asm_signal_entry

/* Where the interrupted sp is, in the table of trap.S (arch/riscv64/outer.c). Included by assembly. */
#ifndef ARCH_RISCV64_OUTER_NUMBERS_H
#define ARCH_RISCV64_OUTER_NUMBERS_H

#define OUTER_IN_SP          0
#define OUTER_IN_SSCRATCH    1
#define OUTER_IN_T0          2
#define OUTER_IN_HART        3 /* the second of its scratch words */
#define OUTER_IN_FRAME       4 /* sp is the frame */
#define OUTER_IN_NMI_SCRATCH 5 /* the hart's */

#endif

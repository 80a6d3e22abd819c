/* Layout of struct arch_frame for assembly; pinned by static asserts in arch/x86_64/frame.h. */
#ifndef ARCH_X86_64_FRAME_OFFSETS_H
#define ARCH_X86_64_FRAME_OFFSETS_H

#define FRAME_TLS  0
#define FRAME_R15  16
#define FRAME_RBP  (FRAME_R15 + 8 * 8)
#define FRAME_RIP  152
#define FRAME_RSP  176
#define FRAME_SIZE 192

/* Interrupt vectors of ours. The hardware's exceptions end at 31; gates beyond VECTOR_COUNT do not exist. */
#define VECTOR_TIMER    0x20
#define VECTOR_IPI      0x21
#define VECTOR_DEVICE   0x22 /* to VECTOR_SPURIOUS - 1 */
#define VECTOR_SPURIOUS 0x2f /* low four bits all ones, as old local APICs want it */
#define VECTOR_COUNT    0x30

/* Selectors, the same in the boot GDT and in every hart's own. */
#define SELECTOR_CODE   0x08
#define SELECTOR_DATA   0x10
#define SELECTOR_CODE32 0x18 /* boot GDT only */
#define SELECTOR_TSS    0x20

#endif

/*
 * Offsets, in bytes, of what assembly saves. Included by assembly; pinned by static asserts in frame.h.
 *
 * FRAME_: struct arch_frame, register x<n> at 8 * n, with the pc in x0's place. Its size is a multiple of 16.
 * RECORD_: struct switch_record, what a voluntary switch leaves at the suspended context's sp.
 */
#ifndef ARCH_RISCV64_FRAME_OFFSETS_H
#define ARCH_RISCV64_FRAME_OFFSETS_H

#define FRAME_PC     0
#define FRAME_X(n)   (8 * (n))
#define FRAME_STATUS 256
#define FRAME_CAUSE  264
#define FRAME_TVAL   272
#define FRAME_SIZE   288

#define RECORD_RA    0
#define RECORD_S(n)  (8 + 8 * (n))
#define RECORD_FP    104 /* 1: fcsr and fs0-fs11 are saved; 0: the context has no floating-point state */
#define RECORD_FCSR  112
#define RECORD_FS(n) (120 + 8 * (n))
#define RECORD_SIZE  224

#define CONTEXT_START_NOP 4 /* bytes from context_start to where a new context resumes (switch.S) */

#endif

/* Layout of struct arch_context for assembly, pinned in arch/x86_64/context.c, and the control words a
 * context starts with. */
#ifndef ARCH_X86_64_CONTEXT_OFFSETS_H
#define ARCH_X86_64_CONTEXT_OFFSETS_H

#define CONTEXT_SP  0
#define CONTEXT_TLS 8

#define CONTEXT_START_NOP 1 /* bytes of the nop at context_start */

#define MXCSR_DEFAULT       0x1f80 /* as the ABI starts a process: all exceptions masked, round to nearest */
#define X87_CONTROL_DEFAULT 0x37f  /* the same, 64-bit precision */

#endif

/* The assembly half of contexts (arch/x86_64/switch.S). */
#ifndef ARCH_X86_64_CONTEXT_H
#define ARCH_X86_64_CONTEXT_H

#include "arch/arch.h"

/* Resumes *to and forgets the running stack. Interrupts stay off. */
_Noreturn void context_resume(struct arch_context *to, uintptr_t word);
/* The switch found interrupts off. */
_Noreturn void switch_irq_off(void);
/* A fresh context begins CONTEXT_START_NOP bytes into this; not callable. */
extern const char context_start[];

#endif

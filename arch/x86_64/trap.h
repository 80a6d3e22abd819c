/* The C half of trap entry: one function for each entry of arch/x86_64/trap.S. f lies at the top of the
 * stack. */
#ifndef ARCH_X86_64_TRAP_H
#define ARCH_X86_64_TRAP_H

#include "arch/arch.h"
#include "arch/x86_64/frame.h"

void trap_irq(struct arch_frame *f);
void trap_exception(struct arch_frame *f);
void trap_nmi(struct arch_frame *f);
_Noreturn void trap_debug(struct arch_frame *f);
_Noreturn void trap_fatal(struct arch_frame *f);

#endif

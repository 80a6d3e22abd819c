/* Traps, between assembly (trap.S, switch.S) and C (trap.c, hart.c). */
#ifndef ARCH_RISCV64_TRAP_H
#define ARCH_RISCV64_TRAP_H

#include <stdint.h>

#include "arch/arch.h"

/* The trap vector; 4-byte aligned. */
extern const char trap_entry[];

/* Where the firmware enters for an event, on the NMI stack from then on; the argument it was registered with is the hart. */
extern const char nmi_entry[];

/* The second half of arch_leave_trap(), see switch.S. */
_Noreturn void trap_leave(struct arch_context *to, uintptr_t word);

/*
 * outer.c: where the code of f stands in trap entry or exit at a place that no rule of the symbol table can describe: true, and *u becomes
 * what the trap interrupted; sepc and sscratch are those of that code. NMI context.
 */
bool trap_outer(const struct arch_frame *f, uintptr_t sepc, uintptr_t sscratch, struct arch_unwind *u);

/* The stack on which trap_dispatch_last() runs: nobody's. */
extern char trap_last_stack[], trap_last_stack_end[];

/* Called by assembly only. */
void trap_dispatch(struct arch_frame *f);
void nmi_dispatch(struct arch_frame *f);

/* alarm.c: first thing in each NMI. */
void alarm_ended(void);

/* arch_nmi_send() without waiting for its turn: for a stop. */
void nmi_inject(struct hart *to);
_Noreturn void trap_dispatch_nested(struct arch_frame *f);
_Noreturn void trap_dispatch_last(uintptr_t pc, uint64_t cause, uintptr_t addr);

#endif

/* Traps as the kernel sees them: hooks that rooms to the right set once at boot. */
#ifndef KERNEL_TRAP_H
#define KERNEL_TRAP_H

#include <stdbool.h>

struct hart;
struct arch_frame;

/* Every IPI, after the kernel's own part (set by prof/; may be NULL). Interrupt context. */
extern void (*trap_ipi_hook)(struct hart *h, struct arch_frame *f);
/* Every NMI that does not stop the hart (set by prof/; may be NULL). NMI context: touches its own hart's words only. */
extern void (*trap_nmi_hook)(struct hart *h, struct arch_frame *f);

/* Whether somebody waits for this hart (set by sched/). Interrupt context. */
extern bool (*trap_waits_hook)(const struct hart *h);

#endif

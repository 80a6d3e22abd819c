/*
 * Each hart's one hardware timer: it ends time slices, paces the sampler and serves the timers of kernel/ktimer.h.
 */
#ifndef KERNEL_TIMER_H
#define KERNEL_TIMER_H

#include <stdint.h>

struct hart;
struct arch_frame;

/* Arms the hardware timer for the earliest of slice_due, sample_due, timers_due if that is earlier than what it is armed for.
 * Interrupts or preemption off. */
void timer_rearm_irq(struct hart *h);

/* What the sampler does when hart->sample_due has passed (set once at boot by prof/). Interrupt context; sets a new sample_due. */
extern void (*timer_sample_hook)(struct hart *h, struct arch_frame *f, uint64_t now);

#endif

/*
 * Timers: any number of deadlines on each hart's one hardware timer, which also ends time slices and paces the sampler.
 */
#ifndef KERNEL_TIMER_H
#define KERNEL_TIMER_H

#include <stdbool.h>
#include <stdint.h>

struct hart;
struct arch_frame;

struct timer {
	void (*fn)(struct timer *t); /* system context, no lock held; may not park */
	void *arg;
	bool system; /* does not keep the program alive: not counted by timers_armed() */
	/* private to timer.c, guarded by the lock of the heap it is in */
	uint64_t deadline; /* arch_ticks() */
	uint32_t hart;
	uint32_t pos; /* 1-based place in the heap; 0 when not in one */
};

/* Arms t on this hart. False when out of memory. t must stay valid until it fired or was cancelled. Goroutine or system context. */
__attribute__((warn_unused_result)) bool timer_add(struct timer *t, uint64_t deadline);
/* Disarms t. True: it will not fire. False: it has fired, or is firing. Goroutine or system context. */
bool timer_cancel(struct timer *t);
/* Timers of the program armed on all harts. Any context. */
uint32_t timers_armed(void);

/* Fires what is due on this hart. System context (the scheduler). */
void timers_run_sys(struct hart *h);

/* Arms the hardware timer for the earliest of slice_due, sample_due, timers_due if that is earlier than what it is armed for.
 * Interrupts or preemption off. */
void timer_rearm_irq(struct hart *h);

/* What the sampler does when hart->sample_due has passed (set once at boot by prof/). Interrupt context; sets a new sample_due. */
extern void (*timer_sample_hook)(struct hart *h, struct arch_frame *f, uint64_t now);

#endif

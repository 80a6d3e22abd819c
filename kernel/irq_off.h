/*
 * Where and when this hart last turned interrupts off: kept so that a tick that comes late can be charged to the code that kept it waiting.
 * The place is always known; the clock is read only while somebody profiles. Spinlocks call this for the outermost lock; other code that
 * turns interrupts off for longer than a few instructions uses irq_save() and irq_restore().
 */
#ifndef KERNEL_IRQ_OFF_H
#define KERNEL_IRQ_OFF_H

#include "kernel/hart.h"

/* Interrupts have just gone off at pc. */
static inline void irq_off_begin(struct hart *h, uintptr_t pc)
{
	h->off.pc = pc;
	if (__builtin_expect(h->off.timed, 0)) {
		h->off.since = arch_ticks();
		atomic_store_explicit(&h->off.now, true, memory_order_relaxed);
	}
}

/* They are about to come on again. */
static inline void irq_off_end(struct hart *h)
{
	if (__builtin_expect(h->off.timed, 0)) {
		uint64_t now = arch_ticks(), length = now - h->off.since;
		h->off.until = now;
		atomic_store_explicit(&h->off.now, false, memory_order_relaxed);
		h->off.total += length;
		if (length > h->off.longest) {
			h->off.longest = length;
			h->off.longest_pc = h->off.pc;
		}
	}
}

/* Turns interrupts off and says so; returns whether they were on. Goroutine or system context, preemption off or no matter. */
static inline __attribute__((always_inline)) bool irq_save(void)
{
	bool on = arch_irq_save();
	if (on)
		irq_off_begin(arch_hart(), arch_pc());
	return on;
}

static inline void irq_restore(bool on)
{
	if (on) {
		irq_off_end(arch_hart());
		arch_irq_restore(true);
	}
}

#endif

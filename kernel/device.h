/*
 * Devices that interrupt. An interrupt takes no lock: it makes the device quiet and notes that there is something to do; the service
 * function runs soon afterwards in system context, as a rule on the boot hart, where device interrupts arrive.
 */
#ifndef KERNEL_DEVICE_H
#define KERNEL_DEVICE_H

#include <stdatomic.h>
#include <stdbool.h>

#include "arch/arch.h"

struct device {
	struct arch_irq_line line;
	/* Interrupt context: makes the device quiet. True: there is something to do. */
	bool (*irq)(struct device *d);
	/* System context, no lock held; may not park. Possibly on two harts at once. */
	void (*service)(struct device *d);
	/* private to kernel/device.c */
	_Atomic bool wanted;
	struct device *next;
};

/* From now on d's functions are called. d stays for good. Several devices may share a line. False: the machine has no such line, or no
 * room for it. Goroutine context. */
__attribute__((warn_unused_result)) bool device_add(struct device *d);

/* How many interrupts of devices there were: written by the boot hart. */
extern _Atomic uint64_t device_irqs;

/* Set by an interrupt: some device wants its service. */
extern _Atomic bool devices_wanted;
/* Serves them. System context (kernel/ktimer.c, which is called there whenever an interrupt asked for it). */
void devices_run_sys(void);

#endif

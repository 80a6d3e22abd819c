/* Host stand-in for kernel/hart.h, for test_ktimer.c: a hart is a thread, its clock a variable. */
#ifndef KERNEL_HART_H
#define KERNEL_HART_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "kernel/limits.h"

enum { IPI_TIMERS = 4 };

struct hart {
	uint32_t index;
	uint64_t timers_due, armed_due;
	_Atomic uint32_t ipi;
	_Atomic bool timers_hit;
};

extern struct hart *harts[HART_MAX];
extern uint32_t hart_count;

struct hart *arch_hart(void);
uint64_t arch_ticks(void);
void arch_pause(void);
bool arch_irq_save(void);
void arch_irq_restore(bool on);
void arch_timer_arm(uint64_t deadline);
void arch_ipi_send(struct hart *to);

#endif

/* Host stand-in for kernel/preempt.h: found before the real one by -Itests/host/stub. See
 * tests/host/host_lock.c. */
#ifndef KERNEL_PREEMPT_H
#define KERNEL_PREEMPT_H

#include <stdbool.h>
#include <stdint.h>

struct hart {
	uint32_t index, in_irq;
};

extern void (*preempt_hook)(void);

struct hart *arch_hart(void);
void preempt_disable(void);
void preempt_enable(void);
unsigned hart_index(void);
bool preempt_enable_due(void);

#endif

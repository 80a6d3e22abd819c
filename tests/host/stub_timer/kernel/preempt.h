/* Host stand-in for kernel/preempt.h, for test_ktimer.c: a thread stays on its hart. */
#ifndef KERNEL_PREEMPT_H
#define KERNEL_PREEMPT_H

static inline void preempt_disable(void)
{
}

static inline void preempt_enable(void)
{
}

#endif

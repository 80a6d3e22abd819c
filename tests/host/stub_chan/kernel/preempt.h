/* Host stand-in for kernel/preempt.h, for test_chan.c: the count is kept, and checked where a goroutine waits. */
#ifndef KERNEL_PREEMPT_H
#define KERNEL_PREEMPT_H

#include "sched/sched.h"

extern void (*preempt_hook)(void);

static inline void preempt_disable(void)
{
	g_self()->preempt_off++;
}

static inline void preempt_enable(void)
{
	g_self()->preempt_off--;
}

#endif

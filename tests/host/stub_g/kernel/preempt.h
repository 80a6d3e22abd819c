/* Host stand-in for kernel/preempt.h, for test_g.c and test_shrink.c: one thread, nothing preempts. */
#ifndef KERNEL_PREEMPT_H
#define KERNEL_PREEMPT_H

#include "kernel/g.h"

static inline void preempt_disable(void)
{
	g_self()->preempt_off++;
}

static inline void preempt_enable(void)
{
	g_self()->preempt_off--;
}

static inline void preempt_enable_last(void)
{
	g_self()->preempt_off = 0;
}

#endif

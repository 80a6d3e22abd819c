/* Host stand-in for kernel/hart.h and arch/arch.h, for test_sync.c. */
#ifndef KERNEL_HART_H
#define KERNEL_HART_H

#include <sched.h>
#include <stdint.h>
#include <time.h>

enum { hart_count = 2 };

static inline void arch_pause(void)
{
	sched_yield();
}

static inline uint64_t arch_ticks(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

#endif

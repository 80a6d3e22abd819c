/* Host stand-in for kernel/clock.h, for test_sync.c: a tick is a nanosecond. */
#ifndef KERNEL_CLOCK_H
#define KERNEL_CLOCK_H

#include <stdint.h>

static inline uint64_t clock_to_ticks(uint64_t ns)
{
	return ns;
}

#endif

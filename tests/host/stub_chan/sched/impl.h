/* Host stand-in for sched/impl.h, for test_chan.c. */
#ifndef SCHED_IMPL_H
#define SCHED_IMPL_H

#include <stdint.h>

struct sched_hart {
	uint64_t rng;
};

#endif

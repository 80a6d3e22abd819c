/* Host stand-in for kernel/lock.h, for test_chan.c: only channels are locked, in their own words. */
#ifndef KERNEL_LOCK_H
#define KERNEL_LOCK_H

#include "kernel/hart.h"

enum { RANK_CHAN = 1 };

struct spinlock {
	int rank;
};

#define SPINLOCK_INIT(r)    \
	{                   \
		.rank = (r) \
	}

void spin_pause(uint32_t n);

static inline uint64_t contention_begin(void)
{
	return 0;
}

static inline void contention_end(uint32_t rank, uintptr_t pc, uint64_t since)
{
	(void)rank;
	(void)pc;
	(void)since;
}

static inline void rank_hold_short(struct hart *h, struct spinlock *l)
{
	h->lock_one = l;
}

static inline void rank_drop_short(struct hart *h, struct spinlock *l)
{
	(void)l;
	h->lock_one = NULL;
}

#endif

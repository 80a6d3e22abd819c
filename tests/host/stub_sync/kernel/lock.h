/* Host stand-in for kernel/lock.h, for test_sync.c: a zeroed one is free, as the primitives need it. */
#ifndef KERNEL_LOCK_H
#define KERNEL_LOCK_H

#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>

/* The rank is atomic here: each user stores it, which is a race of equal values to a sanitizer. */
struct spinlock {
	_Atomic uint32_t owner;
	_Atomic uint8_t rank;
};

enum { RANK_MUTEX = 1, RANK_SEMAPHORE, RANK_COND, RANK_WAITGROUP };

static inline void spin_lock(struct spinlock *l)
{
	while (atomic_exchange_explicit(&l->owner, 1, memory_order_acquire) != 0)
		sched_yield();
}

static inline void spin_unlock(struct spinlock *l)
{
	atomic_store_explicit(&l->owner, 0, memory_order_release);
}

#endif

/* Host stand-in for kernel/hart.h, for test_chan.c: a goroutine is a thread on a hart of its own. */
#ifndef KERNEL_HART_H
#define KERNEL_HART_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct spinlock;
struct sched_hart;

struct hart {
	struct spinlock *lock_one;
	struct sched_hart *sched;
};

struct hart *arch_hart(void);

static inline uint64_t arch_bit_lock(_Atomic uint64_t *word)
{
	return atomic_fetch_or_explicit(word, 1, memory_order_acquire);
}

#endif

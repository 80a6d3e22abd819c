/* What the rest of the kernel may know of a mutex (include/hartbeat/mutex.h, sched/mutex.c). */
#ifndef SCHED_MUTEX_H
#define SCHED_MUTEX_H

#include <hartbeat/mutex.h>

#include <stdatomic.h>

#include "kernel/g.h"

enum mutex_flag {
	MUTEX_WAITERS = 1, /* goroutines are in the queue; changes under the spinlock only */
	MUTEX_WOKEN =
		2, /* one of them, or one that spins, is awake and competes: an unlock need not wake another */
	MUTEX_STARVING = 4, /* an unlock hands the mutex over to the first in the queue */
	MUTEX_FLAGS = 7,
};

/*
 * The goroutine that holds m, or NULL. Any context. It is exact when it is read, and may be old at once; a goroutine that waits for a mutex
 * has WAIT_MUTEX as its reason and the mutex in g->wait_data.
 */
static inline struct g *mutex_owner(const struct mutex *m)
{
	/* rule 6 of sched/mutex.c, for a caller to whom it was handed over */
	uintptr_t word = atomic_load_explicit((const _Atomic uintptr_t *)&m->word, memory_order_acquire);
	return (struct g *)(word & ~(uintptr_t)MUTEX_FLAGS);
}

/* How long goroutines have waited for mutexes so far, all together, in arch_ticks(). Any context. */
uint64_t mutex_wait_ticks(void);

#endif

/*
 * Mutual exclusion between goroutines, as Go's sync.Mutex. A zeroed mutex is ready for use; it must not be copied or freed while in use.
 *
 *	static struct mutex m;
 *	mutex_lock(&m);
 *	counter++;
 *	mutex_unlock(&m);
 *
 * Goroutine context only. A goroutine that waits does not use its hart.
 */
#ifndef HARTBEAT_MUTEX_H
#define HARTBEAT_MUTEX_H

#include <stdbool.h>
#include <stdint.h>

#include <hartbeat/waitq.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Fields are private. */
struct mutex {
	uintptr_t word; /* atomic: the goroutine that holds it, and flags (sched/mutex.c) */
	uint32_t lock[2];
	struct waitq waiters;
};

/* Private: the running goroutine, and what the inline functions leave for sched/mutex.c. */
extern __thread struct g *g_tls;
void mutex_lock_slow(struct mutex *m);
void mutex_unlock_slow(struct mutex *m);

/* Waits until the mutex is free and takes it. Not recursive. */
static inline void mutex_lock(struct mutex *m)
{
	uintptr_t free = 0;
	/* pairs with the release in mutex_unlock() and in sched/mutex.c */
	if (__builtin_expect(!__atomic_compare_exchange_n(&m->word, &free, (uintptr_t)g_tls, false,
							  __ATOMIC_ACQUIRE, __ATOMIC_RELAXED),
			     0))
		mutex_lock_slow(m);
}

/* Takes the mutex if it is free; never waits. */
bool mutex_trylock(struct mutex *m) __attribute__((warn_unused_result));

/* Fatal error "sync: unlock of unlocked mutex" when m is not locked. Any goroutine may unlock, as in Go. */
static inline void mutex_unlock(struct mutex *m)
{
	uintptr_t self = (uintptr_t)g_tls;
	/* pairs with the acquire in mutex_lock(); both orders are sequentially consistent: rule 2 of sched/mutex.c */
	if (__builtin_expect(!__atomic_compare_exchange_n(&m->word, &self, 0, false, __ATOMIC_SEQ_CST,
							  __ATOMIC_SEQ_CST),
			     0))
		mutex_unlock_slow(m);
}

#ifdef __cplusplus
}
#endif

#endif

/*
 * Mutex: a word that is taken with one compare-and-swap while nobody contends, and a queue of waiters behind it.
 *
 *	state: 0 free, LOCKED, LOCKED | WAITERS      (WAITERS only changes under the spinlock)
 *
 * 1. WAITERS is set under the spinlock before the waiter parks. Otherwise the unlocker would not look at the queue.
 * 2. Compare-and-swap that releases is sequentially consistent, here and in all of sched/: gcc 12 for riscv64 leaves the release out of a
 *    weaker one. Otherwise what was written under the mutex could be seen after it is free.
 * 3. An unlock with waiters hands the mutex to the first one; it never becomes free in between. Otherwise a waiter could starve.
 */
#include <hartbeat/sync.h>

#include <stdatomic.h>

#include "kernel/lock.h"
#include "kernel/panic.h"
#include "sched/sched.h"
#include "sched/waitq.h"

enum { LOCKED = 1, WAITERS = 2 };

_Static_assert(sizeof(struct spinlock) <= sizeof(((struct mutex *)0)->lock),
	       "the public struct has room for a spinlock");

static _Atomic uint32_t *state_of(struct mutex *m)
{
	return (_Atomic uint32_t *)&m->state;
}

static struct spinlock *lock_of(struct mutex *m)
{
	struct spinlock *l = (struct spinlock *)m->lock;
	l->rank = RANK_MUTEX; /* a zeroed mutex is ready for use */
	return l;
}

bool mutex_trylock(struct mutex *m)
{
	uint32_t free = 0;
	/* pairs with the release in mutex_unlock() */
	return atomic_compare_exchange_strong_explicit(state_of(m), &free, LOCKED, memory_order_acquire,
						       memory_order_relaxed);
}

void mutex_lock(struct mutex *m)
{
	if (__builtin_expect(mutex_trylock(m), 1))
		return;
	struct spinlock *l = lock_of(m);
	spin_lock(l);
	/* Announce a waiter; whoever finds the mutex free here takes it. */
	if (atomic_fetch_or_explicit(state_of(m), LOCKED | WAITERS, memory_order_acquire) == 0) {
		if (m->waiters.first == NULL)
			atomic_fetch_and_explicit(state_of(m), ~(uint32_t)WAITERS, memory_order_relaxed);
		spin_unlock(l);
		return;
	}
	waitq_put_locked(&m->waiters, g_self());
	park_prepare(WAIT_MUTEX);
	spin_unlock(l);
	park_commit(); /* the unlocker left LOCKED set: the mutex is ours */
}

void mutex_unlock(struct mutex *m)
{
	uint32_t locked = LOCKED;
	if (__builtin_expect(atomic_compare_exchange_strong(state_of(m), &locked, 0), 1))
		return;
	if ((locked & LOCKED) == 0)
		fatal_error("sync: unlock of unlocked mutex");
	struct spinlock *l = lock_of(m);
	spin_lock(l);
	struct g *g = waitq_take_locked(&m->waiters);
	if (g == NULL)
		atomic_store_explicit(state_of(m), 0, memory_order_release);
	else if (m->waiters.first == NULL)
		atomic_store_explicit(state_of(m), LOCKED, memory_order_release);
	spin_unlock(l);
	if (g != NULL)
		ready(g);
}

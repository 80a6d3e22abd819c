/*
 * Weighted semaphore: free units and a queue of waiters under a spinlock.
 *
 * 1. Units go to the head of the queue only, and nobody takes any while somebody queues. Otherwise a large request could wait for ever.
 * 2. A release touches the semaphore last when it drops the spinlock. Otherwise a goroutine that was let go could free it too early.
 */
#include "sched/semaphore.h"

#include <hartbeat/go.h>
#include <hartbeat/panic.h>

#include "kernel/lock.h"
#include "sched/contend.h"
#include "sched/sched.h"
#include "sched/waitq.h"

_Static_assert(sizeof(struct spinlock) <= sizeof(((struct semaphore *)0)->lock),
	       "the public struct has room for a spinlock");

static struct spinlock *lock_of(struct semaphore *s)
{
	struct spinlock *l = (struct spinlock *)s->lock;
	l->rank = RANK_SEMAPHORE; /* a zeroed semaphore is ready for use */
	return l;
}

static bool take_locked(struct semaphore *s, uint64_t n)
{
	if (s->waiters.first != NULL || s->units < n)
		return false;
	s->units -= n;
	return true;
}

bool semaphore_try_acquire(struct semaphore *s, uint64_t n)
{
	struct spinlock *l = lock_of(s);
	spin_lock(l);
	bool taken = take_locked(s, n);
	spin_unlock(l);
	return taken;
}

void semaphore_acquire_for(struct semaphore *s, uint64_t n, enum wait_reason reason)
{
	struct spinlock *l = lock_of(s);
	spin_lock(l);
	if (take_locked(s, n)) {
		spin_unlock(l);
		return;
	}
	struct g *self = g_self();
	self->wait_data = &n; /* read under the spinlock by who releases */
	waitq_put_locked(&s->waiters, self);
	if (reason == WAIT_RWMUTEX_READ ||
	    reason == WAIT_RWMUTEX_WRITE) /* what a mutex profile is about, as in Go */
		contend_put_locked(&s->waiters, self);
	park_prepare(reason);
	spin_unlock(l);
	park_commit(); /* the units are ours */
}

void semaphore_acquire(struct semaphore *s, uint64_t n)
{
	semaphore_acquire_for(s, n, WAIT_SEMAPHORE);
}

/* Whether somebody was let go. */
static bool release(struct semaphore *s, uint64_t n)
{
	struct spinlock *l = lock_of(s);
	struct waitq woken = {NULL, NULL};
	uint64_t blame = 0;
	spin_lock(l);
	if (s->units + n < n) {
		spin_unlock(l);
		go_panic("semaphore: too many units");
	}
	s->units += n;
	while (s->waiters.first != NULL) {
		uint64_t wants = *(const uint64_t *)s->waiters.first->wait_data;
		if (wants > s->units)
			break;
		s->units -= wants;
		struct g *g = waitq_take_locked(&s->waiters);
		blame += contend_take_locked(&s->waiters, g);
		waitq_put_locked(&woken, g);
	}
	spin_unlock(l);
	bool any = woken.first != NULL;
	for (struct g *g = waitq_take_locked(&woken); g != NULL; g = waitq_take_locked(&woken))
		ready(g);
	contend_charge(blame);
	return any;
}

void semaphore_release(struct semaphore *s, uint64_t n)
{
	release(s, n);
}

void semaphore_release_handoff(struct semaphore *s, uint64_t n)
{
	if (release(s, n) && g_self()->preempt_off == 0)
		go_yield();
}

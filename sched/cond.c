/*
 * Condition variable: a queue of waiters under a spinlock.
 *
 * 1. A waiter is in the queue before it unlocks the mutex. Otherwise a signal that follows the unlock could miss it.
 * 2. A signal touches the condition variable last when it drops the spinlock. Otherwise the goroutine it wakes could free it too early.
 */
#include <hartbeat/cond.h>

#include "kernel/lock.h"
#include "sched/sched.h"
#include "sched/waitq.h"

_Static_assert(sizeof(struct spinlock) <= sizeof(((struct cond *)0)->lock),
	       "the public struct has room for a spinlock");

static struct spinlock *lock_of(struct cond *c)
{
	struct spinlock *l = (struct spinlock *)c->lock;
	l->rank = RANK_COND; /* a zeroed condition variable is ready for use */
	return l;
}

void cond_wait(struct cond *c, struct mutex *m)
{
	struct spinlock *l = lock_of(c);
	spin_lock(l);
	waitq_put_locked(&c->waiters, g_self());
	park_prepare(WAIT_COND);
	spin_unlock(l);
	mutex_unlock(m); /* rule 1; it may wake others, and does not park */
	park_commit();
	mutex_lock(m);
}

/* Without the lock, for a signal that nobody waits for: whoever queued before this, and unlocked the mutex that the caller has or had since,
 * is seen. */
static bool nobody(const struct cond *c)
{
	/* pairs with the release of the mutex by who queued, taken by the caller: this load stays behind it */
	return __atomic_load_n(&c->waiters.first, __ATOMIC_ACQUIRE) == NULL;
}

void cond_signal(struct cond *c)
{
	if (nobody(c))
		return;
	struct spinlock *l = lock_of(c);
	spin_lock(l);
	struct g *g = waitq_take_locked(&c->waiters);
	spin_unlock(l);
	if (g != NULL)
		ready(g);
}

void cond_broadcast(struct cond *c)
{
	if (nobody(c))
		return;
	struct spinlock *l = lock_of(c);
	spin_lock(l);
	struct waitq woken = c->waiters;
	c->waiters = (struct waitq){NULL, NULL};
	spin_unlock(l);
	for (struct g *g = waitq_take_locked(&woken); g != NULL; g = waitq_take_locked(&woken))
		ready(g);
}

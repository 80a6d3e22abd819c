/* Wait group: a counter and the goroutines that wait for it to be 0, under one spinlock. */
#include <hartbeat/sync.h>

#include <hartbeat/panic.h>

#include "kernel/lock.h"
#include "sched/sched.h"
#include "sched/waitq.h"

_Static_assert(sizeof(struct spinlock) <= sizeof(((struct waitgroup *)0)->lock),
	       "the public struct has room for a spinlock");

static struct spinlock *lock_of(struct waitgroup *w)
{
	struct spinlock *l = (struct spinlock *)w->lock;
	l->rank = RANK_WAITGROUP; /* a zeroed wait group is ready for use */
	return l;
}

void waitgroup_add(struct waitgroup *w, int delta)
{
	struct spinlock *l = lock_of(w);
	struct waitq woken = {NULL, NULL};
	spin_lock(l);
	if (w->count + delta < 0) {
		spin_unlock(l);
		go_panic("sync: negative WaitGroup counter");
	}
	w->count += delta;
	if (w->count == 0) {
		woken = w->waiters;
		w->waiters = (struct waitq){NULL, NULL};
	}
	spin_unlock(l);
	for (struct g *g = waitq_take_locked(&woken); g != NULL; g = waitq_take_locked(&woken))
		ready(g);
}

void waitgroup_done(struct waitgroup *w)
{
	waitgroup_add(w, -1);
}

void waitgroup_wait(struct waitgroup *w)
{
	struct spinlock *l = lock_of(w);
	spin_lock(l);
	if (w->count == 0) {
		spin_unlock(l);
		return;
	}
	waitq_put_locked(&w->waiters, g_self());
	park_prepare(WAIT_WAITGROUP);
	spin_unlock(l);
	park_commit();
}

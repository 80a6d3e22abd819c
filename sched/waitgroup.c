/*
 * Wait group: a word with the counter and the number of goroutines that wait for it to be 0, and their queue under a spinlock.
 *
 *	state:  | counter, signed, 32 bits | waiters, 32 bits |
 *
 * 1. A waiter counts itself and queues under the spinlock. Otherwise who brings the counter to 0 would count it and not find it.
 * 2. With waiters, who brings the counter to 0 empties the queue and the word before it makes any of them ready; without, the subtraction
 *    is its last touch. Otherwise a waiter could return, and the memory be used for something else, while it still looks.
 * 3. Between those two steps nobody may raise the counter: that is misuse, and reported. Otherwise a waiter of the next round could be let
 *    go with this one's.
 */
#include <hartbeat/waitgroup.h>

#include <stdatomic.h>

#include <hartbeat/go.h>
#include <hartbeat/panic.h>

#include "kernel/heap.h"
#include "kernel/lock.h"
#include "sched/sched.h"
#include "sched/waitq.h"

#define ONE ((uint64_t)1 << 32) /* of the counter */

_Static_assert(sizeof(struct spinlock) <= sizeof(((struct waitgroup *)0)->lock),
	       "the public struct has room for a spinlock");

static struct spinlock *lock_of(struct waitgroup *w)
{
	struct spinlock *l = (struct spinlock *)w->lock;
	l->rank = RANK_WAITGROUP; /* a zeroed wait group is ready for use */
	return l;
}

static _Atomic uint64_t *state_of(struct waitgroup *w)
{
	return (_Atomic uint64_t *)&w->state;
}

static int32_t count_in(uint64_t state)
{
	return (int32_t)(state >> 32);
}

static uint32_t waiters_in(uint64_t state)
{
	return (uint32_t)state;
}

static void release_all(struct waitgroup *w, uint64_t state)
{
	struct spinlock *l = lock_of(w);
	spin_lock(l);
	struct waitq woken = w->waiters;
	w->waiters = (struct waitq){NULL, NULL};
	/* pairs with the acquire in waitgroup_wait() */
	if (!atomic_compare_exchange_strong(state_of(w), &state, 0)) {
		spin_unlock(l);
		go_panic("sync: WaitGroup misuse: Add called concurrently with Wait"); /* rule 3 */
	}
	spin_unlock(l);
	for (struct g *g = waitq_take_locked(&woken); g != NULL; g = waitq_take_locked(&woken))
		ready(g);
}

/* delta led to state, and somebody waits or the counter is below 0. */
__attribute__((noinline)) static void add_slow(struct waitgroup *w, int delta, uint64_t state)
{
	int32_t count = count_in(state);
	if (count < 0)
		go_panic("sync: negative WaitGroup counter");
	if (delta > 0 && count == delta)
		go_panic("sync: WaitGroup misuse: Add called concurrently with Wait"); /* rule 3 */
	if (count == 0)
		release_all(w, state);
}

void waitgroup_add(struct waitgroup *w, int delta)
{
	/* Sequentially consistent: pairs with the acquire in waitgroup_wait(), and with the other goroutines' before the last one. */
	uint64_t state = atomic_fetch_add(state_of(w), (uint64_t)(int64_t)delta << 32) +
			 ((uint64_t)(int64_t)delta << 32);
	if (__builtin_expect((int64_t)state < 0, 0) || __builtin_expect(waiters_in(state) != 0, 0))
		add_slow(w, delta, state);
}

void waitgroup_done(struct waitgroup *w)
{
	waitgroup_add(w, -1);
}

void waitgroup_wait(struct waitgroup *w)
{
	/* pairs with the release in waitgroup_add() */
	if (count_in(atomic_load_explicit(state_of(w), memory_order_acquire)) == 0)
		return;
	struct spinlock *l = lock_of(w);
	spin_lock(l);
	/* as does the compare-and-swap below when it fails: pairs with the release in waitgroup_add() */
	uint64_t state = atomic_load_explicit(state_of(w), memory_order_acquire);
	do {
		if (count_in(state) == 0) {
			spin_unlock(l);
			return;
		}
		/* pairs with the addition in waitgroup_add(), which comes before this or sees the waiter */
	} while (!atomic_compare_exchange_weak(state_of(w), &state, state + 1));
	waitq_put_locked(&w->waiters, g_self());
	park_prepare(WAIT_WAITGROUP);
	spin_unlock(l);
	park_commit();
}

struct start {
	struct waitgroup *w;
	void (*fn)(void *);
	void *arg;
};

/* The function has returned or ended its goroutine. A panic that nobody recovers ends the program before anybody goes on. */
static void finish(void *w)
{
	if (go_panicking() == NULL)
		waitgroup_done(w);
}

static void run(void *arg)
{
	struct start s = *(struct start *)arg;
	heap_free(arg);
	DEFER(finish, s.w);
	s.fn(s.arg);
}

uint64_t waitgroup_go(struct waitgroup *w, void (*fn)(void *), void *arg)
{
	struct start *s = heap_alloc(sizeof *s);
	if (s == NULL)
		return 0;
	*s = (struct start){w, fn, arg};
	waitgroup_add(w, 1);
	uint64_t id = go(run, s);
	if (id == 0) {
		waitgroup_done(w);
		heap_free(s);
	}
	return id;
}

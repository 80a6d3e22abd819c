/*
 * Mutex: a word that is taken and given back with one compare-and-swap while nobody contends (include/hartbeat/mutex.h), and a queue of
 * waiters behind it.
 *
 *	word:  | the goroutine that holds it, or 0                    | STARVING | WOKEN | WAITERS |
 *
 * Normal mode. Who finds the mutex taken spins for a moment if the holder runs on another hart, then queues and parks. An unlock with
 * waiters frees the mutex and wakes the first of them, which competes with whoever comes by: a goroutine that already has a hart wins
 * mostly, which is fast. A woken one that lost goes back to the front. While one is awake (WOKEN) no other is woken.
 *
 * Starvation mode begins when a woken waiter has waited for more than 1 ms and lost again. An unlock then hands the mutex to the first in
 * the queue: it is never free, nobody spins, and who comes by queues at the end. The mode ends with the last waiter, or with one that waited
 * less than 1 ms.
 *
 * 1. WAITERS is set under the spinlock before the waiter parks, and cleared under it with the last one. Otherwise the unlocker would not
 *    look at the queue.
 * 2. A compare-and-swap that releases is sequentially consistent in both its orders, here and in all of sched/: gcc 12 for riscv64 takes
 *    the barrier before it from the order of failure. Otherwise what was written under the mutex could be seen after it is free.
 * 3. An unlock touches the mutex last with the compare-and-swap that frees it, or before it makes ready a goroutine that still has to take
 *    it. Otherwise the next holder could free the memory it lies in, as C programs do, while the unlocker still uses it.
 * 4. In starvation mode the mutex is handed over and never free. Otherwise a waiter could lose for ever.
 * 5. WOKEN is cleared by the one it was set for, when it takes the mutex or parks again. Otherwise nobody would be woken any more.
 * 6. Who becomes the holder acquires the word, who ceases to be releases it: mutex_lock(), mutex_trylock(), mutex_lock_slow() and handed_over(),
 *    with mutex_unlock(), mutex_unlock_slow() and release_to_waiter_locked(). Otherwise what the mutex guards could leak out. What else
 *    changes the word, under the spinlock or not, is relaxed.
 */
#include "sched/mutex.h"

#include <hartbeat/go.h>

#include "kernel/assert.h"
#include "kernel/clock.h"
#include "kernel/hart.h"
#include "kernel/lock.h"
#include "kernel/panic.h"
#include "sched/contend.h"
#include "sched/deadlock.h"
#include "sched/sched.h"
#include "sched/waitq.h"

enum {
	STARVE_NS = 1000000, /* as Go */
	SPIN_NS = 5000,      /* what Go's 4 rounds of 30 PAUSE take: less than a park and a wake-up */
};

_Static_assert(sizeof(struct spinlock) <= sizeof(((struct mutex *)0)->lock),
	       "the public struct has room for a spinlock");
_Static_assert(_Alignof(struct g) > MUTEX_FLAGS, "the flags fit below a goroutine's address");

bool contend_on;
contend_fn *contend_hook;
static _Atomic uint64_t waited_ticks; /* relaxed; a figure for people */

uint64_t mutex_wait_ticks(void)
{
	return atomic_load_explicit(&waited_ticks, memory_order_relaxed);
}

static _Atomic uintptr_t *word_of(struct mutex *m)
{
	return (_Atomic uintptr_t *)&m->word;
}

static struct spinlock *lock_of(struct mutex *m)
{
	struct spinlock *l = (struct spinlock *)m->lock;
	l->rank = RANK_MUTEX; /* a zeroed mutex is ready for use */
	return l;
}

static struct g *owner_in(uintptr_t word)
{
	return (struct g *)(word & ~(uintptr_t)MUTEX_FLAGS);
}

bool mutex_trylock(struct mutex *m)
{
	uintptr_t old = atomic_load_explicit(word_of(m), memory_order_relaxed);
	while (owner_in(old) == NULL) {
		/* pairs with the release in mutex_unlock() and mutex_unlock_slow() */
		if (atomic_compare_exchange_weak_explicit(word_of(m), &old, old | (uintptr_t)g_self(),
							  memory_order_acquire, memory_order_relaxed))
			return true;
	}
	return false;
}

/* Whether it pays to look again instead of parking: the holder is at work on another hart. What it points to may have ended meanwhile, which
 * the memory of a goroutine's descriptor survives. */
static bool may_spin(uintptr_t word)
{
	struct g *owner = owner_in(word);
	if (hart_count == 1 || (word & MUTEX_STARVING) != 0 || owner == g_self())
		return false;
	uint32_t status = atomic_load_explicit(&owner->status, memory_order_relaxed);
	return (status & G_STATUS_MASK) == G_RUNNING;
}

/* Until the mutex is free or the holder stops running, for SPIN_NS at most: by the clock, because a pause may last long where the harts of an
 * emulator take turns. */
static void spin(struct mutex *m)
{
	uint64_t begin = arch_ticks(), most = clock_to_ticks(SPIN_NS);
	uintptr_t word;
	do {
		arch_pause();
		word = atomic_load_explicit(word_of(m), memory_order_relaxed);
	} while (owner_in(word) != NULL && may_spin(word) && arch_ticks() - begin < most);
}

/* Queues and parks, unless the mutex is free by now: then false. `again`: it was woken and lost. */
static bool wait(struct mutex *m, bool again, bool woken, bool starving)
{
	struct spinlock *l = lock_of(m);
	struct g *self = g_self();
	spin_lock(l);
	uintptr_t old = atomic_load_explicit(word_of(m), memory_order_relaxed), new;
	do {
		if (owner_in(old) == NULL) {
			spin_unlock(l);
			return false;
		}
		new = old | MUTEX_WAITERS;
		if (woken)
			new &= ~(uintptr_t)MUTEX_WOKEN; /* rule 5 */
		if (starving)
			new |= MUTEX_STARVING;
	} while (!atomic_compare_exchange_weak_explicit(word_of(m), &old, new, memory_order_relaxed,
							memory_order_relaxed));
	if (again)
		waitq_put_first_locked(&m->waiters, self);
	else
		waitq_put_locked(&m->waiters, self);
	contend_put_locked(&m->waiters, self);
	self->wait_data = m;
	park_prepare(WAIT_MUTEX);
	spin_unlock(l);
	park_commit();
	return true;
}

/* The unlocker made the mutex ours. Ends starvation mode when it has done its work. */
static void handed_over(struct mutex *m, bool starving)
{
	/* rule 6: pairs with the release in release_to_waiter_locked() */
	uintptr_t word = atomic_load_explicit(word_of(m), memory_order_acquire);
	if ((word & MUTEX_STARVING) != 0 && !starving)
		atomic_fetch_and_explicit(word_of(m), ~(uintptr_t)MUTEX_STARVING, memory_order_relaxed);
}

void mutex_lock_slow(struct mutex *m)
{
	struct g *self = g_self();
	uint64_t since = 0; /* when it parked first */
	bool woken = false, starving = false;
	bool spun = false; /* since it last woke */
	bool asked = false;
	uintptr_t old = atomic_load_explicit(word_of(m), memory_order_relaxed);
	for (;;) {
		if (owner_in(old) == NULL) {
			uintptr_t new = (old | (uintptr_t)self) & ~(uintptr_t)(woken ? MUTEX_WOKEN : 0);
			/* pairs with the release in mutex_unlock() and mutex_unlock_slow() */
			if (atomic_compare_exchange_weak_explicit(word_of(m), &old, new, memory_order_acquire,
								  memory_order_relaxed))
				break;
			continue;
		}
		if (!spun && may_spin(old)) {
			/* Nobody needs to be woken while this goroutine is awake to take the mutex. */
			if (!woken && (old & (MUTEX_WAITERS | MUTEX_WOKEN)) == MUTEX_WAITERS)
				woken = atomic_compare_exchange_strong_explicit(
					word_of(m), &old, old | MUTEX_WOKEN, memory_order_relaxed,
					memory_order_relaxed);
			spin(m);
			spun = true;
		} else {
			uint64_t begin = since;
			if (since == 0) {
				deadlock_wait(m);
				asked = true;
				begin = arch_ticks();
			}
			if (wait(m, since != 0, woken, starving)) {
				since = begin;
				starving = starving || arch_ticks() - since > clock_to_ticks(STARVE_NS);
				if (mutex_owner(m) == self) {
					handed_over(m, starving);
					break;
				}
				woken = true; /* the unlocker set it for us */
				spun = false;
			}
		}
		old = atomic_load_explicit(word_of(m), memory_order_relaxed);
	}
	if (asked)
		deadlock_done();
	if (since != 0)
		atomic_fetch_add_explicit(&waited_ticks, arch_ticks() - since, memory_order_relaxed);
}

/* Takes the first waiter out of the queue and either hands the mutex over to it or frees the mutex and wakes it. */
static struct g *release_to_waiter_locked(struct mutex *m, uintptr_t old, bool *handed, uint64_t *blame)
{
	struct g *g = waitq_take_locked(&m->waiters);
	*blame = contend_take_locked(&m->waiters, g);
	uintptr_t waiters = m->waiters.first != NULL ? MUTEX_WAITERS : 0, new;
	do {
#ifndef MUTANT_mutex_handoff
		*handed = (old & MUTEX_STARVING) != 0;
#else
		*handed = false;
#endif
		if (*handed) /* rule 4 */
			new = (uintptr_t)g | (old & MUTEX_WOKEN) | waiters | (waiters ? MUTEX_STARVING : 0);
		else
			new = MUTEX_WOKEN | waiters;
		/* pairs with the acquire in mutex_lock_slow() and handed_over(); rule 2 */
	} while (!atomic_compare_exchange_weak(word_of(m), &old, new));
	return g;
}

void mutex_unlock_slow(struct mutex *m)
{
	uintptr_t old = atomic_load_explicit(word_of(m), memory_order_relaxed);
	struct spinlock *l;
	for (;;) {
		if (owner_in(old) == NULL)
			fatal_error("sync: unlock of unlocked mutex");
		uintptr_t flags = old & MUTEX_FLAGS;
		if ((flags & MUTEX_WAITERS) == 0 || (flags & (MUTEX_WOKEN | MUTEX_STARVING)) == MUTEX_WOKEN) {
			/* Nobody is to be woken. Pairs with the acquire in mutex_lock_slow(); rules 2 and 3. */
			if (atomic_compare_exchange_weak(word_of(m), &old, flags))
				return;
			continue;
		}
		l = lock_of(m);
		spin_lock(l);
		old = atomic_load_explicit(word_of(m), memory_order_relaxed);
		if ((old & (MUTEX_WOKEN | MUTEX_STARVING)) != MUTEX_WOKEN)
			break;
		spin_unlock(l); /* one that spins has said so meanwhile */
	}
	bool handed;
	uint64_t blame;
	struct g *g = release_to_waiter_locked(m, old, &handed, &blame);
	spin_unlock(l);
	ready(g);
	contend_charge(blame);
	if (handed && g_self()->preempt_off == 0)
		go_yield(); /* the new holder runs at once */
}

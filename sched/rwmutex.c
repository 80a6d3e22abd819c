/*
 * Read-write mutex, by Go's algorithm: readers count themselves with one addition; a writer takes 2^30 off that number, so that it is
 * negative while one is there, and waits for the readers that were inside.
 *
 *	readers:  number of readers, inside or waiting        | minus WRITER while a writer holds or waits
 *
 * 1. Writers exclude each other with the mutex w, which also makes their order. Otherwise two of them would take WRITER off.
 * 2. The writer adds the readers it found to `departing`, each of those takes one off when it leaves, and who makes it 0 lets the writer in;
 *    it may be below 0 in between. Otherwise a reader that leaves early would not be counted.
 * 3. All of these are sequentially consistent operations on one word that read and write it: each pairs with those before it.
 */
#include <hartbeat/rwmutex.h>

#include <stdatomic.h>

#include "kernel/panic.h"
#include "sched/semaphore.h"

enum { WRITER = 1 << 30 };

static _Atomic int32_t *readers_of(struct rwmutex *m)
{
	return (_Atomic int32_t *)&m->readers;
}

static _Atomic int32_t *departing_of(struct rwmutex *m)
{
	return (_Atomic int32_t *)&m->departing;
}

void rwmutex_rlock(struct rwmutex *m)
{
	/* pairs with the additions in rwmutex_unlock() and rwmutex_lock() */
	if (atomic_fetch_add(readers_of(m), 1) + 1 < 0)
		semaphore_acquire_for(&m->to_read, 1, WAIT_RWMUTEX_READ);
}

bool rwmutex_try_rlock(struct rwmutex *m)
{
	int32_t n = atomic_load_explicit(readers_of(m), memory_order_relaxed);
	while (n >= 0)
		/* pairs with the addition in rwmutex_unlock() */
		if (atomic_compare_exchange_weak(readers_of(m), &n, n + 1))
			return true;
	return false;
}

void rwmutex_runlock(struct rwmutex *m)
{
	/* pairs with the subtraction in rwmutex_lock() */
	int32_t n = atomic_fetch_sub(readers_of(m), 1);
	if (__builtin_expect(n > 0, 1))
		return;
	if (n == 0 || n == -WRITER)
		fatal_error("sync: RUnlock of unlocked RWMutex");
	if (atomic_fetch_sub(departing_of(m), 1) == 1) /* pairs with the addition in rwmutex_lock() */
		semaphore_release(&m->to_writer, 1);
}

void rwmutex_lock(struct rwmutex *m)
{
	mutex_lock(&m->w);
	/* pairs with the subtraction in rwmutex_runlock() */
	int32_t n = atomic_fetch_sub(readers_of(m), WRITER);
	if (n != 0 && atomic_fetch_add(departing_of(m), n) + n != 0)
		semaphore_acquire_for(&m->to_writer, 1, WAIT_RWMUTEX_WRITE);
}

bool rwmutex_trylock(struct rwmutex *m)
{
	if (!mutex_trylock(&m->w))
		return false;
	int32_t none = 0;
	/* pairs with the subtraction in rwmutex_runlock() */
	if (atomic_compare_exchange_strong(readers_of(m), &none, -WRITER))
		return true;
	mutex_unlock(&m->w);
	return false;
}

void rwmutex_unlock(struct rwmutex *m)
{
	/* pairs with the addition in rwmutex_rlock() */
	int32_t n = atomic_fetch_add(readers_of(m), WRITER) + WRITER;
	if (n >= WRITER)
		fatal_error("sync: Unlock of unlocked RWMutex");
	if (n != 0)
		semaphore_release(&m->to_read, (uint64_t)n);
	mutex_unlock(&m->w);
}

/*
 * Read-write mutex, as Go's sync.RWMutex: many readers or one writer. A zeroed one is ready for use.
 *
 * A writer that waits keeps new readers out, so that it gets its turn: a goroutine that holds a read lock must not take another. Goroutine
 * context only.
 */
#ifndef HARTBEAT_RWMUTEX_H
#define HARTBEAT_RWMUTEX_H

#include <stdbool.h>
#include <stdint.h>

#include <hartbeat/mutex.h>
#include <hartbeat/semaphore.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Fields are private. */
struct rwmutex {
	struct mutex w;                      /* held by the writer, waiting ones included */
	struct semaphore to_writer, to_read; /* where they wait for each other */
	int32_t readers;   /* atomic: inside or waiting; less by 2^30 while a writer is there */
	int32_t departing; /* atomic: readers the writer waits for */
};

/* For reading. */
void rwmutex_rlock(struct rwmutex *m);
bool rwmutex_try_rlock(struct rwmutex *m) __attribute__((warn_unused_result));
/* Fatal error "sync: RUnlock of unlocked RWMutex" when nobody reads. */
void rwmutex_runlock(struct rwmutex *m);

/* For writing. */
void rwmutex_lock(struct rwmutex *m);
bool rwmutex_trylock(struct rwmutex *m) __attribute__((warn_unused_result));
/* Fatal error "sync: Unlock of unlocked RWMutex" when nobody writes. Any goroutine may unlock. */
void rwmutex_unlock(struct rwmutex *m);

#ifdef __cplusplus
}
#endif

#endif

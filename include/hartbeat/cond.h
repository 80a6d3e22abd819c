/*
 * Condition variable, as Go's sync.Cond: goroutines wait, with a mutex released meanwhile, until another says that something has changed.
 * A zeroed one is ready for use. Goroutine context only.
 *
 *	mutex_lock(&m);
 *	while (!condition)
 *		cond_wait(&c, &m);
 *	...
 *	mutex_unlock(&m);
 */
#ifndef HARTBEAT_COND_H
#define HARTBEAT_COND_H

#include <stdint.h>

#include <hartbeat/mutex.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Fields are private. */
struct cond {
	uint32_t lock[2];
	struct waitq waiters;
};

/* Unlocks m, which the caller holds, waits for a signal or broadcast that comes after the unlock, and locks m again. Never returns without
 * one; but when it has m again, the condition may be different again. */
void cond_wait(struct cond *c, struct mutex *m);
/* Wakes the goroutine that has waited longest, if any. The caller may hold the mutex or not. */
void cond_signal(struct cond *c);
/* Wakes all that wait. */
void cond_broadcast(struct cond *c);

#ifdef __cplusplus
}
#endif

#endif

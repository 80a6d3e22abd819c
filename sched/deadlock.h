/* Cycles of goroutines that wait for each other's mutexes (see deadlock.c). For sched/mutex.c, in goroutine context, no spinlock held. */
#ifndef SCHED_DEADLOCK_H
#define SCHED_DEADLOCK_H

#include <stdint.h>

#include "kernel/g.h"

struct mutex;

/* The running goroutine is about to wait for m, in no queue yet. Reports the cycle that this closes, if any. */
void deadlock_wait(const struct mutex *m);
/* It has the mutex it waited for, and has not touched it last yet. */
void deadlock_done(void);

/* Cycles found so far. Any context. */
uint32_t deadlocks_found(void);

#endif

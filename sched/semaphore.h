/* Semaphores for other primitives of sched/: their waiters show the reason of the primitive. */
#ifndef SCHED_SEMAPHORE_H
#define SCHED_SEMAPHORE_H

#include <hartbeat/semaphore.h>

#include "kernel/wait_reason.h"

void semaphore_acquire_for(struct semaphore *s, uint64_t n, enum wait_reason reason);

#endif

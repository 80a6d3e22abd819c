/* Lets a host test play harts; see host_lock.c. */
#ifndef TESTS_HOST_HOST_LOCK_H
#define TESTS_HOST_HOST_LOCK_H

#include <stdbool.h>

/* With 1 (the start value) everything runs on hart 0. With more, each preempt_disable() that is not nested
 * moves the calling thread to another of that many harts, as a scheduler might have done. At most 8. */
extern unsigned host_harts;
extern _Thread_local bool host_interrupt; /* plays an interrupt handler */
extern _Thread_local unsigned host_hooks; /* times preempt_hook() ran */

/* Runs on hart `hart` and on the system stack until host_leave(). */
void host_enter(unsigned hart);
void host_leave(void);
/* After a panic was caught: drops every lock and state the thread had. */
void host_reset(void);

#endif

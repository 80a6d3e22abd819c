/*
 * Waiting for a number of goroutines to finish, as Go's sync.WaitGroup. A zeroed wait group is ready for use, and again after each wait.
 *
 *	struct waitgroup all = {0};
 *	for (int i = 0; i < 10; i++)
 *		if (waitgroup_go(&all, work, &job[i]) == 0) ...
 *	waitgroup_wait(&all);
 *
 * Goroutine context only.
 */
#ifndef HARTBEAT_WAITGROUP_H
#define HARTBEAT_WAITGROUP_H

#include <stdint.h>

#include <hartbeat/waitq.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Fields are private. */
struct waitgroup {
	uint64_t
		state; /* atomic: the counter in the upper half, goroutines that wait in the lower (sched/waitgroup.c) */
	uint32_t lock[2];
	struct waitq waiters;
};

/* Adds delta, which may be negative, to the counter; at 0 all waiters go on. Panics with "sync: negative WaitGroup counter" when the
 * counter gets negative, and with "sync: WaitGroup misuse: ..." when it is raised from 0 while goroutines still wait for that 0. */
void waitgroup_add(struct waitgroup *w, int delta);
void waitgroup_done(struct waitgroup *w); /* waitgroup_add(w, -1) */
void waitgroup_wait(struct waitgroup *w); /* until the counter is 0 */

/* Adds 1, runs fn(arg) in a new goroutine, and counts down when fn has returned or ended its goroutine. The goroutine's id, or 0 when memory
 * is out: then nothing was started or added. */
uint64_t waitgroup_go(struct waitgroup *w, void (*fn)(void *), void *arg) __attribute__((warn_unused_result));

#ifdef __cplusplus
}
#endif

#endif

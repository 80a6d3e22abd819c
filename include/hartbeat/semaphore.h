/*
 * Weighted semaphore: a number of units that goroutines take and give back. A zeroed one has no units and is ready for use.
 *
 *	static struct semaphore slots = SEMAPHORE_INIT(4);
 *	semaphore_acquire(&slots, 1);
 *	work();
 *	semaphore_release(&slots, 1);
 *
 * First come, first served: who asks for many units is not overtaken by those who ask for few. Goroutine context only.
 */
#ifndef HARTBEAT_SEMAPHORE_H
#define HARTBEAT_SEMAPHORE_H

#include <stdbool.h>
#include <stdint.h>

#include <hartbeat/waitq.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Fields are private. */
struct semaphore {
	uint64_t units; /* free; guarded by lock */
	uint32_t lock[2];
	struct waitq waiters;
};

#define SEMAPHORE_INIT(n)    \
	{                    \
		.units = (n) \
	}

/* Takes n units; waits until they are free and all who came before have theirs. */
void semaphore_acquire(struct semaphore *s, uint64_t n);
/* The same without waiting: false when it would wait. */
bool semaphore_try_acquire(struct semaphore *s, uint64_t n) __attribute__((warn_unused_result));
/* Gives n units back, or new ones in, and lets as many waiters go on as have theirs now. Panics when the number overflows. */
void semaphore_release(struct semaphore *s, uint64_t n);
/* The same, and if it lets somebody go on, gives the hart to it at once. */
void semaphore_release_handoff(struct semaphore *s, uint64_t n);

#ifdef __cplusplus
}
#endif

#endif

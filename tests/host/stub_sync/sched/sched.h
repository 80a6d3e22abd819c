/* Host stand-in for sched/sched.h, for test_sync.c: parking is waiting for a semaphore of the thread. */
#ifndef SCHED_SCHED_H
#define SCHED_SCHED_H

#include "kernel/g.h"

extern bool contend_on;
typedef void contend_fn(uint64_t ticks, uintptr_t fp);
extern contend_fn *contend_hook;

static inline void park_prepare(enum wait_reason reason)
{
	(void)reason;
	g_self()->preempt_off++;
}

static inline void park_commit(void)
{
	while (sem_wait(&g_self()->wake) != 0)
		;
	g_self()->preempt_off--;
}

static inline void ready(struct g *g)
{
	sem_post(&g->wake);
}

#endif

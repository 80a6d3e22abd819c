/* Host stand-in for sched/sched.h, for test_chan.c: a goroutine is a thread. */
#ifndef SCHED_SCHED_H
#define SCHED_SCHED_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/wait_reason.h"

struct g {
	uint32_t preempt_off;
	_Atomic bool resched;
	bool system, parking;
	pthread_mutex_t mutex; /* protects what follows */
	pthread_cond_t woken;
	uint32_t readied;
};

struct g *g_self(void);
void park_prepare(enum wait_reason reason);
void park_commit(void);
void park_cancel(void);
void ready(struct g *g);

#endif

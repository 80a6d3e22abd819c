/* What timers, tickers and delayed functions have in common (sched/apptimer.c). */
#ifndef SCHED_APPTIMER_H
#define SCHED_APPTIMER_H

#include <hartbeat/time.h>

#include "kernel/ktimer.h"
#include "kernel/lock.h"
#include "sched/chan_timer.h"

struct apptimer {
	union { /* what the application sees, alike; c is NULL with fn */
		struct timer timer;
		struct ticker ticker;
	};
	struct chan_timer hook; /* immutable: the channel's way back here */
	void (*fn)(void *);     /* immutable; runs in a goroutine of its own instead of a send */
	void *arg;
	struct ktimer ktimer;
	struct spinlock
		lock;    /* protects what follows and calls for ktimer, and orders them with sends to c */
	bool armed;      /* will fire at `when` */
	bool suspended;  /* a ticker whose tick nobody has received: armed again when it is taken */
	uint64_t when;   /* ns, time_now() */
	uint64_t period; /* ns; 0: once */
};

/* A timer that fires in `ns`, then every `period` ns (0: once): it sends the time it was due to its channel, or, with fn, starts fn(arg)
 * in a goroutine. NULL when memory is out. */
struct apptimer *apptimer_new(uint64_t ns, uint64_t period, void (*fn)(void *), void *arg)
	__attribute__((warn_unused_result));
/* True: it was to fire, or what it sent had not been received; either will not happen now. */
bool apptimer_stop(struct apptimer *t);
bool apptimer_reset(struct apptimer *t, uint64_t ns, uint64_t period);
void apptimer_free(struct apptimer *t);

#endif

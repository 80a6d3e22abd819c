/*
 * Timers of the application: a deadline of the kernel that sends to a channel, once or again and again, or starts a goroutine.
 *
 *	        set              the deadline, system context
 *	idle ---------> armed ---------------------------------> idle          once: the value is in the channel, or a goroutine started
 *	  ^   stop, set   |  ^                        |
 *	  +---------------+  +--- sent: next period --+--- nobody took the last tick ---> suspended ---- taken ----> armed
 *
 * As Go 1.23: after a stop or set returned, nothing from before it is received. An unreceived value counts as not yet fired.
 *
 * 1. A value is sent, and taken back, only under t->lock, and a goroutine started. Otherwise a firing on another hart could send after a stop that
 *    looked first, or a stop say that it came too late for what then could not be started.
 * 2. A firing counts only if t is armed and it is time by the clock, for it may have been on its way when t was set anew. It is not looked
 *    at which deadline it was for: one that has come counts whoever brings it. Otherwise a timer could fire early, or twice.
 * 3. A ticker nobody listens to is not armed. Otherwise it would keep a hart from sleeping and a deadlock from being seen, and one with a
 *    short period would take all of the hart's time.
 * 4. The deadline's place is reserved when t is made, and a goroutine that cannot be started for want of memory is tried again a millisecond
 *    later. Otherwise what was promised could be lost.
 */
#include "sched/apptimer.h"

#include <stddef.h>

#include "kernel/assert.h"
#include "kernel/clock.h"
#include "kernel/heap.h"
#include "sched/sched.h"
#include <hartbeat/go.h>

enum { RETRY_NS = 1000000 };

static void arm_locked(struct apptimer *t, uint64_t when)
{
	t->armed = true;
	t->suspended = false;
	t->when = when;
	ktimer_set(&t->ktimer, clock_ticks_at(when));
}

/* The first time after now that is a whole number of periods from the last. */
static void arm_next_locked(struct apptimer *t, uint64_t now)
{
	arm_locked(t, t->when + t->period * (1 + (now - t->when) / t->period));
}

static uint64_t from_now(uint64_t ns)
{
	uint64_t now = clock_ns();
	return ns > INT64_MAX ? now : now + ns; /* negative: at once */
}

static void fire(struct ktimer *k)
{
	struct apptimer *t = k->arg;
	uint64_t now = clock_ns();
	spin_lock(&t->lock);
	bool counts = t->armed && now >= t->when;
	if (counts) {
		t->armed = false;
		bool sent = t->fn == NULL && chan_try_send(t->timer.c, &t->when);
		if (t->fn != NULL && go(t->fn, t->arg) == 0)
			arm_locked(t, now + RETRY_NS);
		else if (t->period != 0 && sent)
			arm_next_locked(t, now);
		else
			t->suspended = t->period != 0;
	}
	spin_unlock(&t->lock);
}

/* Somebody received without waiting. */
static void taken(struct chan_timer *hook)
{
	struct apptimer *t = (struct apptimer *)((char *)hook - offsetof(struct apptimer, hook));
	if (t->period == 0)
		return;
	spin_lock(&t->lock);
	if (t->suspended)
		arm_next_locked(t, clock_ns());
	spin_unlock(&t->lock);
}

/* Caller holds t->lock. */
static bool disarm_locked(struct apptimer *t)
{
	bool pending = t->armed || t->suspended;
	t->armed = t->suspended = false;
#ifndef MUTANT_timer_stale
	if (t->timer.c != NULL && chan_drain(t->timer.c))
		pending = true;
#endif
	return pending;
}

bool apptimer_stop(struct apptimer *t)
{
	spin_lock(&t->lock);
	bool pending = disarm_locked(t);
	ktimer_cancel(&t->ktimer);
	spin_unlock(&t->lock);
	return pending;
}

bool apptimer_reset(struct apptimer *t, uint64_t ns, uint64_t period)
{
	uint64_t when = from_now(ns);
	spin_lock(&t->lock);
	bool pending = disarm_locked(t);
	t->period = period;
	arm_locked(t, when);
	spin_unlock(&t->lock);
	return pending;
}

struct apptimer *apptimer_new(uint64_t ns, uint64_t period, void (*fn)(void *), void *arg)
{
	uint64_t when = from_now(ns);
	struct apptimer *t = heap_alloc_zero(sizeof *t);
	if (t == NULL)
		return NULL;
	t->timer.made = true;
	t->hook.taken = taken;
	t->fn = fn;
	t->arg = arg;
	t->ktimer = (struct ktimer){.fn = fire, .arg = t, .system = g_self()->system};
	t->lock = (struct spinlock)SPINLOCK_INIT(RANK_APPTIMER);
	t->period = period;
	if (fn == NULL)
		t->timer.c = chan_make_timer(sizeof t->when, &t->hook);
	if ((fn == NULL && t->timer.c == NULL) || !ktimer_reserve(&t->ktimer)) {
		if (t->timer.c != NULL)
			chan_free_timer(t->timer.c);
		heap_free(t);
		return NULL;
	}
	spin_lock(&t->lock);
	arm_locked(t, when);
	spin_unlock(&t->lock);
	return t;
}

void apptimer_free(struct apptimer *t)
{
	apptimer_stop(t);
	ktimer_cancel_wait(&t->ktimer);
	ktimer_unreserve(&t->ktimer);
	if (t->timer.c != NULL)
		chan_free_timer(t->timer.c);
	heap_free(t);
}

/* <hartbeat/time.h>: timers, tickers and delayed functions as applications name them; sched/apptimer.c does the work. */
#include <hartbeat/time.h>

#include <stddef.h>

#include <hartbeat/panic.h>

#include "kernel/assert.h"
#include "sched/apptimer.h"

_Static_assert(offsetof(struct apptimer, timer) == 0 && offsetof(struct apptimer, ticker) == 0,
	       "what the application sees comes first");
_Static_assert(offsetof(struct timer, made) == offsetof(struct ticker, made) &&
		       sizeof(struct timer) == sizeof(struct ticker),
	       "both are the same");

static struct apptimer *of_timer(struct timer *t, const char *call)
{
	if (!t->made)
		go_panic("time: %s called on uninitialized Timer", call);
	return (struct apptimer *)t;
}

static struct apptimer *of_ticker(struct ticker *t)
{
	return (struct apptimer *)t;
}

/* ---- timers ---- */

struct timer *timer_new(uint64_t ns)
{
	return (struct timer *)apptimer_new(ns, 0, NULL, NULL);
}

struct timer *time_after_func(uint64_t ns, void (*fn)(void *), void *arg)
{
	ASSERT(fn != NULL, "time_after_func needs a function");
	return (struct timer *)apptimer_new(ns, 0, fn, arg);
}

bool timer_stop(struct timer *t)
{
	return apptimer_stop(of_timer(t, "Stop"));
}

bool timer_reset(struct timer *t, uint64_t ns)
{
	return apptimer_reset(of_timer(t, "Reset"), ns, 0);
}

void timer_free(struct timer *t)
{
	if (t != NULL)
		apptimer_free(of_timer(t, "Free"));
}

/* ---- a channel alone ---- */

struct chan *time_after(uint64_t ns)
{
	struct apptimer *t = apptimer_new(ns, 0, NULL, NULL);
	return t == NULL ? NULL : t->timer.c;
}

void time_after_free(struct chan *c)
{
	if (c == NULL)
		return;
	struct chan_timer *hook = chan_timer(c);
	ASSERT(hook != NULL, "time_after_free takes a channel of time_after");
	apptimer_free((struct apptimer *)((char *)hook - offsetof(struct apptimer, hook)));
}

/* ---- tickers ---- */

static bool positive(uint64_t ns)
{
	return ns - 1 < INT64_MAX;
}

struct ticker *ticker_new(uint64_t period)
{
	if (!positive(period))
		go_panic("non-positive interval for NewTicker");
	return (struct ticker *)apptimer_new(period, period, NULL, NULL);
}

void ticker_stop(struct ticker *t)
{
	if (t->made)
		apptimer_stop(of_ticker(t));
}

void ticker_reset(struct ticker *t, uint64_t period)
{
	if (!positive(period))
		go_panic("non-positive interval for Ticker.Reset");
	if (!t->made)
		go_panic("time: Reset called on uninitialized Ticker");
	apptimer_reset(of_ticker(t), period, period);
}

void ticker_free(struct ticker *t)
{
	if (t != NULL && t->made)
		apptimer_free(of_ticker(t));
}

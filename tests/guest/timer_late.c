/*
 * What happens when a firing is late: it was taken out of the heap, and its timer or context is set anew, stopped or freed before its function
 * runs. Between harts that is a matter of some instructions; here the function is called by hand, at the worst moment.
 */
#include "contexts.h"

#include <stdatomic.h>

#include <hartbeat/go.h>

#include "kernel/system.h"
#include "sched/apptimer.h"
#include "sched/context.h"

static void fire_sys(void *k)
{
	struct ktimer *t = k;
	t->fn(t);
}

static void fire_late(struct ktimer *t)
{
	on_system_stack(fire_sys, t);
}

GUEST_TEST(timer, late_firing,
	   "a firing that comes after its timer was stopped, or set for later, does not count")
{
	struct timer *t = timer_new(HOUR);
	struct ktimer *k = &((struct apptimer *)t)->ktimer;
	fire_late(k);
	CHECK(nothing_in(t->c));
	CHECK(timer_stop(t));
	fire_late(k);
	CHECK(nothing_in(t->c));
	CHECK(!timer_reset(t, 0));
	CHECK(recv_patiently(t->c, NULL));
	fire_late(k);
	CHECK(nothing_in(t->c));
	timer_free(t);
	struct ticker *tick = ticker_new(HOUR);
	fire_late(&((struct apptimer *)tick)->ktimer);
	CHECK(nothing_in(tick->c));
	ticker_free(tick);
}

GUEST_TEST(context, late_deadline,
	   "neither a late deadline nor a parent touches a context without references: it is being freed")
{
	struct context *p = made(context_with_cancel(context_background()));
	struct context *c = made(context_with_timeout(p, HOUR)), *other = made(context_with_cancel(p));
	atomic_store(&c->refs, 0);
	fire_late(&c->timer);
	CHECK(context_err(c) == NULL);
	context_cancel(p);
	CHECK(context_err(c) == NULL);
	check_cancelled_now(other, context_canceled);
	atomic_store(&c->refs, 1);
	context_release(c);
	context_release(other);
	context_release(p);
}

static struct context *half;

/* The steps of mark() in sched/context.c, with all the time in the world between them. */
static void cancel_slowly(void *arg)
{
	(void)arg;
	spin_lock(&half->lock);
	atomic_store(&half->err, context_canceled);
	guest_spin(500 * TIME_MICROSECOND);
	chan_close(half->done);
	atomic_store(&half->closed, true);
	spin_unlock(&half->lock);
}

GUEST_TEST(context, half_cancelled, "who sees err finds the channel closed")
{
	if (go_harts() == 1) {
		guest_skip("one hart: nobody looks meanwhile");
		return;
	}
	for (int i = 0; i < 20; i++) {
		struct guest_group all = {0};
		half = made(context_with_cancel(context_background()));
		guest_go(&all, cancel_slowly, NULL);
		for (int n = 1; context_err(half) == NULL; n++)
			if (n % 1000 == 0)
				go_yield();
		CHECK(closed(context_done(half)));
		guest_wait(&all);
		context_release(half);
	}
}

/* <hartbeat/context.h>: functions that start when a context is cancelled, by the names of Go's tests. */
#include "contexts.h"

#include <stdatomic.h>

#include <hartbeat/go.h>

static _Atomic uint32_t ran;

static void run_once(void *arg)
{
	(void)arg;
	atomic_fetch_add(&ran, 1);
}

static void wait_ran(uint32_t n)
{
	for (uint64_t end = time_now() + PATIENCE; atomic_load(&ran) != n && time_now() < end;)
		time_sleep(100 * TIME_MICROSECOND);
	CHECK_EQ(atomic_load(&ran), n);
}

GUEST_TEST(context, after_func_called_after_cancel,
	   "the function starts when the context is cancelled, not before, once")
{
	struct context *c = made(context_with_cancel(context_background()));
	atomic_store(&ran, 0);
	struct context_after *a = after(c, run_once, NULL);
	time_sleep(SHORT);
	CHECK_EQ(atomic_load(&ran), 0);
	context_cancel(c);
	wait_ran(1);
	CHECK(!context_after_stop(a));
	context_cancel(c);
	time_sleep(SHORT);
	CHECK_EQ(atomic_load(&ran), 1);
	context_after_free(a);
	context_release(c);
}

GUEST_TEST(context, after_func_called_after_timeout,
	   "the function starts when the deadline has passed, also an ancestor's")
{
	struct context *c = made(context_with_timeout(context_background(), SHORT));
	struct context *v = made(context_with_value(c, &ran, NULL)), *d = made(context_with_cancel(v));
	atomic_store(&ran, 0);
	struct context_after *a = after(v, run_once, NULL), *b = after(d, run_once, NULL);
	context_release(c);
	context_release(v);
	context_release(d);
	wait_ran(2);
	context_after_free(a);
	context_after_free(b);
}

GUEST_TEST(context, after_func_called_immediately,
	   "the function of a cancelled context starts at once; freeing does not take it back")
{
	struct context *c = made(context_with_cancel(context_background()));
	context_cancel(c);
	atomic_store(&ran, 0);
	context_after_free(after(c, run_once, NULL));
	wait_ran(1);
	context_release(c);
}

GUEST_TEST(context, after_func_not_called_after_stop, "a stopped function does not start; stop says so once")
{
	struct context *c = made(context_with_cancel(context_background()));
	atomic_store(&ran, 0);
	struct context_after *a = after(c, run_once, NULL), *b = after(c, run_once, NULL),
			     *never = after(context_background(), run_once, NULL);
	CHECK(context_after_stop(a));
	context_after_free(b);
	context_cancel(c);
	time_sleep(SHORT);
	CHECK_EQ(atomic_load(&ran), 0);
	CHECK(!context_after_stop(a));
	CHECK(context_after_stop(never) && !context_after_stop(never));
	context_after_free(a);
	context_after_free(never);
	context_after_free(NULL);
	context_release(c);
}

static struct chan *meet;
static struct guest_group meeting;

static void wait_for_receiver(void *arg)
{
	(void)arg;
	chan_send(meet, NULL);
	waitgroup_done(&meeting.left);
}

GUEST_TEST(context, after_func_called_asynchronously, "cancelling does not wait for the functions")
{
	struct context *c = made(context_with_cancel(context_background()));
	meet = chan_make(0, 0);
	waitgroup_add(&meeting.left, 1);
	struct context_after *a = after(c, wait_for_receiver, NULL);
	context_cancel(c);
	chan_recv(meet, NULL);
	context_after_free(a);
	context_release(c);
	guest_wait(&meeting);
	chan_free(meet);
}

struct stopper {
	struct context *c;
	struct context_after *a;
	_Atomic uint32_t stopped;
};

static void stop_after(void *arg)
{
	struct stopper *s = arg;
	atomic_store(&s->stopped, context_after_stop(s->a));
}

GUEST_TEST(context, after_func_race,
	   "stop says true exactly when the function does not run, whoever is first")
{
	for (uint32_t i = 0; i < guest_count(300, 10000); i++) {
		struct guest_group all = {0};
		struct stopper s = {.c = made(context_with_cancel(context_background()))};
		atomic_store(&ran, 0);
		s.a = after(s.c, run_once, NULL);
		guest_go(&all, stop_after, &s);
		if (i % 2)
			go_yield();
		context_cancel(s.c);
		guest_wait(&all);
		wait_ran(1 - atomic_load(&s.stopped));
		context_after_free(s.a);
		context_release(s.c);
	}
}

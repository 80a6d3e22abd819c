/* Stopping a trace whose reader takes its time. */
#include <errno.h>
#include <stdatomic.h>

#include <hartbeat/chan.h>
#include <hartbeat/go.h>
#include <hartbeat/time.h>
#include <hartbeat/trace.h>

#include "tests/guest/suite.h"
#include "tests/guest/traces.h"

static struct chan *gate;
static _Atomic uint32_t held, stopped, started;

static int hold(void *ctx, const void *data, size_t n)
{
	(void)ctx;
	(void)data;
	(void)n;
	atomic_fetch_add(&held, 1);
	chan_recv(gate, NULL);
	return 0;
}

static void stop(void *arg)
{
	(void)arg;
	CHECK(trace_stop() == 0);
	atomic_fetch_add(&stopped, 1);
}

static void start_anew(void *arg)
{
	CHECK(trace_start_func(taken_write, arg) == 0);
	atomic_fetch_add(&started, 1);
}

GUEST_TEST(trace, stop_holds_up_nobody,
	   "while a stop waits for the reader the flight recorder goes on, and another start waits")
{
	struct guest_group all = {0};
	struct taken snapshot = {0}, next = {0};
	gate = chan_make(0, 0);
	held = stopped = started = 0;
	CHECK(trace_start_func(hold, NULL) == 0);
	guest_go(&all, stop, NULL);
	while (atomic_load(&held) == 0)
		time_sleep(TIME_MILLISECOND);
	while (trace_enabled()) /* its last generation has ended */
		time_sleep(TIME_MILLISECOND);
	guest_go(&all, start_anew, &next);
	CHECK(trace_flight_start(0, 0) == 0);
	trace_log(0, "test", "while it waits");
	CHECK(trace_flight_write_func(taken_write, &snapshot) == 0);
	CHECK(taken_has(&snapshot, "while it waits"));
	CHECK(trace_flight_stop() == 0);
	time_sleep(5 * TIME_MILLISECOND);
	CHECK_EQ(atomic_load(&stopped), 0);
	CHECK_EQ(atomic_load(&started), 0);
	chan_close(gate);
	guest_wait(&all);
	CHECK_EQ(atomic_load(&stopped), 1);
	CHECK_EQ(atomic_load(&started), 1);
	trace_log(0, "test", "in the next");
	CHECK(trace_stop() == 0);
	CHECK(taken_has(&next, "in the next"));
	taken_free(&snapshot);
	taken_free(&next);
	chan_free(gate);
}

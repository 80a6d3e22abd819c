/* Starting and stopping traces, and the flight recorder: the tests of Go's runtime/trace. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hartbeat/chan.h>
#include <hartbeat/go.h>
#include <hartbeat/time.h>
#include <hartbeat/trace.h>

#include "prof/prof.h"
#include "suite.h"
#include "tests/many_strings.h"
#include "trace/trace.h"
#include "traces.h"

/* Some events: goroutines that hand a number around. */
static void pass(void *arg)
{
	struct chan **c = arg;
	int v;
	for (int i = 0; i < 20; i++) {
		chan_recv(c[0], &v);
		v++;
		chan_send(c[1], &v);
	}
}

static void work(void)
{
	struct guest_group all = {0};
	struct chan *ring[4];
	int v = 0;
	for (int i = 0; i < 4; i++)
		ring[i] = chan_make(sizeof v, 0);
	for (int i = 0; i < 3; i++)
		guest_go(&all, pass, &ring[i]);
	for (int i = 0; i < 20; i++) {
		chan_send(ring[0], &v);
		chan_recv(ring[3], &v);
	}
	guest_wait(&all);
	CHECK_EQ(v, 60);
	for (int i = 0; i < 4; i++)
		chan_free(ring[i]);
}

GUEST_TEST(trace, start_stop,
	   "what comes before the start or after the stop of a trace is not in it (TestTraceStartStop)")
{
	struct taken t = {0};
	uint32_t n_goroutines = go_count();
	CHECK(!trace_enabled());
	CHECK(trace_start_func(taken_write, &t) == 0);
	CHECK(trace_enabled());
	work();
	CHECK(guest_count_settles(n_goroutines));
	CHECK(trace_stop() == 0);
	CHECK(!trace_enabled());
	size_t n = t.n;
	CHECK(n > 1000);
	work();
	time_sleep(50 * TIME_MILLISECOND);
	CHECK_EQ(t.n, n);
	struct trace_facts f = taken_facts(&t);
	CHECK_EQ(f.events[TRACE_GO_CREATE] >= 3, 1);
	CHECK(f.events[TRACE_GO_BLOCK] >= 20);
	CHECK(f.events[TRACE_GO_DESTROY] >= 3);
	CHECK_EQ(f.events[TRACE_STW_BEGIN], f.events[TRACE_STW_END]);
	CHECK(taken_has(&t, "pass") && taken_has(&t, "tests/guest/trace.c"));
	taken_free(&t);
}

GUEST_TEST(trace, double_start, "a second start fails, a second stop does no harm (TestTraceDoubleStart)")
{
	struct taken t = {0}, u = {0};
	CHECK(trace_stop() != 0 && errno == ESRCH);
	CHECK(trace_start_func(taken_write, &t) == 0);
	CHECK(trace_start_func(taken_write, &u) != 0 && errno == EBUSY);
	CHECK(trace_start("second.out") != 0 && errno == EBUSY);
	CHECK(trace_start("bad name") != 0 && errno == EINVAL);
	CHECK(trace_start("") != 0 && errno == EINVAL);
	CHECK(trace_start_func(NULL, NULL) != 0 && errno == EINVAL);
	CHECK(trace_stop() == 0);
	CHECK(trace_stop() != 0 && errno == ESRCH);
	CHECK(u.n == 0 && t.n > 0);
	taken_facts(&t);
	taken_free(&t);
}

static _Atomic int inside[4];

static int stop_inside(void *arg, const void *data, size_t n)
{
	(void)taken_write(arg, data, n);
	if (atomic_load(&inside[0]) == 0) {
		atomic_store(&inside[1], trace_stop() != 0 ? errno : 0);
		atomic_store(&inside[2], trace_start("inner.out") != 0 ? errno : 0);
		atomic_store(&inside[3], trace_flight_write("inner.out") != 0 ? errno : 0);
		atomic_store(&inside[0], 1);
	}
	return 0;
}

GUEST_TEST(trace, stop_from_the_reader, "who takes a trace cannot wait for its end, and is told so")
{
	struct taken t = {0};
	atomic_store(&inside[0], 0);
	CHECK(trace_start_func(stop_inside, &t) == 0);
	work();
	CHECK(trace_stop() == 0);
	CHECK_EQ(atomic_load(&inside[0]), 1);
	CHECK_EQ(atomic_load(&inside[1]), EDEADLK);
	CHECK_EQ(atomic_load(&inside[2]), EBUSY);
	CHECK_EQ(atomic_load(&inside[3]), EDEADLK);
	taken_facts(&t);
	taken_free(&t);
}

GUEST_TEST(trace, refused, "a function that takes no more ends the trace with an error, and harms nobody")
{
	struct taken t = {.refuse = true};
	CHECK(trace_start_func(taken_write, &t) == 0);
	work();
	CHECK(trace_stop() != 0 && errno == EIO);
	CHECK_EQ(t.n, 0);
	taken_free(&t);
}

GUEST_TEST(trace, many_start_stop, "traces one after the other (TestTraceManyStartStop)")
{
	for (int i = 0; i < 10; i++) {
		struct taken t = {0};
		CHECK(trace_start_func(taken_write, &t) == 0);
		CHECK(trace_stop() == 0);
		CHECK(taken_facts(&t).good);
		taken_free(&t);
	}
}

/* A reader that never reads: until it is let go. */
static struct chan *gate;

static int never(void *arg, const void *data, size_t n)
{
	struct taken *t = arg;
	if (atomic_load(&t->calls) == 0)
		chan_recv(gate, NULL);
	return taken_write(t, data, n);
}

GUEST_TEST(trace, no_reader,
	   "when nobody reads, whole generations are dropped, and that is counted; nobody waits")
{
	uint64_t most = trace_memory_max, period = traced_period(20 * TIME_MILLISECOND);
	struct taken t = {0};
	gate = chan_make(0, 0);
	trace_memory_max = 4 << 20;
	CHECK(trace_start_func(never, &t) == 0);
	uint64_t end = time_now() + 20 * TIME_SECOND;
	while (!atomic_load(&trace_gen->dropped) && time_now() < end)
		work();
	CHECK(atomic_load(&trace_gen->dropped));
	CHECK(trace_memory() <= trace_memory_max);
	CHECK(trace_memory() + (2 << 20) > trace_memory_max);
	for (int i = 0; i < 20; i++) {
		work();
		time_sleep(10 * TIME_MILLISECOND);
	}
	CHECK(trace_memory() <= trace_memory_max);
	chan_close(gate);
	for (int i = 0; i < 500 && t.files == 0; i++) {
		work();
		time_sleep(10 * TIME_MILLISECOND);
	}
	time_sleep(50 * TIME_MILLISECOND);
	CHECK(trace_stop() == 0);
	CHECK(t.files >= 1);
	CHECK(taken_has(&t, "generations dropped"));
	chan_free(gate);
	trace_memory_max = most;
	trace_period_ns = period;
	taken_free(&t);
}

/* Only its end gives it back. */
GUEST_TEST(trace, own_memory,
	   "a generation that has taken all memory for itself is dropped, and the next one is whole")
{
	uint64_t most = trace_memory_max, period = trace_period_ns;
	struct taken t = {0};
	trace_period_ns = 500 * TIME_MILLISECOND;
	CHECK(trace_start_func(taken_write, &t) == 0);
	uint32_t number = trace_gen->number;
	uint64_t end = time_now() + 60 * TIME_SECOND;
	while (!atomic_load(&trace_gen->dropped) && time_now() < end) {
		if (trace_gen->number != number) { /* too short, as busy as the host is */
			number = trace_gen->number;
			trace_period_ns *= 2;
		}
		if (trace_memory_waiting() >= 1 << 18) { /* what is taken is kept */
			time_sleep(TIME_MILLISECOND);
			continue;
		}
		if (trace_gen->bytes > 1 << 20)
			trace_memory_max = trace_memory();
		work();
	}
	CHECK(atomic_load(&trace_gen->dropped));
	while (atomic_load(&trace_gen->dropped) && time_now() < end)
		work();
	CHECK(!atomic_load(&trace_gen->dropped));
	trace_memory_max = most;
	CHECK(trace_stop() == 0);
	CHECK(taken_has(&t, "generations dropped"));
	trace_period_ns = period;
	taken_free(&t);
}

static void no_more_memory(uint64_t *most)
{
	*most = trace_memory_max;
	trace_memory_max = trace_memory();
}

/* As many_strings(), by stacks: each call has a way to it of its own. */
__attribute__((noipa)) static void many_stacks(int depth)
{
	trace_region_end(trace_region_begin(0, "a"));
	trace_log(0, "message", "b");
	if (depth == 0)
		return;
	many_stacks(depth - 1);
	many_stacks(depth - 1);
	__asm__ volatile("");
}

/* False: with so little memory the generation was thought to be full, and the next one had begun before anything was missing. */
static bool table_overflows(bool stacks)
{
	uint64_t most, period = trace_period_ns;
	struct taken t = {0};
	trace_period_ns = 60 * TIME_SECOND;
	CHECK(trace_start_func(taken_write, &t) == 0);
	trace_log(0, "message", "before the hole");
	CHECK(!atomic_load(&trace_gen->dropped));
	uint64_t number = trace_gen->number;
	no_more_memory(&most);
	if (stacks)
		many_stacks(9);
	else
		many_strings();
	bool same = trace_gen->number == number;
	CHECK(!same || atomic_load(&trace_gen->dropped));
	trace_memory_max = most;
	CHECK(trace_flight_start(0, 0) == 0); /* another generation */
	CHECK(!same || !atomic_load(&trace_gen->dropped));
	trace_log(0, "message", "behind the hole");
	CHECK(trace_flight_stop() == 0);
	CHECK(trace_stop() == 0);
	if (same) {
		CHECK(taken_facts(&t).good);
		CHECK(!taken_has(&t, "before the hole"));
		CHECK(taken_has(&t, "generations dropped") && taken_has(&t, "behind the hole"));
	}
	trace_period_ns = period;
	taken_free(&t);
	return same;
}

GUEST_TEST(trace, tables_full,
	   "a generation that has no memory for a string or a stack is dropped as a whole, and said to be")
{
	for (int stacks = 0; stacks < 2; stacks++) {
		int attempts = GUEST_ATTEMPTS;
		while (!table_overflows(stacks) && --attempts > 0)
			;
		CHECK(attempts > 0);
	}
}

/* ---- the flight recorder ---- */

GUEST_TEST(trace, flight_double_start, "a second flight recorder is refused (TestFlightRecorderDoubleStart)")
{
	CHECK(trace_flight_start(0, 0) == 0);
	CHECK(trace_flight_start(0, 0) != 0 && errno == EBUSY);
	CHECK(trace_flight_stop() == 0);
	CHECK(trace_flight_stop() != 0 && errno == ESRCH);
}

GUEST_TEST(trace, flight_enabled, "it says whether it runs (TestFlightRecorderEnabled)")
{
	CHECK(!trace_flight_enabled());
	CHECK(trace_flight_start(0, 0) == 0);
	CHECK(trace_flight_enabled());
	CHECK(trace_flight_stop() == 0);
	CHECK(!trace_flight_enabled());
}

GUEST_TEST(trace, flight_disabled,
	   "no snapshot before the start or after the stop (TestFlightRecorderWriteToDisabled)")
{
	struct taken t = {0};
	CHECK(trace_flight_write_func(taken_write, &t) != 0 && errno == ESRCH);
	CHECK(trace_flight_start(0, 0) == 0);
	CHECK(trace_flight_stop() == 0);
	CHECK(trace_flight_write_func(taken_write, &t) != 0 && errno == ESRCH);
	CHECK_EQ(t.n, 0);
}

static _Atomic int second_error;

static void second_snapshot(void *arg)
{
	struct taken t = {0};
	(void)arg;
	atomic_store(&second_error, trace_flight_write_func(taken_write, &t) != 0 ? errno : 0);
	taken_free(&t);
}

static int slow_write(void *arg, const void *data, size_t n)
{
	struct taken *t = arg;
	if (atomic_load(&t->calls) == 0) {
		struct guest_group all = {0};
		guest_go(&all, second_snapshot, NULL);
		guest_wait(&all);
	}
	return taken_write(t, data, n);
}

GUEST_TEST(trace, flight_concurrent,
	   "of two snapshots at a time one is refused (TestFlightRecorderConcurrentWriteTo)")
{
	struct taken t = {0};
	CHECK(trace_flight_start(0, 0) == 0);
	work();
	CHECK(trace_flight_write_func(slow_write, &t) == 0);
	CHECK_EQ(atomic_load(&second_error), EBUSY);
	CHECK(taken_facts(&t).good);
	CHECK(trace_flight_stop() == 0);
	taken_free(&t);
}

GUEST_TEST(trace, flight_start_stop,
	   "five cycles, each with a whole snapshot (TestFlightRecorder, TestFlightRecorderStartStop)")
{
	for (int i = 0; i < 5; i++) {
		struct taken t = {0};
		CHECK(trace_flight_start(0, 0) == 0);
		work();
		CHECK(trace_flight_write_func(taken_write, &t) == 0);
		CHECK(trace_flight_stop() == 0);
		CHECK(t.n >= 16 && taken_facts(&t).good);
		taken_free(&t);
	}
}

GUEST_TEST(trace, flight_log, "what was said just before is in the snapshot (TestFlightRecorderLog)")
{
	struct taken t = {0};
	CHECK(trace_flight_start(0, 0) == 0);
	trace_log(0, "message", "the last words before the snapshot");
	CHECK(trace_flight_write_func(taken_write, &t) == 0);
	CHECK(taken_has(&t, "the last words before the snapshot"));
	CHECK(taken_facts(&t).events[TRACE_LOG] >= 1);
	CHECK(trace_flight_stop() == 0);
	taken_free(&t);
}

static void few_generations(uint64_t min_age, uint64_t max_bytes)
{
	uint64_t period = traced_period(50 * TIME_MILLISECOND);
	struct taken t = {0};
	CHECK(trace_flight_start(min_age, max_bytes) == 0);
	for (int i = 0; i < 10; i++) {
		work();
		time_sleep(30 * TIME_MILLISECOND);
	}
	CHECK(trace_flight_write_func(taken_write, &t) == 0);
	struct trace_facts f = taken_facts(&t);
	CHECK(f.gens >= 1 && f.gens <= 3);
	CHECK(trace_flight_stop() == 0);
	trace_period_ns = period;
	taken_free(&t);
}

GUEST_TEST(trace, flight_generations,
	   "no more is kept than was asked for, and never nothing (TestFlightRecorderGenerationCount)")
{
	few_generations(trace_period_ns != 0 ? 1000000 : 1, 0); /* younger than a generation */
	few_generations(0, 16);
}

GUEST_TEST(trace, flight_keeps, "what is young enough is kept")
{
	uint64_t period = traced_period(10 * TIME_MILLISECOND);
	struct taken t = {0};
	CHECK(trace_flight_start(60 * TIME_SECOND, 32 << 20) == 0);
	trace_log(0, "message", "long ago");
	uint64_t gens = 0;
	for (int i = 0; i < GUEST_ATTEMPTS && gens < 5; i++) {
		if (trace_period_ns != 0) /* else there would be more of them than there is room for */
			time_sleep(300 * TIME_MILLISECOND);
		CHECK(trace_flight_write_func(taken_write, &t) == 0);
		CHECK(taken_has(&t, "long ago"));
		gens = taken_facts(&t).gens;
		taken_free(&t);
	}
	CHECK(gens >= 5);
	CHECK(trace_flight_stop() == 0);
	trace_period_ns = period;
}

GUEST_TEST(trace, trace_and_flight, "both at once; the trace has more in it (TestTraceAndFlightRecorder)")
{
	uint64_t period = traced_period(10 * TIME_MILLISECOND);
	struct taken t = {0}, s = {0};
	CHECK(trace_flight_start(1000000, 0) == 0);
	CHECK(trace_start_func(taken_write, &t) == 0);
	for (int i = 0; i < 20; i++) {
		work();
		time_sleep(5 * TIME_MILLISECOND);
	}
	CHECK(trace_flight_write_func(taken_write, &s) == 0);
	CHECK(trace_flight_stop() == 0);
	CHECK(trace_stop() == 0);
	struct trace_facts ft = taken_facts(&t), fs = taken_facts(&s);
	CHECK(t.n > s.n && ft.gens > fs.gens);
	trace_period_ns = period;
	taken_free(&t);
	taken_free(&s);
}

GUEST_TEST(trace, subscribers,
	   "trace and flight recorder begin and end in any order; each output stands alone (TestSubscribers)")
{
	/* T, F: start; t, f: stop, the snapshot before */
	static const char *const orders[] = {"TFft", "FTtf", "TFtf", "FTft", "TtFf"};
	for (size_t i = 0; i < sizeof orders / sizeof orders[0]; i++) {
		struct taken t = {0}, s = {0};
		for (const char *c = orders[i]; *c != '\0'; c++) {
			int error = 0;
			if (*c == 'T') {
				error = trace_start_func(taken_write, &t);
			} else if (*c == 'F') {
				error = trace_flight_start(0, 0);
			} else if (*c == 't') {
				error = trace_stop();
			} else {
				error = trace_flight_write_func(taken_write, &s);
				error |= trace_flight_stop();
			}
			CHECK_EQ(error, 0);
			work();
		}
		CHECK(taken_facts(&t).good && taken_facts(&s).good);
		taken_free(&t);
		taken_free(&s);
	}
	CHECK(!trace_enabled());
}

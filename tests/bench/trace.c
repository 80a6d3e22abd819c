/*
 * What tracing costs: chan_pingpong, of whose round trips each makes 6 events with 4 stacks; what a program says about itself, by the names of
 * Go's benchmarks, with a trace and without; how long the world stands between two generations.
 */
#include <hartbeat/trace.h>

#include <stdio.h>
#include <stdlib.h>

#include <hartbeat/chan.h>

#include "sched/stw.h"
#include "tests/bench/bench.h"

enum { EVENTS = 6 };

static _Atomic uint64_t bytes;

static int count(void *ctx, const void *data, size_t n)
{
	(void)ctx;
	(void)data;
	atomic_fetch_add(&bytes, n);
	return 0;
}

static void die(const char *what)
{
	fprintf(stderr, "bench: %s failed\n", what);
	exit(1);
}

static void traced_once(const char *name, uint64_t rep, bool flight)
{
	enum { ROUNDS = 20000 };
	char extra[96];
	atomic_store(&bytes, 0);
	uint64_t off = bench_pingpong(ROUNDS);
	if ((flight ? trace_flight_start(0, 0) : trace_start_func(count, NULL)) != 0)
		die("start of a trace");
	uint64_t on = bench_pingpong(ROUNDS);
	if (flight && trace_flight_write_func(count, NULL) != 0)
		die("snapshot");
	if ((flight ? trace_flight_stop() : trace_stop()) != 0)
		die("stop of a trace");
	double more = on > off ? (double)(on - off) : 0;
	snprintf(extra, sizeof extra, "event=%.1f bytes_event=%.2f slower=%.2f", more / ROUNDS / EVENTS,
		 (double)atomic_load(&bytes) / ROUNDS / EVENTS, (double)on / (double)off);
	bench_line(name, go_harts(), rep, ROUNDS, (double)on / ROUNDS, extra);
}

static void traced(void)
{
	for (uint64_t i = 0; i < bench_reps; i++)
		traced_once("trace_pingpong", i, false);
}

static void flight(void)
{
	for (uint64_t i = 0; i < bench_reps; i++)
		traced_once("flight_pingpong", i, true);
}

static void on(void)
{
	if (trace_start_func(count, NULL) != 0)
		die("start of a trace");
}

static void off(void)
{
	if (trace_stop() != 0)
		die("stop of a trace");
}

static uint64_t start_region(uint64_t n)
{
	uint64_t start = time_now();
	for (uint64_t i = 0; i < n; i++)
		trace_region_end(trace_region_begin(0, "region"));
	return time_now() - start;
}

static uint64_t new_task(uint64_t n)
{
	uint64_t start = time_now();
	for (uint64_t i = 0; i < n; i++)
		trace_task_end(trace_task_begin("task", 0));
	return time_now() - start;
}

static uint64_t log_message(uint64_t n)
{
	uint64_t start = time_now();
	for (uint64_t i = 0; i < n; i++)
		trace_log(0, "category", "message");
	return time_now() - start;
}

static uint64_t stack_at(uint64_t depth, uint64_t n);
static uint64_t (*volatile stack_deeper)(uint64_t depth, uint64_t n) = stack_at;

/* Events whose stack has so many frames; each is one of the same stack. */
static uint64_t stack_at(uint64_t depth, uint64_t n)
{
	if (depth > 1) {
		uint64_t d = stack_deeper(depth - 1, n);
		__asm__ volatile("");
		return d;
	}
	return log_message(n);
}

static void annotate(const char *name, uint64_t (*sample)(uint64_t n), bool with)
{
	enum { N = 20000 };
	for (uint64_t i = 0; i < bench_reps; i++) {
		if (with)
			on();
		uint64_t d = sample(N);
		if (with)
			off();
		bench_line(name, 1, i, N, (double)d / N, NULL);
	}
}

static uint64_t stack_1(uint64_t n)
{
	return stack_deeper(1, n);
}

static uint64_t stack_10(uint64_t n)
{
	return stack_deeper(10, n);
}

static uint64_t stack_50(uint64_t n)
{
	return stack_deeper(50, n);
}

static void annotations(void)
{
	annotate("StartRegion", start_region, true);
	annotate("StartRegion/off", start_region, false);
	annotate("NewTask", new_task, true);
	annotate("NewTask/off", new_task, false);
	annotate("Log", log_message, true);
	annotate("Log/off", log_message, false);
	annotate("TraceStack/depth=1", stack_1, true);
	annotate("TraceStack/depth=10", stack_10, true);
	annotate("TraceStack/depth=50", stack_50, true);
}

static struct waitgroup parked;

static void park(void *c)
{
	chan_recv(c, NULL);
	waitgroup_done(&parked);
}

/* The world between two generations, with many goroutines that wait. ns_op is the longest stop. */
static void stop(void)
{
	enum { GOROUTINES = 10000, GENERATIONS = 10 };
	struct chan *c = bench_chan_make(0, 0);
	char extra[64];
	waitgroup_add(&parked, GOROUTINES);
	for (int i = 0; i < GOROUTINES; i++)
		bench_go(park, c);
	for (uint64_t r = 0; r < bench_reps; r++) {
		uint64_t standing;
		(void)stw_longest(STW_TRACE_ADVANCE, &standing);
		if (trace_flight_start(0, 0) != 0)
			die("start of a trace");
		for (int i = 0; i < GENERATIONS; i++)
			if (trace_flight_write_func(count, NULL) != 0)
				die("snapshot");
		if (trace_flight_stop() != 0)
			die("stop of a trace");
		double longest = (double)stw_longest(STW_TRACE_ADVANCE, &standing);
		snprintf(extra, sizeof extra, "goroutines=%d standing=%llu", GOROUTINES,
			 (unsigned long long)standing);
		bench_line("trace_stop_10k", go_harts(), r, GENERATIONS, longest, extra);
	}
	chan_close(c);
	waitgroup_wait(&parked);
	chan_free(c);
}

const struct bench bench_trace[] = {
	{.name = "trace_pingpong", .run = traced},
	{.name = "flight_pingpong", .run = flight},
	{.name = "trace_annotations", .run = annotations},
	{.name = "trace_stop_10k", .run = stop},
	{0},
};

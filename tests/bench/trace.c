/* What tracing costs: chan_pingpong, of whose round trips each makes 6 events with 4 stacks. */
#include <hartbeat/trace.h>

#include <stdio.h>
#include <stdlib.h>

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

const struct bench bench_trace[] = {
	{.name = "trace_pingpong", .run = traced},
	{.name = "flight_pingpong", .run = flight},
	{0},
};

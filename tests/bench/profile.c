/*
 * The goroutine profile with many goroutines that wait, idle and while others come and go: how long it takes, how long the world stands, and
 * what is left of the progress of others meanwhile. Names as Go's Benchmark Goroutine: profile_goroutine_N_idle, ..._N_churn; the line
 * profile_pause_... has the stops of the same profiles. One operation is one profile, as text of counts into a sink that counts bytes.
 */
#include "tests/bench/bench.h"

#include <stdio.h>
#include <stdlib.h>

#include <hartbeat/chan.h>
#include <hartbeat/metrics.h>
#include <hartbeat/profile.h>

enum { SAMPLES_MAX = 400 };

static struct {
	struct chan *gate;
	struct waitgroup waiting, churning;
	_Atomic uint64_t up, steps;
	_Atomic bool stop;
} s;

static void park(void *arg)
{
	(void)arg;
	atomic_fetch_add(&s.up, 1);
	chan_recv(s.gate, NULL);
	waitgroup_done(&s.waiting);
}

static void waiting_start(uint64_t n)
{
	s.gate = bench_chan_make(0, 0);
	atomic_store(&s.up, 0);
	for (uint64_t i = 0; i < n; i++) {
		waitgroup_add(&s.waiting, 1);
		bench_go(park, NULL);
	}
	while (atomic_load(&s.up) < n)
		go_yield();
}

static void waiting_end(void)
{
	chan_close(s.gate);
	waitgroup_wait(&s.waiting);
	chan_free(s.gate);
}

/* Two at a time come and go. */
static void churn(void *arg)
{
	(void)arg;
	while (!atomic_load(&s.stop)) {
		struct waitgroup done = {0};
		waitgroup_add(&done, 2);
		bench_go(bench_done, &done);
		bench_go(bench_done, &done);
		waitgroup_wait(&done);
	}
	waitgroup_done(&s.churning);
}

static void step(void)
{
	bench_sink += bench_spin(100);
	atomic_fetch_add_explicit(&s.steps, 1, memory_order_relaxed);
}

static void compute(void *arg)
{
	(void)arg;
	while (!atomic_load(&s.stop))
		step();
	waitgroup_done(&s.churning);
}

/* The same, giving way after every 16 steps, some microseconds. */
static void compute_polite(void *arg)
{
	(void)arg;
	for (uint64_t i = 0; !atomic_load(&s.stop); i++) {
		step();
		if (i % 16 == 0)
			go_yield();
	}
	waitgroup_done(&s.churning);
}

static void others_start(void (*fn)(void *), unsigned n)
{
	atomic_store(&s.stop, false);
	waitgroup_add(&s.churning, (int)n);
	for (unsigned i = 0; i < n; i++)
		bench_go(fn, NULL);
}

static void others_end(void)
{
	atomic_store(&s.stop, true);
	waitgroup_wait(&s.churning);
}

static int count_bytes(struct sink *to, const void *data, size_t n)
{
	(void)to;
	(void)data;
	bench_sink += n;
	return 0;
}

static void profile_take(void)
{
	struct sink sink = {count_bytes};
	if (profile_write("goroutine", 1, &sink) != 0) {
		fprintf(stderr, "bench: no goroutine profile\n");
		exit(1);
	}
}

/* How long the world has stood so far. */
static uint64_t stood(void)
{
	static struct metric_value v;
	return metrics_read("/sched/pauses/total/other:seconds", &v) ? v.sum : 0;
}

static void measure(uint64_t n, const char *how)
{
	static int64_t total[SAMPLES_MAX], pause[SAMPLES_MAX];
	char name[64];
	uint64_t samples = n > 1000 ? 100 : SAMPLES_MAX;
	profile_take(); /* the memory of the first is fetched */
	for (uint64_t i = 0; i < samples; i++) {
		uint64_t before = stood(), start = time_now();
		profile_take();
		total[i] = (int64_t)(time_now() - start);
		pause[i] = (int64_t)(stood() - before);
	}
	snprintf(name, sizeof name, "profile_goroutine_%llu_%s", (unsigned long long)n, how);
	bench_dist(name, go_harts(), 0, total, samples, NULL);
	snprintf(name, sizeof name, "profile_pause_%llu_%s", (unsigned long long)n, how);
	bench_dist(name, go_harts(), 0, pause, samples, NULL);
}

static void goroutine(void)
{
	const uint64_t counts[] = {50, 1000, 10000, bench_parked_n};
	for (unsigned i = 0; i < 4; i++) {
		waiting_start(counts[i]);
		measure(counts[i], "idle");
		others_start(churn, 1);
		measure(counts[i], "churn");
		others_end();
		waiting_end();
	}
}

/* Steps a second of computing goroutines: alone with the parked ones, and while profiles follow each other. */
static uint64_t steps_during(bool profiles, uint64_t ns)
{
	uint64_t start = time_now(), before = atomic_load(&s.steps);
	while (time_now() - start < ns) {
		if (profiles)
			profile_take();
		else
			time_sleep(TIME_MILLISECOND);
	}
	return (uint64_t)((double)(atomic_load(&s.steps) - before) * 1e9 / (double)(time_now() - start));
}

/* What is left to one computing goroutine for each hart. */
static void progress(const char *name, void (*fn)(void *))
{
	char text[120];
	waiting_start(bench_parked_n);
	others_start(fn, go_harts());
	for (uint64_t r = 0; r < bench_reps; r++) {
		uint64_t alone = steps_during(false, bench_target_ns),
			 with = steps_during(true, bench_target_ns);
		snprintf(text, sizeof text, "steps_s=%llu with_profiles_s=%llu", (unsigned long long)alone,
			 (unsigned long long)with);
		bench_line(name, go_harts(), r, 1, (double)with / (double)(alone + 1), text);
	}
	others_end();
	waiting_end();
}

static void progress_compute(void)
{
	progress("profile_progress", compute);
}

static void progress_polite(void)
{
	progress("profile_progress_yield", compute_polite);
}

const struct bench bench_profile[] = {
	{.name = "profile_goroutine", .run = goroutine},
	{.name = "profile_progress", .run = progress_compute},
	{.name = "profile_progress_yield", .run = progress_polite},
	{0},
};

/*
 * The timer benchmarks of Go's package time, by their names. As there, 32,768 timers for each hart that never fire are armed beside those
 * that are measured (ParallelTimerLatency and StaggeredTickerLatency: none).
 */
#include <stdio.h>
#include <stdlib.h>

#include <hartbeat/chan.h>

#include "tests/bench/share.h"

enum { THOUSAND = 1000, BESIDE = 1 << 15 };

#define HOUR (3600 * TIME_SECOND)

static void nothing(void *arg)
{
	(void)arg;
}

static struct timer *after(uint64_t ns, void (*fn)(void *), void *arg)
{
	struct timer *t = time_after_func(ns, fn, arg);
	if (t == NULL) {
		fprintf(stderr, "bench: out of memory: no timer\n");
		exit(1);
	}
	return t;
}

/* share_run() beside timers that are armed. */
static uint64_t beside(uint64_t n, void (*body)(struct share *))
{
	uint32_t all = BESIDE * go_harts();
	struct timer **t = bench_alloc(all * sizeof *t);
	for (uint32_t i = 0; i < all; i++)
		t[i] = after(HOUR, nothing, NULL);
	uint64_t d = share_run(n, 1, body, NULL);
	for (uint32_t i = 0; i < all; i++)
		timer_free(t[i]);
	free(t);
	return d;
}

struct relay {
	int at;
	struct timer *t[THOUSAND + 1];
	struct waitgroup done;
};

/* One runs after the other; each arms the next. */
static void relay_run(void *arg)
{
	struct relay *r = arg;
	int next = ++r->at;
	if (next <= THOUSAND)
		r->t[next] = after(0, relay_run, r);
	waitgroup_done(&r->done);
}

static void after_body(struct share *s)
{
	struct relay *r = bench_alloc(sizeof *r);
	while (share_next(s)) {
		r->at = 0;
		r->done = (struct waitgroup){0};
		waitgroup_add(&r->done, THOUSAND + 1);
		r->t[0] = after(0, relay_run, r);
		waitgroup_wait(&r->done);
		for (int i = 0; i <= THOUSAND; i++)
			timer_free(r->t[i]);
	}
	free(r);
}

/* 1,000 functions, each started by the one before. */
static uint64_t after_func(uint64_t n)
{
	return beside(n, after_body);
}

static void start_stop_body(struct share *s)
{
	struct timer **t = bench_alloc(THOUSAND * sizeof *t);
	while (share_next(s)) {
		for (int i = 0; i < THOUSAND; i++)
			t[i] = after(HOUR, nothing, NULL);
		for (int i = 0; i < THOUSAND; i++) {
			timer_stop(t[i]);
			timer_free(t[i]);
		}
	}
	free(t);
}

/* 1,000 timers made, stopped and freed. */
static uint64_t start_stop(uint64_t n)
{
	return beside(n, start_stop_body);
}

static void reset_body(struct share *s)
{
	struct timer *t = timer_new(HOUR);
	if (t == NULL)
		exit(1);
	while (share_next(s))
		timer_reset(t, HOUR);
	timer_free(t);
}

static uint64_t reset(uint64_t n)
{
	return beside(n, reset_body);
}

static void sleep_one(void *arg)
{
	time_sleep(1);
	waitgroup_done(arg);
}

static void sleep_body(struct share *s)
{
	while (share_next(s)) {
		struct waitgroup done = {0};
		waitgroup_add(&done, THOUSAND);
		for (int i = 0; i < THOUSAND; i++)
			bench_go(sleep_one, &done);
		waitgroup_wait(&done);
	}
}

/* 1,000 goroutines that sleep a nanosecond. */
static uint64_t sleep_thousand(uint64_t n)
{
	return beside(n, sleep_body);
}

/* ---- lateness ---- */

enum { ROUNDS = 100, TICKS = 100 };

static void work(uint64_t ns)
{
	for (uint64_t end = time_now() + ns; time_now() < end;)
		;
}

struct volley {
	_Atomic uint32_t fired;
	uint32_t n;
	struct waitgroup done;
};

struct shot {
	struct volley *v;
	uint64_t due;
	int64_t late;
};

static void shot_fire(void *arg)
{
	struct shot *s = arg;
	s->late = (int64_t)(time_now() - s->due);
	atomic_fetch_add(&s->v->fired, 1);
	while (atomic_load(&s->v->fired) < s->v->n) /* keeps its hart: each has one of its own */
		;
	waitgroup_done(&s->v->done);
}

/* A timer for each other hart, all due in a millisecond while this hart computes: how late each function starts. */
static void parallel_latency(void)
{
	uint32_t n = go_harts() - 1;
	struct timer **t = bench_alloc(n * sizeof *t);
	struct shot *s = bench_alloc(n * sizeof *s);
	int64_t *late = bench_alloc(ROUNDS * n * sizeof *late);
	for (uint64_t r = 0; r < bench_reps; r++) {
		for (uint32_t k = 0; k < ROUNDS; k++) {
			struct volley v = {.n = n};
			waitgroup_add(&v.done, (int)n);
			work(TIME_MILLISECOND); /* the other harts fall asleep */
			for (uint32_t i = 0; i < n; i++) {
				s[i] = (struct shot){.v = &v, .due = time_now() + TIME_MILLISECOND};
				t[i] = after(TIME_MILLISECOND, shot_fire, &s[i]);
			}
			while (atomic_load(&v.fired) < n)
				;
			waitgroup_wait(&v.done);
			for (uint32_t i = 0; i < n; i++) {
				timer_free(t[i]);
				late[k * n + i] = s[i].late;
			}
		}
		bench_dist("ParallelTimerLatency", go_harts(), r, late, ROUNDS * n, NULL);
	}
	free(t);
	free(s);
	free(late);
}

struct staggered {
	uint64_t work_ns;
	struct waitgroup done;
};

struct tick_reader {
	struct staggered *all;
	int64_t late[TICKS];
};

enum { PERIOD_NS = 3000000 };

static void tick_reader(void *arg)
{
	struct tick_reader *r = arg;
	struct ticker *t = ticker_new(PERIOD_NS);
	uint64_t when;
	if (t == NULL)
		exit(1);
	for (int i = 0; i < TICKS; i++) {
		chan_recv(t->c,
			  &when); /* when it was due: a tick that was dropped makes the next ones no later */
		r->late[i] = (int64_t)(time_now() - when);
		work(r->all->work_ns);
	}
	ticker_free(t);
	waitgroup_done(&r->all->done);
}

/* Tickers of 3 ms, one after the other, each with work to do: how late the ticks are received. */
static void staggered(const char *name, uint64_t work_ns, uint32_t per_hart)
{
	uint32_t harts = go_harts(), n = harts * per_hart;
	struct tick_reader *readers = bench_alloc(n * sizeof *readers);
	int64_t *late = bench_alloc(n * TICKS * sizeof *late);
	for (uint64_t r = 0; r < bench_reps; r++) {
		struct staggered all = {.work_ns = work_ns};
		waitgroup_add(&all.done, (int)n);
		for (uint32_t i = 0; i < n; i++) {
			work(PERIOD_NS / harts);
			readers[i].all = &all;
			bench_go(tick_reader, &readers[i]);
		}
		waitgroup_wait(&all.done);
		for (uint32_t i = 0; i < n * TICKS; i++)
			late[i] = readers[i / TICKS].late[i % TICKS];
		bench_dist(name, harts, r, late, n * TICKS, NULL);
	}
	free(readers);
	free(late);
}

static void staggered_300us_1(void)
{
	staggered("StaggeredTickerLatency/work-dur=300us/tickers-per-P=1", 300000, 1);
}

static void staggered_300us_5(void)
{
	staggered("StaggeredTickerLatency/work-dur=300us/tickers-per-P=5", 300000, 5);
}

static void staggered_2ms_1(void)
{
	staggered("StaggeredTickerLatency/work-dur=2ms/tickers-per-P=1", 2000000, 1);
}

const struct bench bench_go_time[] = {
	{.name = "AfterFunc1000", .sample = after_func},
	{.name = "StartStop1000", .sample = start_stop},
	{.name = "Reset", .sample = reset},
	{.name = "Sleep1000", .sample = sleep_thousand},
	{.name = "ParallelTimerLatency", .run = parallel_latency, .harts_min = 2},
	{.name = "StaggeredTickerLatency/work-dur=300us/tickers-per-P=1", .run = staggered_300us_1},
	{.name = "StaggeredTickerLatency/work-dur=300us/tickers-per-P=5", .run = staggered_300us_5},
	{.name = "StaggeredTickerLatency/work-dur=2ms/tickers-per-P=1", .run = staggered_2ms_1},
	{0},
};

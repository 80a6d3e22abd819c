/* How late things happen: a sleep's end, a parked goroutine's start on an idle hart, a hart's release by a loop that calls nothing. */
#include "tests/bench/bench.h"

#include <stdio.h>
#include <stdlib.h>

#include <hartbeat/chan.h>

/* By how much sleeps of 1 ms are too long. */
static void timer_sleep(void)
{
	int64_t *v = bench_alloc(bench_sleeps_n * sizeof v[0]);
	for (uint64_t r = 0; r < bench_reps; r++) {
		for (uint64_t i = 0; i < bench_sleeps_n; i++) {
			uint64_t start = time_now();
			time_sleep(TIME_MILLISECOND);
			v[i] = (int64_t)(time_now() - start - TIME_MILLISECOND);
		}
		bench_dist("timer_sleep", go_harts(), r, v, bench_sleeps_n, NULL);
	}
	free(v);
}

struct sleeper {
	struct chan *c;
	_Atomic int64_t
		late; /* 0: has not run yet; written by the sleeper, cleared and awaited by the sender */
	struct waitgroup done;
};

static void sleeper(void *arg)
{
	struct sleeper *s = arg;
	uint64_t sent;
	while (chan_recv(s->c, &sent))
		atomic_store(&s->late, (int64_t)(time_now() - sent) + 1);
	waitgroup_done(&s->done);
}

/* From a send to the receiver's first instruction, on another hart that was idle. */
static void wake_idle(void)
{
	int64_t *v = bench_alloc(bench_sleeps_n * sizeof v[0]);
	for (uint64_t r = 0; r < bench_reps; r++) {
		struct sleeper s = {.c = bench_chan_make(sizeof(uint64_t), 0)};
		waitgroup_add(&s.done, 1);
		bench_go(sleeper, &s);
		for (uint64_t i = 0; i < bench_sleeps_n; i++) {
			uint64_t now = time_now(), until = now + TIME_MILLISECOND;
			while (now < until)
				now = time_now();
			atomic_store(&s.late, 0);
			now = time_now();
			chan_send(s.c, &now);
			while ((v[i] = atomic_load(&s.late)) == 0)
				;
		}
		chan_close(s.c);
		waitgroup_wait(&s.done);
		chan_free(s.c);
		bench_dist("wake_idle", go_harts(), r, v, bench_sleeps_n, NULL);
	}
	free(v);
}

enum { PREEMPT_SAMPLES = 10 };

struct hog {
	_Atomic uint32_t stop;
	uint64_t limit;
	bool to_the_end;
	struct waitgroup done;
};

/* Calls nothing, and ends by itself, so that a system without preemption gets through. */
__attribute__((noinline)) static uint64_t hog(_Atomic uint32_t *stop, uint64_t limit)
{
	uint64_t i = 0;
	while (atomic_load(stop) == 0 && i < limit)
		i++;
	return i;
}

static void hog_run(void *arg)
{
	struct hog *h = arg;
	h->to_the_end = hog(&h->stop, h->limit) == h->limit;
	waitgroup_done(&h->done);
}

/* Iterations of hog() that take about ns. */
static uint64_t hog_count(uint64_t ns)
{
	_Atomic uint32_t never = 0;
	for (uint64_t n = 100000;; n *= 4) {
		uint64_t start = time_now();
		bench_sink += hog(&never, n);
		uint64_t d = time_now() - start;
		if (d > 20 * TIME_MILLISECOND)
			return (uint64_t)((double)n * (double)ns / (double)d);
	}
}

/* How long a goroutine waits for the hart that a hog has: runnable behind it, or woken by a timer while it runs. */
static void preempt(const char *name, bool sleep)
{
	uint64_t limit = hog_count(400 * TIME_MILLISECOND);
	for (uint64_t r = 0; r < bench_reps; r++) {
		int64_t v[PREEMPT_SAMPLES];
		unsigned ended = 0;
		char text[40];
		for (unsigned i = 0; i < PREEMPT_SAMPLES; i++) {
			struct hog h = {.limit = limit};
			waitgroup_add(&h.done, 1);
			bench_go(hog_run, &h);
			uint64_t start = time_now();
			if (sleep) {
				time_sleep(TIME_MILLISECOND);
				v[i] = (int64_t)(time_now() - start - TIME_MILLISECOND);
			} else {
				go_yield();
				v[i] = (int64_t)(time_now() - start);
			}
			atomic_store(&h.stop, 1);
			waitgroup_wait(&h.done);
			ended += h.to_the_end;
		}
		snprintf(text, sizeof text, "hog_ran_to_its_end=%u/%u", ended, (unsigned)PREEMPT_SAMPLES);
		bench_dist(name, 1, r, v, PREEMPT_SAMPLES, text);
	}
}

static void preempt_gosched(void)
{
	preempt("preempt_latency_gosched", false);
}

static void preempt_sleep(void)
{
	preempt("preempt_latency_sleep1ms", true);
}

const struct bench bench_latency[] = {
	{.name = "timer_sleep", .run = timer_sleep},
	{.name = "wake_idle", .run = wake_idle, .harts_min = 2},
	{.name = "preempt_latency_gosched", .run = preempt_gosched, .harts_max = 1},
	{.name = "preempt_latency_sleep1ms", .run = preempt_sleep, .harts_max = 1},
	{0},
};

/* Select over two channels of ints. */
#include "tests/bench/bench.h"

#include <hartbeat/chan.h>
#include <hartbeat/select.h>

struct source {
	struct chan *a, *b;
	uint64_t n;
	struct waitgroup done;
};

static void produce(void *arg)
{
	struct source *s = arg;
	for (uint64_t i = 0; i < s->n; i++) {
		int v = (int)i;
		chan_send((i & 1) == 0 ? s->a : s->b, &v);
	}
	waitgroup_done(&s->done);
}

/* What is received, from whichever channel has it. */
static uint64_t receive(struct chan *a, struct chan *b)
{
	int v, w;
	struct chan_case cases[] = {CHAN_CASE_RECV(a, &v), CHAN_CASE_RECV(b, &w)};
	return chan_select(cases, 2, false) == 0 ? (uint64_t)v : -(uint64_t)w;
}

/* A producer sends to two unbuffered channels in turn: an operation is one message received by a select that waits. */
static uint64_t two(uint64_t n)
{
	struct source s = {
		.a = bench_chan_make(sizeof(int), 0), .b = bench_chan_make(sizeof(int), 0), .n = n};
	uint64_t sum = 0, start = time_now();
	waitgroup_add(&s.done, 1);
	bench_go(produce, &s);
	for (uint64_t i = 0; i < n; i++)
		sum += receive(s.a, s.b);
	waitgroup_wait(&s.done);
	uint64_t d = time_now() - start;
	bench_sink += sum;
	chan_free(s.a);
	chan_free(s.b);
	return d;
}

/* One goroutine sends into a buffer, and selects what is there: never waits. */
static uint64_t two_ready(uint64_t n)
{
	struct chan *a = bench_chan_make(sizeof(int), 1), *b = bench_chan_make(sizeof(int), 1);
	uint64_t sum = 0, start = time_now();
	for (uint64_t i = 0; i < n; i++) {
		int v = (int)i;
		chan_send((i & 1) == 0 ? a : b, &v);
		sum += receive(a, b);
	}
	uint64_t d = time_now() - start;
	bench_sink += sum;
	chan_free(a);
	chan_free(b);
	return d;
}

const struct bench bench_select[] = {
	{.name = "select_2", .sample = two},
	{.name = "select_2_ready", .sample = two_ready, .alone = true},
	{0},
};

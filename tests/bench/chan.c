/* Channels of ints. */
#include "tests/bench/bench.h"

#include <hartbeat/chan.h>

/* One goroutine, a buffer of one: send and receive without a switch. */
static uint64_t noswitch(uint64_t n)
{
	struct chan *c = bench_chan_make(sizeof(int), 1);
	uint64_t start = time_now();
	for (uint64_t i = 0; i < n; i++) {
		int v = (int)i;
		chan_send(c, &v);
		chan_recv(c, &v);
	}
	uint64_t d = time_now() - start;
	chan_free(c);
	return d;
}

struct players {
	struct chan *a, *b, *start;
	uint64_t n;
	struct waitgroup done;
};

static void answer(void *arg)
{
	struct players *p = arg;
	int v;
	chan_recv(p->start, NULL);
	for (uint64_t i = 0; i < p->n; i++) {
		chan_recv(p->a, &v);
		chan_send(p->b, &v);
	}
	waitgroup_done(&p->done);
}

static void ask(void *arg)
{
	struct players *p = arg;
	chan_recv(p->start, NULL);
	for (uint64_t i = 0; i < p->n; i++) {
		int v = (int)i;
		chan_send(p->a, &v);
		chan_recv(p->b, &v);
	}
	waitgroup_done(&p->done);
}

/* Two goroutines, two unbuffered channels: an operation is one round trip. */
uint64_t bench_pingpong(uint64_t n)
{
	struct players p = {.a = bench_chan_make(sizeof(int), 0),
			    .b = bench_chan_make(sizeof(int), 0),
			    .start = bench_chan_make(sizeof(int), 0),
			    .n = n};
	waitgroup_add(&p.done, 2);
	bench_go(answer, &p);
	bench_go(ask, &p);
	uint64_t start = time_now();
	chan_close(p.start);
	waitgroup_wait(&p.done);
	uint64_t d = time_now() - start;
	chan_free(p.a);
	chan_free(p.b);
	chan_free(p.start);
	return d;
}

struct stream {
	struct chan *c;
	uint64_t n;
	struct waitgroup done;
};

static void produce(void *arg)
{
	struct stream *s = arg;
	for (uint64_t i = 0; i < s->n; i++) {
		int v = (int)i;
		chan_send(s->c, &v);
	}
	chan_close(s->c);
}

static void consume(void *arg)
{
	struct stream *s = arg;
	uint64_t sum = 0;
	int v;
	while (chan_recv(s->c, &v))
		sum += (uint64_t)v;
	bench_sink += sum;
	waitgroup_done(&s->done);
}

/* A producer and a consumer, 128 places between them: an operation is one message. */
static uint64_t buffered(uint64_t n)
{
	struct stream s = {.c = bench_chan_make(sizeof(int), 128), .n = n};
	waitgroup_add(&s.done, 1);
	uint64_t start = time_now();
	bench_go(produce, &s);
	bench_go(consume, &s);
	waitgroup_wait(&s.done);
	uint64_t d = time_now() - start;
	chan_free(s.c);
	return d;
}

const struct bench bench_chan[] = {
	{.name = "chan_noswitch", .sample = noswitch, .alone = true},
	{.name = "chan_pingpong", .sample = bench_pingpong},
	{.name = "chan_buffered", .sample = buffered},
	{0},
};

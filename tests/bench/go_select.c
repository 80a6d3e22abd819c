/* The select benchmarks of Go's runtime, by their names. */
#include <stdlib.h>

#include <hartbeat/chan.h>
#include <hartbeat/select.h>

#include "tests/bench/share.h"

/* Takes from either channel and gives to the other. */
static void swap(struct share *s, struct chan *a, struct chan *b)
{
	int v = 0;
	while (share_next(s)) {
		struct chan_case cases[] = {CHAN_CASE_RECV(a, &v), CHAN_CASE_RECV(b, &v)};
		chan_send(chan_select(cases, 2, false) == 0 ? b : a, &v);
	}
}

static void uncontended_body(struct share *s)
{
	struct chan *a = bench_chan_make(sizeof(int), 1), *b = bench_chan_make(sizeof(int), 1);
	int v = 0;
	chan_send(a, &v);
	swap(s, a, b);
	chan_free(a);
	chan_free(b);
}

static uint64_t uncontended(uint64_t n)
{
	return share_run(n, 1, uncontended_body, NULL);
}

struct pair {
	struct chan *a, *b;
};

static void async_body(struct share *s)
{
	const struct pair *p = s->arg;
	int v = 0;
	chan_send(p->a, &v);
	swap(s, p->a, p->b);
}

/* As many elements in two buffers as goroutines that move them. */
static uint64_t async_contended(uint64_t n)
{
	struct pair p = {bench_chan_make(sizeof(int), go_harts()), bench_chan_make(sizeof(int), go_harts())};
	uint64_t d = share_run(n, 1, async_body, &p);
	chan_free(p.a);
	chan_free(p.b);
	return d;
}

struct four {
	struct chan *c[3], *done;
	struct waitgroup left;
};

static void sync_sender(void *arg)
{
	struct four *f = arg;
	int v = 0;
	for (;;) {
		struct chan_case cases[] = {CHAN_CASE_SEND(f->c[0], &v), CHAN_CASE_SEND(f->c[1], &v),
					    CHAN_CASE_SEND(f->c[2], &v), CHAN_CASE_RECV(f->done, NULL)};
		if (chan_select(cases, 4, false) == 3)
			break;
	}
	waitgroup_done(&f->left);
}

static void sync_body(struct share *s)
{
	struct four *f = s->arg;
	int v;
	waitgroup_add(&f->left, 1);
	bench_go(sync_sender, f);
	while (share_next(s)) {
		struct chan_case cases[] = {CHAN_CASE_RECV(f->c[0], &v), CHAN_CASE_RECV(f->c[1], &v),
					    CHAN_CASE_RECV(f->c[2], &v)};
		chan_select(cases, 3, false);
	}
}

/* Senders and receivers that select among three unbuffered channels. */
static uint64_t sync_contended(uint64_t n)
{
	struct four f = {.done = bench_chan_make(0, 0)};
	for (int i = 0; i < 3; i++)
		f.c[i] = bench_chan_make(sizeof(int), 0);
	uint64_t d = share_run(n, 1, sync_body, &f);
	chan_close(f.done);
	waitgroup_wait(&f.left);
	for (int i = 0; i < 3; i++)
		chan_free(f.c[i]);
	chan_free(f.done);
	return d;
}

static void nonblock_body(struct share *s)
{
	struct chan *const *c = s->arg;
	int v = 0;
	while (share_next(s)) {
		struct chan_case cases[] = {CHAN_CASE_RECV(c[0], &v), CHAN_CASE_SEND(c[1], &v),
					    CHAN_CASE_RECV(c[2], &v), CHAN_CASE_SEND(c[3], &v)};
		for (int i = 0; i < 4; i++)
			chan_select(&cases[i], 1, true);
	}
}

/* Four selects of one case and a default: on two unbuffered channels and two buffered ones. */
static uint64_t nonblock(uint64_t n)
{
	struct chan *c[4];
	for (int i = 0; i < 4; i++)
		c[i] = bench_chan_make(sizeof(int), i < 2 ? 0 : 1);
	uint64_t d = share_run(n, 1, nonblock_body, c);
	for (int i = 0; i < 4; i++)
		chan_free(c[i]);
	return d;
}

enum { PER_ROUND = 1000, POPULAR = 1000 };

struct trade {
	struct chan *goods, *closing, *timer;
	_Atomic int64_t rounds;
	struct waitgroup done;
};

static void produce(void *arg)
{
	struct trade *t = arg;
	int one = 1, zero = 0, x = 0;
	while (atomic_fetch_sub(&t->rounds, 1) > 0) {
		for (int k = 0; k < PER_ROUND; k++) {
			x = share_work(x, 100);
			struct chan_case cases[] = {CHAN_CASE_SEND(t->goods, &one),
						    CHAN_CASE_RECV(t->timer, NULL),
						    CHAN_CASE_RECV(t->closing, NULL)};
			chan_select(cases, 3, false);
		}
	}
	chan_send(t->goods, &zero);
	bench_sink += (uint64_t)x;
	waitgroup_done(&t->done);
}

static void consume(void *arg)
{
	struct trade *t = arg;
	int v = 1, x = 0;
	for (;;) {
		struct chan_case cases[] = {CHAN_CASE_RECV(t->goods, &v), CHAN_CASE_RECV(t->timer, NULL),
					    CHAN_CASE_RECV(t->closing, NULL)};
		if (chan_select(cases, 3, false) == 0 && v == 0)
			break;
		x = share_work(x, 100);
	}
	bench_sink += (uint64_t)x;
	waitgroup_done(&t->done);
}

/* A producer and a consumer for each hart, which also look at a timer and at a channel that would be closed. */
static uint64_t prod_cons(uint64_t n)
{
	uint64_t rounds = n / PER_ROUND;
	struct trade t = {.goods = bench_chan_make(sizeof(int), 128),
			  .closing = bench_chan_make(0, 0),
			  .timer = time_after(3600 * TIME_SECOND),
			  .rounds = (int64_t)(rounds > 0 ? rounds : 1)};
	uint64_t all = (uint64_t)t.rounds * PER_ROUND;
	unsigned harts = go_harts();
	if (t.timer == NULL)
		exit(1);
	waitgroup_add(&t.done, (int)(2 * harts));
	uint64_t start = time_now();
	for (unsigned i = 0; i < harts; i++) {
		bench_go(produce, &t);
		bench_go(consume, &t);
	}
	waitgroup_wait(&t.done);
	uint64_t d = time_now() - start;
	chan_free(t.goods);
	chan_free(t.closing);
	time_after_free(t.timer);
	return (uint64_t)((double)d * (double)n / (double)all);
}

struct fan {
	struct chan *common, *own;
	uint64_t n;
	struct waitgroup *done;
};

static void fan_run(void *arg)
{
	struct fan *f = arg;
	for (uint64_t i = 0; i < f->n; i++) {
		struct chan_case cases[] = {CHAN_CASE_RECV(f->common, NULL), CHAN_CASE_RECV(f->own, NULL)};
		chan_select(cases, 2, false);
	}
	waitgroup_done(f->done);
}

/* 1,000 goroutines that wait on one channel and each on its own; an operation is a message to each. */
static uint64_t popular(uint64_t n)
{
	struct fan *fans = bench_alloc(POPULAR * sizeof *fans);
	struct chan *common = bench_chan_make(0, 0);
	struct waitgroup done = {0};
	waitgroup_add(&done, POPULAR);
	for (int i = 0; i < POPULAR; i++) {
		fans[i] = (struct fan){common, bench_chan_make(0, 0), n, &done};
		bench_go(fan_run, &fans[i]);
	}
	uint64_t start = time_now();
	for (uint64_t k = 0; k < n; k++)
		for (int i = 0; i < POPULAR; i++)
			chan_send(fans[i].own, NULL);
	waitgroup_wait(&done);
	uint64_t d = time_now() - start;
	for (int i = 0; i < POPULAR; i++)
		chan_free(fans[i].own);
	chan_free(common);
	free(fans);
	return d;
}

const struct bench bench_go_select[] = {
	{.name = "SelectUncontended", .sample = uncontended},
	{.name = "SelectSyncContended", .sample = sync_contended},
	{.name = "SelectAsyncContended", .sample = async_contended},
	{.name = "SelectNonblock", .sample = nonblock},
	{.name = "SelectProdCons", .sample = prod_cons},
	{.name = "ChanPopular", .sample = popular},
	{0},
};

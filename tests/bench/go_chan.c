/* The channel benchmarks of Go's runtime, by their names. */
#include <stdlib.h>

#include <hartbeat/chan.h>

#include "tests/bench/share.h"

enum { BATCH = 100, PER_ROUND = 1000 };

/* ---- making one ---- */

static uint64_t make(uint64_t n, size_t elem_size)
{
	uint64_t start = time_now();
	for (uint64_t i = 0; i < n; i++)
		chan_free(bench_chan_make(elem_size, 8));
	return time_now() - start;
}

static uint64_t make_byte(uint64_t n)
{
	return make(n, 1);
}

static uint64_t make_int(uint64_t n)
{
	return make(n, sizeof(uint64_t));
}

static uint64_t make_struct_0(uint64_t n)
{
	return make(n, 0);
}

static uint64_t make_struct_40(uint64_t n)
{
	return make(n, 40);
}

static void creation_body(struct share *s)
{
	while (share_next(s)) {
		struct chan *c = bench_chan_make(sizeof(int), 1);
		int v = 0;
		chan_send(c, &v);
		chan_recv(c, &v);
		chan_free(c);
	}
}

static uint64_t creation(uint64_t n)
{
	return share_run(n, 1, creation_body, NULL);
}

/* ---- never waiting ---- */

static void try_recv_body(struct share *s)
{
	int v;
	while (share_next(s))
		bench_sink += chan_try_recv(s->arg, &v, NULL);
}

/* A receive with a default from an empty channel. */
static uint64_t nonblocking(uint64_t n)
{
	struct chan *c = bench_chan_make(sizeof(int), 0);
	uint64_t d = share_run(n, 1, try_recv_body, c);
	chan_free(c);
	return d;
}

/* The same from a closed one. */
static uint64_t closed(uint64_t n)
{
	struct chan *c = bench_chan_make(sizeof(int), 0);
	chan_close(c);
	uint64_t d = share_run(n, 1, try_recv_body, c);
	chan_free(c);
	return d;
}

/* What a closed channel still holds. */
static uint64_t from_closed(uint64_t n)
{
	struct chan *c = bench_chan_make(0, n);
	for (uint64_t i = 0; i < n; i++)
		chan_send(c, NULL);
	chan_close(c);
	uint64_t start = time_now();
	while (chan_recv(c, NULL))
		;
	uint64_t d = time_now() - start;
	chan_free(c);
	return d;
}

static void batches(struct share *s, struct chan *c)
{
	int v = 0;
	while (share_next(s)) {
		for (int i = 0; i < BATCH; i++)
			chan_send(c, &v);
		for (int i = 0; i < BATCH; i++)
			chan_recv(c, &v);
	}
}

static void own_channel(struct share *s)
{
	struct chan *c = bench_chan_make(sizeof(int), BATCH);
	batches(s, c);
	chan_free(c);
}

static void shared_channel(struct share *s)
{
	batches(s, s->arg);
}

/* 100 sends and 100 receives, each goroutine on a channel of its own. */
static uint64_t uncontended(uint64_t n)
{
	return share_run(n, 1, own_channel, NULL);
}

/* The same, all on one. */
static uint64_t contended(uint64_t n)
{
	struct chan *c = bench_chan_make(sizeof(int), BATCH * go_harts());
	uint64_t d = share_run(n, 1, shared_channel, c);
	chan_free(c);
	return d;
}

static void sem_body(struct share *s)
{
	while (share_next(s)) {
		chan_send(s->arg, NULL);
		chan_recv(s->arg, NULL);
	}
}

/* A channel as a semaphore. */
static uint64_t semaphore(uint64_t n)
{
	struct chan *c = bench_chan_make(0, go_harts());
	uint64_t d = share_run(n, 1, sem_body, c);
	chan_free(c);
	return d;
}

/* ---- two that meet ---- */

struct meeting {
	struct chan *c;
	_Atomic int64_t rounds;
	int work;
	struct waitgroup done;
};

static void meet(void *arg)
{
	struct meeting *m = arg;
	int v = 0, x = 0;
	for (;;) {
		int64_t i = atomic_fetch_sub(&m->rounds, 1) - 1;
		if (i < 0)
			break;
		for (int k = 0; k < PER_ROUND; k++) {
			if (i % 2 == 0)
				chan_recv(m->c, &v);
			else
				chan_send(m->c, &v);
			x = share_work(x, m->work);
			if (i % 2 == 0)
				chan_send(m->c, &v);
			else
				chan_recv(m->c, &v);
			x = share_work(x, m->work);
		}
	}
	bench_sink += (uint64_t)x;
	waitgroup_done(&m->done);
}

/* Two goroutines over one unbuffered channel; both directions are an operation for one of them, half of one in time. */
static uint64_t sync(uint64_t n, int work)
{
	uint64_t rounds = n / PER_ROUND / 2 * 2;
	struct meeting m = {.c = bench_chan_make(sizeof(int), 0),
			    .rounds = (int64_t)(rounds > 0 ? rounds : 2),
			    .work = work};
	uint64_t all = (uint64_t)m.rounds * PER_ROUND;
	waitgroup_add(&m.done, 2);
	uint64_t start = time_now();
	bench_go(meet, &m);
	bench_go(meet, &m);
	waitgroup_wait(&m.done);
	uint64_t d = time_now() - start;
	chan_free(m.c);
	return (uint64_t)((double)d * (double)n / (double)all);
}

static uint64_t sync_0(uint64_t n)
{
	return sync(n, 0);
}

static uint64_t sync_1000(uint64_t n)
{
	return sync(n, 1000);
}

/* ---- producers and consumers, one of each for every hart ---- */

static void produce(void *arg)
{
	struct meeting *m = arg;
	int one = 1, zero = 0, x = 0;
	while (atomic_fetch_sub(&m->rounds, 1) > 0) {
		for (int k = 0; k < PER_ROUND; k++) {
			x = share_work(x, m->work);
			chan_send(m->c, &one);
		}
	}
	chan_send(m->c, &zero);
	bench_sink += (uint64_t)x;
	waitgroup_done(&m->done);
}

static void consume(void *arg)
{
	struct meeting *m = arg;
	int v = 1, x = 0;
	for (;;) {
		chan_recv(m->c, &v);
		if (v == 0)
			break;
		x = share_work(x, m->work);
	}
	bench_sink += (uint64_t)x;
	waitgroup_done(&m->done);
}

static uint64_t prod_cons(uint64_t n, size_t size, int work)
{
	uint64_t rounds = n / PER_ROUND;
	struct meeting m = {.c = bench_chan_make(sizeof(int), size),
			    .rounds = (int64_t)(rounds > 0 ? rounds : 1),
			    .work = work};
	uint64_t all = (uint64_t)m.rounds * PER_ROUND;
	unsigned harts = go_harts();
	waitgroup_add(&m.done, (int)(2 * harts));
	uint64_t start = time_now();
	for (unsigned i = 0; i < harts; i++) {
		bench_go(produce, &m);
		bench_go(consume, &m);
	}
	waitgroup_wait(&m.done);
	uint64_t d = time_now() - start;
	chan_free(m.c);
	return (uint64_t)((double)d * (double)n / (double)all);
}

static uint64_t prod_cons_0(uint64_t n)
{
	return prod_cons(n, 0, 0);
}

static uint64_t prod_cons_10(uint64_t n)
{
	return prod_cons(n, 10, 0);
}

static uint64_t prod_cons_100(uint64_t n)
{
	return prod_cons(n, 100, 0);
}

static uint64_t prod_cons_work_0(uint64_t n)
{
	return prod_cons(n, 0, 100);
}

static uint64_t prod_cons_work_10(uint64_t n)
{
	return prod_cons(n, 10, 100);
}

static uint64_t prod_cons_work_100(uint64_t n)
{
	return prod_cons(n, 100, 100);
}

const struct bench bench_go_chan[] = {
	{.name = "MakeChan/Byte", .sample = make_byte, .alone = true},
	{.name = "MakeChan/Int", .sample = make_int, .alone = true},
	{.name = "MakeChan/Struct/0", .sample = make_struct_0, .alone = true},
	{.name = "MakeChan/Struct/40", .sample = make_struct_40, .alone = true},
	{.name = "ChanNonblocking", .sample = nonblocking},
	{.name = "ChanUncontended", .sample = uncontended},
	{.name = "ChanContended", .sample = contended},
	{.name = "ChanSync", .sample = sync_0},
	{.name = "ChanSyncWork", .sample = sync_1000},
	{.name = "ChanProdCons0", .sample = prod_cons_0},
	{.name = "ChanProdCons10", .sample = prod_cons_10},
	{.name = "ChanProdCons100", .sample = prod_cons_100},
	{.name = "ChanProdConsWork0", .sample = prod_cons_work_0},
	{.name = "ChanProdConsWork10", .sample = prod_cons_work_10},
	{.name = "ChanProdConsWork100", .sample = prod_cons_work_100},
	{.name = "ReceiveDataFromClosedChan", .sample = from_closed, .alone = true},
	{.name = "ChanCreation", .sample = creation},
	{.name = "ChanSem", .sample = semaphore},
	{.name = "ChanClosed", .sample = closed},
	{0},
};

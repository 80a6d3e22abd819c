/* The scheduler, stack and defer benchmarks of Go's runtime, by their names. */
#include <stdlib.h>

#include <hartbeat/chan.h>
#include <hartbeat/panic.h>

#include "arch/arch.h"
#include "tests/bench/share.h"

/* ---- a ping-pong beside a goroutine that never rests ---- */

struct hog_game {
	struct chan *stop, *ping, *pong;
	uint64_t n;
	struct waitgroup done;
};

static void hog(void *arg)
{
	struct hog_game *g = arg;
	while (!chan_try_recv(g->stop, NULL, NULL))
		;
	waitgroup_done(&g->done);
}

static void pong(void *arg)
{
	struct hog_game *g = arg;
	for (uint64_t i = 0; i < g->n; i++) {
		chan_recv(g->ping, NULL);
		chan_send(g->pong, NULL);
	}
	chan_close(g->stop);
	waitgroup_done(&g->done);
}

static void ping(void *arg)
{
	struct hog_game *g = arg;
	for (uint64_t i = 0; i < g->n; i++) {
		chan_recv(g->pong, NULL);
		chan_send(g->ping, NULL);
	}
	waitgroup_done(&g->done);
}

static uint64_t ping_pong_hog(uint64_t n)
{
	struct hog_game g = {.stop = bench_chan_make(0, 0),
			     .ping = bench_chan_make(0, 0),
			     .pong = bench_chan_make(0, 0),
			     .n = n};
	waitgroup_add(&g.done, 3);
	bench_go(hog, &g);
	bench_go(pong, &g);
	bench_go(ping, &g);
	uint64_t start = time_now();
	chan_send(g.ping, NULL);
	chan_recv(g.stop, NULL);
	uint64_t d = time_now() - start;
	chan_recv(g.ping, NULL); /* the last pinger wants to end */
	waitgroup_wait(&g.done);
	chan_free(g.stop);
	chan_free(g.ping);
	chan_free(g.pong);
	return d;
}

/* ---- creating goroutines ---- */

struct chain {
	_Atomic uint64_t left;
	struct waitgroup *done;
};

static void create_next(void *arg)
{
	struct chain *c = arg;
	if (atomic_fetch_sub_explicit(&c->left, 1, memory_order_relaxed) == 0)
		waitgroup_done(c->done);
	else
		bench_go(create_next, c);
}

/* Each goroutine starts the next one and ends. */
static uint64_t create_chains(uint64_t n, uint32_t chains)
{
	struct chain *c = bench_alloc(chains * sizeof *c);
	struct waitgroup done = {0};
	waitgroup_add(&done, (int)chains);
	uint64_t start = time_now();
	for (uint32_t i = 0; i < chains; i++) {
		c[i].left = n / chains;
		c[i].done = &done;
		create_next(&c[i]);
	}
	waitgroup_wait(&done);
	uint64_t d = time_now() - start;
	free(c);
	return d;
}

static uint64_t create(uint64_t n)
{
	return create_chains(n, 1);
}

static uint64_t create_parallel(uint64_t n)
{
	return create_chains(n, go_harts());
}

struct captured {
	struct waitgroup *done;
	int i;
};

static void capture(void *arg)
{
	const struct captured *c = arg;
	if (c->i >= 4)
		abort();
	waitgroup_done(c->done);
}

/* Four goroutines, each with a word of its own. */
static uint64_t create_capture(uint64_t n)
{
	uint64_t start = time_now();
	for (uint64_t k = 0; k < n; k++) {
		struct waitgroup done = {0};
		struct captured c[4];
		waitgroup_add(&done, 4);
		for (int i = 0; i < 4; i++) {
			c[i] = (struct captured){&done, i};
			bench_go(capture, &c[i]);
		}
		waitgroup_wait(&done);
	}
	return time_now() - start;
}

/* One goroutine starts all. */
static uint64_t create_single(uint64_t n)
{
	struct waitgroup done = {0};
	waitgroup_add(&done, (int)n);
	uint64_t start = time_now();
	for (uint64_t i = 0; i < n; i++)
		bench_go(bench_done, &done);
	waitgroup_wait(&done);
	return time_now() - start;
}

/* ---- waking while harts look for work ---- */

enum { WAKE_NS = 5000 };

struct wakers {
	struct chan *ping, *pong, *start;
	uint64_t n, delay;
	struct waitgroup done;
};

static void spin(uint64_t ns)
{
	for (uint64_t end = time_now() + ns; time_now() < end;)
		;
}

static void waker_first(void *arg)
{
	struct wakers *w = arg;
	chan_recv(w->start, NULL);
	for (uint64_t i = 0; i < w->n; i++) {
		spin(w->delay + WAKE_NS);
		chan_send(w->ping, NULL);
		spin(w->delay);
		chan_recv(w->pong, NULL);
	}
	waitgroup_done(&w->done);
}

static void waker_second(void *arg)
{
	struct wakers *w = arg;
	for (uint64_t i = 0; i < w->n; i++) {
		spin(w->delay);
		chan_recv(w->ping, NULL);
		spin(w->delay + WAKE_NS);
		chan_send(w->pong, NULL);
	}
	waitgroup_done(&w->done);
}

static uint64_t wakeup(uint64_t n, uint64_t delay)
{
	struct wakers w = {.ping = bench_chan_make(0, 0),
			   .pong = bench_chan_make(0, 0),
			   .start = bench_chan_make(0, 0),
			   .n = n,
			   .delay = delay};
	waitgroup_add(&w.done, 2);
	bench_go(waker_first, &w);
	bench_go(waker_second, &w);
	uint64_t start = time_now();
	chan_close(w.start);
	waitgroup_wait(&w.done);
	uint64_t d = time_now() - start;
	chan_free(w.ping);
	chan_free(w.pong);
	chan_free(w.start);
	return d;
}

static uint64_t wakeup_0(uint64_t n)
{
	return wakeup(n, 0);
}

static uint64_t wakeup_10(uint64_t n)
{
	return wakeup(n, 10000);
}

static uint64_t wakeup_100(uint64_t n)
{
	return wakeup(n, 100000);
}

/* ---- a product of matrices, cut in two again and again ---- */

struct product {
	const double *a, *b;
	double *c;
	int size;
};

struct part {
	const struct product *p;
	int i0, i1, j0, j1, k0, k1;
	struct waitgroup *done; /* NULL: it runs in its caller */
};

enum { SMALL = 8 };

static void multiply(void *arg);

/* One half in a goroutine, the other one here. */
static void both(struct part first, struct part second)
{
	struct waitgroup done = {0};
	waitgroup_add(&done, 1);
	first.done = &done;
	bench_go(multiply, &first);
	multiply(&second);
	waitgroup_wait(&done);
}

static void multiply(void *arg)
{
	const struct part t = *(const struct part *)arg;
	int di = t.i1 - t.i0, dj = t.j1 - t.j0, dk = t.k1 - t.k0;
	struct part first = t, second = t;
	first.done = second.done = NULL;
	if (di >= dj && di >= dk && di >= SMALL) {
		first.i1 = second.i0 = t.i0 + di / 2;
		both(first, second);
	} else if (dj >= dk && dj >= SMALL) {
		first.j1 = second.j0 = t.j0 + dj / 2;
		both(first, second);
	} else if (dk >= SMALL) { /* both write to the same places */
		first.k1 = second.k0 = t.k0 + dk / 2;
		multiply(&first);
		multiply(&second);
	} else {
		const struct product *p = t.p;
		for (int i = t.i0; i < t.i1; i++)
			for (int j = t.j0; j < t.j1; j++)
				for (int k = t.k0; k < t.k1; k++)
					p->c[i * p->size + j] +=
						p->a[i * p->size + k] * p->b[k * p->size + j];
	}
	if (t.done != NULL)
		waitgroup_done(t.done);
}

/* An operation is one multiplication of numbers. */
static uint64_t matmult(uint64_t n)
{
	int size = 1;
	while ((uint64_t)size * size * size < n)
		size++;
	double *all = bench_alloc(3 * sizeof(double) * size * size);
	for (int i = 0; i < 3 * size * size; i++)
		all[i] = i < 2 * size * size ? 1.0 / (i + 1) : 0;
	struct product p = {all, all + size * size, all + 2 * size * size, size};
	struct part whole = {&p, 0, size, 0, size, 0, size, NULL};
	uint64_t start = time_now();
	multiply(&whole);
	uint64_t d = time_now() - start;
	bench_sink += (uint64_t)p.c[0];
	free(all);
	return (uint64_t)((double)d * (double)n / ((double)size * size * size));
}

/* ---- stacks ---- */

struct diver {
	int depth;
	size_t stack_size;
	struct waitgroup done;
};

__attribute__((noinline)) static uint64_t dive(int depth)
{
	volatile uint64_t pad[128];
	pad[2] = 0;
	return depth > 0 && pad[2] == 0 ? dive(depth - 1) + pad[2] : 0;
}

static void diver(void *arg)
{
	struct diver *d = arg;
	bench_sink += dive(d->depth);
	waitgroup_done(&d->done);
}

static void growth_body(struct share *s)
{
	struct diver d = *(const struct diver *)s->arg;
	while (share_next(s)) {
		waitgroup_add(&d.done, 1);
		if (go_with(diver, &d, &(struct go_options){.stack_size = d.stack_size}) == 0)
			abort();
		waitgroup_wait(&d.done);
	}
}

/* A new goroutine goes so many frames of 1 KiB deep. */
static uint64_t growth(uint64_t n)
{
	struct diver d = {.depth = 10};
	return share_run(n, 1, growth_body, &d);
}

static uint64_t growth_deep(uint64_t n)
{
	struct diver d = {.depth = 1024, .stack_size = 2 << 20};
	return share_run(n, 1, growth_body, &d);
}

/* ---- defer, panic ---- */

static void deferred(void *arg)
{
	if (arg == NULL)
		abort();
}

__attribute__((noinline)) static void defer_one(void)
{
	DEFER(deferred, "x");
}

static uint64_t defer(uint64_t n)
{
	uint64_t start = time_now();
	for (uint64_t i = 0; i < n; i++)
		defer_one();
	return time_now() - start;
}

static uint64_t panic_recover(uint64_t n)
{
	uint64_t start = time_now();
	for (uint64_t i = 0; i < n; i++) {
		RECOVER_SCOPE (r) {
			go_panic("hi");
		} else {
			if (r.message[0] != 'h')
				abort();
		}
	}
	return time_now() - start;
}

/* The pause of a loop that waits for another hart. */
static uint64_t proc_yield(uint64_t n)
{
	uint64_t start = time_now();
	for (uint64_t i = 0; i < n; i++)
		arch_pause();
	return time_now() - start;
}

const struct bench bench_go_sched[] = {
	{.name = "PingPongHog", .sample = ping_pong_hog},
	{.name = "CreateGoroutines", .sample = create},
	{.name = "CreateGoroutinesParallel", .sample = create_parallel},
	{.name = "CreateGoroutinesCapture", .sample = create_capture},
	{.name = "WakeupParallelSpinning/0s", .sample = wakeup_0, .harts_min = 2},
	{.name = "WakeupParallelSpinning/10us", .sample = wakeup_10, .harts_min = 2},
	{.name = "WakeupParallelSpinning/100us", .sample = wakeup_100, .harts_min = 2},
	{.name = "Matmult", .sample = matmult},
	{.name = "StackGrowth", .sample = growth},
	{.name = "StackGrowthDeep", .sample = growth_deep},
	{.name = "Defer", .sample = defer, .alone = true},
	{.name = "PanicRecover", .sample = panic_recover, .alone = true},
	{.name = "ProcYield", .sample = proc_yield, .alone = true},
	{.name = "CreateGoroutinesSingle", .sample = create_single}, /* leaves as many ended ones behind */
	{0},
};

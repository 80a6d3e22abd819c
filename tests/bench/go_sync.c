/* The mutex, wait group, once and condition benchmarks of Go's package sync, by their names. */
#include <stdlib.h>

#include <hartbeat/chan.h>
#include <hartbeat/cond.h>
#include <hartbeat/once.h>

#include "tests/bench/share.h"

enum { WORK = 100 };

/* ---- mutex ---- */

static void mutex_own(struct share *s)
{
	struct mutex m = {0};
	while (share_next(s)) {
		mutex_lock(&m);
		mutex_unlock(&m);
	}
}

static void mutex_body(struct share *s)
{
	while (share_next(s)) {
		mutex_lock(s->arg);
		mutex_unlock(s->arg);
	}
}

static void mutex_work_body(struct share *s)
{
	int x = 0;
	while (share_next(s)) {
		mutex_lock(s->arg);
		mutex_unlock(s->arg);
		x = share_work(x, WORK);
	}
	bench_sink += (uint64_t)x;
}

static uint64_t mutex_uncontended(uint64_t n)
{
	return share_run(n, 1, mutex_own, NULL);
}

static uint64_t mutex(uint64_t n)
{
	struct mutex m = {0};
	return share_run(n, 1, mutex_body, &m);
}

static uint64_t mutex_slack(uint64_t n)
{
	struct mutex m = {0};
	return share_run(n, 10, mutex_body, &m);
}

static uint64_t mutex_work(uint64_t n)
{
	struct mutex m = {0};
	return share_run(n, 1, mutex_work_body, &m);
}

static uint64_t mutex_work_slack(uint64_t n)
{
	struct mutex m = {0};
	return share_run(n, 10, mutex_work_body, &m);
}

struct accounts {
	struct mutex m; /* protects a and b */
	uint64_t a, b;
};

static void transfer(struct accounts *x)
{
	mutex_lock(&x->m);
	x->a -= 100;
	x->b += 100;
	mutex_unlock(&x->m);
}

static void touch(uint64_t *data, size_t words)
{
	for (size_t i = 0; i < words; i += 4)
		data[i]++;
}

/* Most of the time without the mutex, and giving way: spinning for it would not pay. */
static void no_spin_body(struct share *s)
{
	uint64_t *data = bench_alloc((4 << 10) * sizeof *data);
	for (uint64_t i = 0; share_next(s); i++) {
		if (i % 4 == 0) {
			transfer(s->arg);
		} else {
			struct waitgroup done = {0};
			touch(data, 4 << 10);
			waitgroup_add(&done, 1); /* gives way, but not through the global queue */
			bench_go(bench_done, &done);
			waitgroup_wait(&done);
		}
	}
	free(data);
}

static uint64_t mutex_no_spin(uint64_t n)
{
	struct accounts x = {0};
	return share_run(n, 4, no_spin_body, &x);
}

/* A short hold, then work: spinning pays. */
static void spin_body(struct share *s)
{
	uint64_t *data = bench_alloc((16 << 10) * sizeof *data);
	while (share_next(s)) {
		transfer(s->arg);
		touch(data, 16 << 10);
	}
	free(data);
}

static uint64_t mutex_spin(uint64_t n)
{
	struct accounts x = {0};
	return share_run(n, 1, spin_body, &x);
}

/* ---- wait group ---- */

static void waitgroup_own(struct share *s)
{
	struct waitgroup w = {0};
	while (share_next(s)) {
		waitgroup_add(&w, 1);
		waitgroup_done(&w);
		waitgroup_wait(&w);
	}
}

static uint64_t waitgroup_uncontended(uint64_t n)
{
	return share_run(n, 1, waitgroup_own, NULL);
}

static void add_done_body(struct share *s)
{
	while (share_next(s)) {
		waitgroup_add(s->arg, 1);
		waitgroup_done(s->arg);
	}
}

static void add_done_work_body(struct share *s)
{
	int x = 0;
	while (share_next(s)) {
		waitgroup_add(s->arg, 1);
		x = share_work(x, WORK);
		waitgroup_done(s->arg);
	}
	bench_sink += (uint64_t)x;
}

static void wait_body(struct share *s)
{
	while (share_next(s))
		waitgroup_wait(s->arg);
}

static void wait_work_body(struct share *s)
{
	int x = 0;
	while (share_next(s)) {
		waitgroup_wait(s->arg);
		x = share_work(x, WORK);
	}
	bench_sink += (uint64_t)x;
}

static uint64_t waitgroup_with(uint64_t n, void (*body)(struct share *))
{
	struct waitgroup w = {0};
	return share_run(n, 1, body, &w);
}

static uint64_t waitgroup_add_done(uint64_t n)
{
	return waitgroup_with(n, add_done_body);
}

static uint64_t waitgroup_add_done_work(uint64_t n)
{
	return waitgroup_with(n, add_done_work_body);
}

static uint64_t waitgroup_no_wait(uint64_t n)
{
	return waitgroup_with(n, wait_body);
}

static uint64_t waitgroup_wait_work(uint64_t n)
{
	return waitgroup_with(n, wait_work_body);
}

static void actually_wait_body(struct share *s)
{
	while (share_next(s)) {
		struct waitgroup w = {0};
		waitgroup_add(&w, 1);
		bench_go(bench_done, &w);
		waitgroup_wait(&w);
	}
}

static uint64_t waitgroup_actually_wait(uint64_t n)
{
	return share_run(n, 1, actually_wait_body, NULL);
}

/* ---- once ---- */

static void nothing(void *arg)
{
	(void)arg;
}

static void once_body(struct share *s)
{
	while (share_next(s))
		once_do(s->arg, nothing, NULL);
}

static uint64_t once(uint64_t n)
{
	struct once o = {0};
	return share_run(n, 1, once_body, &o);
}

/* ---- condition ---- */

struct party {
	struct mutex m; /* protects here */
	struct cond c;
	int here, size; /* the last one of `size` to come wakes the others; -1: over */
	uint64_t n;
	struct waitgroup done;
};

static void guest(void *arg)
{
	struct party *p = arg;
	for (uint64_t i = 0; i < p->n; i++) {
		mutex_lock(&p->m);
		if (p->here == -1) {
			mutex_unlock(&p->m);
			break;
		}
		if (++p->here == p->size) {
			p->here = 0;
			cond_broadcast(&p->c);
		} else {
			cond_wait(&p->c, &p->m);
		}
		mutex_unlock(&p->m);
	}
	mutex_lock(&p->m);
	p->here = -1;
	cond_broadcast(&p->c);
	mutex_unlock(&p->m);
	waitgroup_done(&p->done);
}

static uint64_t cond(uint64_t n, int waiters)
{
	struct party p = {.size = waiters + 1, .n = n};
	waitgroup_add(&p.done, p.size);
	uint64_t start = time_now();
	for (int i = 0; i < p.size; i++)
		bench_go(guest, &p);
	waitgroup_wait(&p.done);
	return time_now() - start;
}

#define COND(n_)                              \
	static uint64_t cond_##n_(uint64_t n) \
	{                                     \
		return cond(n, n_);           \
	}
COND(1)
COND(2)
COND(4)
COND(8)
COND(16)
COND(32)

const struct bench bench_go_sync[] = {
	{.name = "MutexUncontended", .sample = mutex_uncontended},
	{.name = "Mutex", .sample = mutex},
	{.name = "MutexSlack", .sample = mutex_slack},
	{.name = "MutexWork", .sample = mutex_work},
	{.name = "MutexWorkSlack", .sample = mutex_work_slack},
	{.name = "MutexNoSpin", .sample = mutex_no_spin},
	{.name = "MutexSpin", .sample = mutex_spin},
	{.name = "WaitGroupUncontended", .sample = waitgroup_uncontended},
	{.name = "WaitGroupAddDone", .sample = waitgroup_add_done},
	{.name = "WaitGroupAddDoneWork", .sample = waitgroup_add_done_work},
	{.name = "WaitGroupWait", .sample = waitgroup_no_wait},
	{.name = "WaitGroupWaitWork", .sample = waitgroup_wait_work},
	{.name = "WaitGroupActuallyWait", .sample = waitgroup_actually_wait},
	{.name = "Once", .sample = once},
	{.name = "Cond1", .sample = cond_1},
	{.name = "Cond2", .sample = cond_2},
	{.name = "Cond4", .sample = cond_4},
	{.name = "Cond8", .sample = cond_8},
	{.name = "Cond16", .sample = cond_16},
	{.name = "Cond32", .sample = cond_32},
	{0},
};

/* The read-write mutex and semaphore benchmarks of Go's packages sync and runtime, by their names. */
#include <hartbeat/rwmutex.h>
#include <hartbeat/semaphore.h>

#include "tests/bench/share.h"

enum { WORK = 100 };

static void own_body(struct share *s)
{
	struct rwmutex m = {0};
	while (share_next(s)) {
		rwmutex_rlock(&m);
		rwmutex_rlock(&m);
		rwmutex_runlock(&m);
		rwmutex_runlock(&m);
		rwmutex_lock(&m);
		rwmutex_unlock(&m);
	}
}

static uint64_t uncontended(uint64_t n)
{
	return share_run(n, 1, own_body, NULL);
}

struct mix {
	struct rwmutex m;
	unsigned ratio; /* one of so many operations writes */
	int work;       /* while reading */
};

static void mix_body(struct share *s)
{
	struct mix *x = s->arg;
	unsigned k = 0;
	int w = 0;
	while (share_next(s)) {
		if (++k % x->ratio == 0) {
			rwmutex_lock(&x->m);
			rwmutex_unlock(&x->m);
		} else {
			rwmutex_rlock(&x->m);
			w = share_work(w, x->work);
			rwmutex_runlock(&x->m);
		}
	}
	bench_sink += (uint64_t)w;
}

static uint64_t mixed(uint64_t n, unsigned ratio, int work)
{
	struct mix x = {.ratio = ratio, .work = work};
	return share_run(n, 1, mix_body, &x);
}

static uint64_t write_100(uint64_t n)
{
	return mixed(n, 100, 0);
}

static uint64_t write_10(uint64_t n)
{
	return mixed(n, 10, 0);
}

static uint64_t work_write_100(uint64_t n)
{
	return mixed(n, 100, WORK);
}

static uint64_t work_write_10(uint64_t n)
{
	return mixed(n, 10, WORK);
}

/* ---- semaphores of one unit at a time ---- */

static void sema_own(struct share *s)
{
	struct semaphore x = SEMAPHORE_INIT(0);
	while (share_next(s)) {
		semaphore_release(&x, 1);
		semaphore_acquire(&x, 1);
	}
}

static uint64_t sema_uncontended(uint64_t n)
{
	return share_run(n, 1, sema_own, NULL);
}

struct sema {
	struct semaphore s;
	int work;
	struct waitgroup blocked;
};

static void sema_body(struct share *s)
{
	struct sema *x = s->arg;
	int w = 0;
	while (share_next(s)) {
		semaphore_release(&x->s, 1);
		w = share_work(w, x->work);
		semaphore_acquire(&x->s, 1);
	}
	bench_sink += (uint64_t)w;
	semaphore_release(&x->s, 1);
}

static void sema_block(void *arg)
{
	struct sema *x = arg;
	for (unsigned i = 0; i < go_harts() / 2; i++)
		semaphore_acquire(&x->s, 1);
	waitgroup_done(&x->blocked);
}

static uint64_t sema(uint64_t n, bool block, int work)
{
	struct sema x = {.work = work};
	waitgroup_add(&x.blocked, block);
	if (block)
		bench_go(sema_block, &x);
	uint64_t d = share_run(n, 1, sema_body, &x);
	waitgroup_wait(&x.blocked);
	return d;
}

static uint64_t synt_nonblock(uint64_t n)
{
	return sema(n, false, 0);
}

static uint64_t synt_block(uint64_t n)
{
	return sema(n, true, 0);
}

static uint64_t work_nonblock(uint64_t n)
{
	return sema(n, false, WORK);
}

static uint64_t work_block(uint64_t n)
{
	return sema(n, true, WORK);
}

const struct bench bench_go_rwmutex[] = {
	{.name = "RWMutexUncontended", .sample = uncontended},
	{.name = "RWMutexWrite100", .sample = write_100},
	{.name = "RWMutexWrite10", .sample = write_10},
	{.name = "RWMutexWorkWrite100", .sample = work_write_100},
	{.name = "RWMutexWorkWrite10", .sample = work_write_10},
	{.name = "SemaUncontended", .sample = sema_uncontended},
	{.name = "SemaSyntNonblock", .sample = synt_nonblock},
	{.name = "SemaSyntBlock", .sample = synt_block},
	{.name = "SemaWorkNonblock", .sample = work_nonblock},
	{.name = "SemaWorkBlock", .sample = work_block},
	{0},
};

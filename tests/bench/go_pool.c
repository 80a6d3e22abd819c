/* The pool benchmarks of Go's package sync, by their names. */
#include <hartbeat/pool.h>

#include "tests/bench/share.h"

enum { MANY = 100 };

static int item;

static void one_body(struct share *s)
{
	while (share_next(s)) {
		pool_put(s->arg, &item);
		bench_sink += pool_get(s->arg) != NULL;
	}
}

/* 100 are put, then taken. */
static void many_body(struct share *s)
{
	while (share_next(s)) {
		for (int i = 0; i < MANY; i++)
			pool_put(s->arg, &item);
		for (int i = 0; i < MANY; i++)
			bench_sink += pool_get(s->arg) != NULL;
	}
}

/* More is taken than put: the rest has to come from other harts, if they have it. */
static void starving_body(struct share *s)
{
	while (share_next(s)) {
		for (int i = 0; i < MANY; i++)
			pool_put(s->arg, &item);
		for (int i = 0; i < 2 * MANY; i++)
			bench_sink += pool_get(s->arg) != NULL;
	}
}

static uint64_t with_pool(uint64_t n, void (*body)(struct share *))
{
	struct pool p = POOL(NULL, NULL);
	uint64_t d = share_run(n, 1, body, &p);
	pool_destroy(&p);
	return d;
}

static uint64_t one(uint64_t n)
{
	return with_pool(n, one_body);
}

static uint64_t overflow(uint64_t n)
{
	return with_pool(n, many_body);
}

static uint64_t starvation(uint64_t n)
{
	return with_pool(n, starving_body);
}

const struct bench bench_go_pool[] = {
	{.name = "Pool", .sample = one},
	{.name = "PoolOverflow", .sample = overflow},
	{.name = "PoolStarvation", .sample = starvation},
	{0},
};

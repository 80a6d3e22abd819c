/* Mutexes: an operation is one lock and unlock around an increment. */
#include "tests/bench/bench.h"

static uint64_t uncontended(uint64_t n)
{
	struct mutex m = {0};
	uint64_t c = 0, start = time_now();
	for (uint64_t i = 0; i < n; i++) {
		mutex_lock(&m);
		c++;
		mutex_unlock(&m);
	}
	uint64_t d = time_now() - start;
	bench_sink += c;
	return d;
}

struct rivals {
	struct mutex m; /* protects c */
	uint64_t c, each;
	struct waitgroup done;
};

static void rival(void *arg)
{
	struct rivals *r = arg;
	for (uint64_t i = 0; i < r->each; i++) {
		mutex_lock(&r->m);
		r->c++;
		mutex_unlock(&r->m);
	}
	waitgroup_done(&r->done);
}

static uint64_t contended(uint64_t n, unsigned goroutines)
{
	struct rivals r = {.each = n / goroutines};
	waitgroup_add(&r.done, (int)goroutines);
	uint64_t start = time_now();
	for (unsigned k = 0; k < goroutines; k++)
		bench_go(rival, &r);
	waitgroup_wait(&r.done);
	uint64_t d = time_now() - start;
	bench_sink += r.c;
	return d;
}

/* As many goroutines as harts. */
static uint64_t contended_N(uint64_t n)
{
	return contended(n, go_harts());
}

/* Eight times as many. */
uint64_t bench_contended(uint64_t n)
{
	return contended(n, 8 * go_harts());
}

const struct bench bench_mutex[] = {
	{.name = "mutex_uncontended", .sample = uncontended, .alone = true},
	{.name = "mutex_contended_N", .sample = contended_N, .harts_min = 2},
	{.name = "mutex_contended_8N", .sample = bench_contended},
	{0},
};

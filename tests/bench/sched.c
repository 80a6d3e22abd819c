/* Goroutines: giving way, starting, ending. */
#include "tests/bench/bench.h"

struct yielders {
	uint64_t each;
	struct waitgroup done;
};

static void yielder(void *arg)
{
	struct yielders *y = arg;
	for (uint64_t i = 0; i < y->each; i++)
		go_yield();
	waitgroup_done(&y->done);
}

/* Two goroutines that give way to each other: an operation is one go_yield(), which is one switch. */
static uint64_t yield(uint64_t n)
{
	struct yielders y = {.each = n / 2};
	waitgroup_add(&y.done, 2);
	uint64_t start = time_now();
	bench_go(yielder, &y);
	bench_go(yielder, &y);
	waitgroup_wait(&y.done);
	return time_now() - start;
}

/* Start one goroutine, wait for it. */
static uint64_t spawn_seq(uint64_t n)
{
	uint64_t start = time_now();
	for (uint64_t i = 0; i < n; i++) {
		struct waitgroup done = {0};
		waitgroup_add(&done, 1);
		bench_go(bench_done, &done);
		waitgroup_wait(&done);
	}
	return time_now() - start;
}

const struct bench bench_sched[] = {
	{.name = "yield", .sample = yield},
	{.name = "spawn_seq", .sample = spawn_seq},
	{0},
};

/*
 * The same work in many goroutines, and how much faster all harts together do it than one. With one hart the goroutines are what is
 * measured; with more, the P=1 line is one goroutine that does the tasks in turn, which costs less than starting them would.
 */
#include "tests/bench/bench.h"

#include <stdio.h>

struct sum {
	_Atomic uint64_t total;
	uint64_t iterations; /* of one task */
	uint64_t tasks;
	struct waitgroup done;
};

static void task(void *arg)
{
	struct sum *s = arg;
	atomic_fetch_add(&s->total, bench_spin(s->iterations));
	waitgroup_done(&s->done);
}

static void all_tasks(void *arg)
{
	struct sum *s = arg;
	for (uint64_t i = 0; i < s->tasks; i++)
		task(s);
}

static uint64_t run(uint64_t iterations, uint64_t tasks, bool serial)
{
	struct sum s = {.iterations = iterations, .tasks = tasks};
	waitgroup_add(&s.done, (int)tasks);
	uint64_t start = time_now();
	if (serial)
		bench_go(all_tasks, &s);
	else
		for (uint64_t i = 0; i < tasks; i++)
			bench_go(task, &s);
	waitgroup_wait(&s.done);
	uint64_t d = time_now() - start;
	bench_sink += s.total;
	return d;
}

static void speed_up(const char *name, uint64_t tasks)
{
	uint32_t harts = go_harts();
	uint64_t iterations = bench_spin_count(2 * bench_target_ns) / tasks;
	for (uint64_t r = 0; r < bench_reps; r++) {
		uint64_t one = 0;
		for (uint32_t p = 1; p <= harts; p += harts > 1 ? harts - 1 : 1) {
			char text[60];
			uint64_t d = run(iterations, tasks, p < harts);
			if (p == 1)
				one = d;
			snprintf(text, sizeof text, "total_ms=%.2f speedup=%.3f", (double)d / 1e6,
				 (double)one / (double)d);
			bench_line(name, p, r, tasks, (double)d / (double)tasks, text);
		}
	}
}

static void coarse(void)
{
	speed_up("parallel_sum", 64);
}

static void fine(void)
{
	speed_up("parallel_sum_fine", 10000);
}

const struct bench bench_parallel[] = {
	{.name = "parallel_sum", .run = coarse},
	{.name = "parallel_sum_fine", .run = fine},
	{0},
};

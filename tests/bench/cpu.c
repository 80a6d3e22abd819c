/* What the machine itself does: a compute loop of known length (it also checks the arithmetic of counted instructions), and the clock. */
#include "tests/bench/bench.h"

__attribute__((noinline)) uint64_t bench_spin(uint64_t n)
{
	uint64_t x = n;
	for (uint64_t i = 0; i < n; i++)
		x = x * 6364136223846793005u + 1442695040888963407u;
	return x;
}

static uint64_t cpu_loop(uint64_t n)
{
	uint64_t start = time_now();
	bench_sink += bench_spin(n);
	return time_now() - start;
}

uint64_t bench_spin_count(uint64_t ns)
{
	for (uint64_t n = 1000;; n *= 4) {
		uint64_t d = cpu_loop(n);
		if (d >= 2 * TIME_MILLISECOND || d >= ns)
			return (uint64_t)((double)n * (double)ns / (double)d) + 1;
	}
}

static uint64_t now(uint64_t n)
{
	uint64_t start = time_now();
	for (uint64_t i = 0; i < n; i++)
		bench_sink = time_now();
	return time_now() - start;
}

const struct bench bench_cpu[] = {
	{.name = "cpu_loop", .sample = cpu_loop, .alone = true},
	{.name = "time_now", .sample = now, .alone = true},
	{0},
};

#include "tests/bench/loop.h"

#include <stdio.h>

#include "tests/bench/bench.h"

static struct waitgroup done;
static uint64_t rounds;

static void compute(void *arg)
{
	uint64_t x = (uintptr_t)arg + 88172645463325252u;
	for (uint64_t i = 0; i < rounds; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
	}
	bench_sink = x;
	waitgroup_done(&done);
}

void loop(uint64_t n)
{
	unsigned harts = go_harts();
	rounds = n;
	uint64_t start = time_now();
	waitgroup_add(&done, (int)harts);
	for (unsigned i = 0; i < harts; i++)
		bench_go(compute, (void *)(uintptr_t)i);
	waitgroup_wait(&done);
	printf("B loop %llu ns\n", (unsigned long long)(time_now() - start));
}

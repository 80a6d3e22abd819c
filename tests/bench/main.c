/*
 * Benchmark image, run by tools/bench. Prints one line for each figure: "B name value unit".
 * Arguments: loop=N runs a compute loop of N million rounds on every hart at once and prints its time.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hartbeat/go.h>
#include <hartbeat/sync.h>
#include <hartbeat/time.h>

static struct waitgroup done;
static uint64_t rounds;
static volatile uint64_t keep;

static void compute(void *arg)
{
	uint64_t x = (uintptr_t)arg + 88172645463325252u;
	for (uint64_t i = 0; i < rounds; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
	}
	keep = x;
	waitgroup_done(&done);
}

static void loop(void)
{
	unsigned n = go_harts();
	uint64_t start = time_now();
	waitgroup_add(&done, (int)n);
	for (unsigned i = 0; i < n; i++)
		if (go(compute, (void *)(uintptr_t)i) == 0)
			exit(1);
	waitgroup_wait(&done);
	printf("B loop %llu ns\n", (unsigned long long)(time_now() - start));
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		if (strncmp(argv[i], "loop=", 5) != 0) {
			fprintf(stderr, "bench: %s: expected loop=MILLIONS\n", argv[i]);
			return 1;
		}
		rounds = strtoull(argv[i] + 5, NULL, 10) * 1000000;
		loop();
	}
	return 0;
}

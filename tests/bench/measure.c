/* What the benchmarks share: their lines, and starting goroutines that must start. */
#include "tests/bench/bench.h"

#include <stdio.h>
#include <stdlib.h>

#include <hartbeat/chan.h>

void bench_line(const char *name, uint32_t p, uint64_t rep, uint64_t n, double ns_op, const char *extra)
{
	printf("B %s P=%u rep=%llu n=%llu ns_op=%.3f%s%s\n", name, (unsigned)p, (unsigned long long)rep,
	       (unsigned long long)n, ns_op, extra != NULL ? " " : "", extra != NULL ? extra : "");
}

static int by_size(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
	return (x > y) - (x < y);
}

void bench_dist(const char *name, uint32_t p, uint64_t rep, int64_t *v, uint64_t n, const char *extra)
{
	char text[240];
	double sum = 0;
	qsort(v, n, sizeof v[0], by_size);
	for (uint64_t i = 0; i < n; i++)
		sum += (double)v[i];
	snprintf(text, sizeof text, "min=%lld p50=%lld p90=%lld p99=%lld max=%lld%s%s", (long long)v[0],
		 (long long)v[n / 2], (long long)v[n * 9 / 10], (long long)v[n * 99 / 100],
		 (long long)v[n - 1], extra != NULL ? " " : "", extra != NULL ? extra : "");
	bench_line(name, p, rep, n, sum / (double)n, text);
}

void bench_note(const char *name, const char *why)
{
	printf("# %s: %s\n", name, why);
}

void bench_go(void (*fn)(void *), void *arg)
{
	if (go(fn, arg) == 0) {
		fprintf(stderr, "bench: out of memory: no goroutine (%u exist)\n", (unsigned)go_count());
		exit(1);
	}
}

void *bench_alloc(size_t size)
{
	void *p = malloc(size);
	if (p == NULL) {
		fprintf(stderr, "bench: out of memory: no %zu bytes\n", size);
		exit(1);
	}
	return p;
}

struct chan *bench_chan_make(size_t elem_size, size_t capacity)
{
	struct chan *c = chan_make(elem_size, capacity);
	if (c == NULL) {
		fprintf(stderr, "bench: out of memory: no channel\n");
		exit(1);
	}
	return c;
}

void bench_done(void *waitgroup)
{
	waitgroup_done(waitgroup);
}

/*
 * Work shared by goroutines, as Go's b.RunParallel does: each takes operations from a common number, a few at a time, until none is left.
 *
 *	static void body(struct share *s) { while (share_next(s)) operation(); }
 *	...
 *	return share_run(n, 1, body, NULL);
 */
#ifndef TESTS_BENCH_SHARE_H
#define TESTS_BENCH_SHARE_H

#include "tests/bench/bench.h"

struct share {
	_Atomic uint64_t *taken; /* of all */
	uint64_t all, grain, have;
	void *arg;
	void (*body)(struct share *s);
	struct waitgroup *done;
};

bool share_more(struct share *s);

/* True: the caller does one more operation. */
static inline bool share_next(struct share *s)
{
	if (__builtin_expect(s->have == 0, 0) && !share_more(s))
		return false;
	s->have--;
	return true;
}

/* Runs body in per_hart goroutines for each hart until they have done n operations together; the nanoseconds that took. */
uint64_t share_run(uint64_t n, uint32_t per_hart, void (*body)(struct share *s), void *arg);

/* What Go's benchmarks call local work: n rounds of a multiplication and a division that undo each other. */
static inline int share_work(int x, int n)
{
	for (int i = 0; i < n; i++) {
		x *= 2;
		__asm__ volatile("" : "+r"(x));
		x /= 2;
		__asm__ volatile("" : "+r"(x));
	}
	return x;
}

#endif

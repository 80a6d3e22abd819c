/*
 * Histogram of times in Go's buckets: the highest bit of a time chooses a power of two, the two bits below it one of four parts. Times below
 * 2^8 ns lie in four buckets of 2^6 ns. One writer, or several with histogram_record_shared(); readers see each count as it is.
 */
#ifndef SCHED_HISTOGRAM_H
#define SCHED_HISTOGRAM_H

#include <stdatomic.h>
#include <stdint.h>

#include "kernel/store.h"

enum {
	HISTOGRAM_MIN_BIT = 9, /* Go's timeHistMinBucketBits and so on */
	HISTOGRAM_MAX_BIT = 48,
	HISTOGRAM_SUB_BITS = 2,
	HISTOGRAM_SUBS = 1 << HISTOGRAM_SUB_BITS,
	HISTOGRAM_POWERS = HISTOGRAM_MAX_BIT - HISTOGRAM_MIN_BIT + 1,
	HISTOGRAM_BUCKETS = HISTOGRAM_POWERS * HISTOGRAM_SUBS + 2, /* one for below zero, one for too long */
};

struct histogram {
	_Atomic uint64_t counts[HISTOGRAM_BUCKETS];
	_Atomic uint64_t sum; /* ns */
};

/* The bucket of a time. */
static inline unsigned histogram_bucket(uint64_t ns)
{
	unsigned length = ns == 0 ? 0 : 64 - (unsigned)__builtin_clzll(ns);
	unsigned bit = length < HISTOGRAM_MIN_BIT ? HISTOGRAM_MIN_BIT : length;
	unsigned power = length < HISTOGRAM_MIN_BIT ? 0 : length - HISTOGRAM_MIN_BIT + 1;
	if (power >= HISTOGRAM_POWERS)
		return HISTOGRAM_BUCKETS - 1;
	return power * HISTOGRAM_SUBS + (unsigned)(ns >> (bit - 1 - HISTOGRAM_SUB_BITS)) % HISTOGRAM_SUBS + 1;
}

/* The least time of a bucket but the first. */
static inline uint64_t histogram_bound(unsigned bucket)
{
	unsigned power = (bucket - 1) / HISTOGRAM_SUBS, sub = (bucket - 1) % HISTOGRAM_SUBS;
	if (power == 0)
		return (uint64_t)sub << (HISTOGRAM_MIN_BIT - 1 - HISTOGRAM_SUB_BITS);
	unsigned bit = power + HISTOGRAM_MIN_BIT - 1;
	return 1ull << (bit - 1) | (uint64_t)sub << (bit - 1 - HISTOGRAM_SUB_BITS);
}

static inline void histogram_add_(_Atomic uint64_t *to, uint64_t n)
{
	store_relaxed(to, atomic_load_explicit(to, memory_order_relaxed) + n);
}

/* n times. */
static inline void histogram_record(struct histogram *h, uint64_t ns, uint64_t n)
{
	histogram_add_(&h->counts[histogram_bucket(ns)], n);
	histogram_add_(&h->sum, ns * n);
}

static inline void histogram_record_shared(struct histogram *h, uint64_t ns)
{
	atomic_fetch_add_explicit(&h->counts[histogram_bucket(ns)], 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&h->sum, ns, memory_order_relaxed);
}

#endif

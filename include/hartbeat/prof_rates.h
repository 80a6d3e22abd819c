/*
 * What the heap, block and mutex profiles look at. Each rate may change at any time, also by boot options (docs/profiles.md); a profile keeps
 * what was counted before. Any goroutine with preemption on.
 */
#ifndef HARTBEAT_PROF_RATES_H
#define HARTBEAT_PROF_RATES_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Heap profile: one allocation is sampled for so many bytes, on average; 1: every allocation, 0: none. Allocations that were sampled before
 * stay in the profile until they are freed. 0, or -1 with errno EINVAL: more than 1 TiB. Go's runtime.MemProfileRate. */
int prof_heap_rate_set(uint64_t bytes);
uint64_t prof_heap_rate(void);

/* Block profile, and those of time off the harts: a wait of so many nanoseconds or more is counted for certain, a shorter one with the
 * probability that it is long against it, and as if it had been that long; 1: every wait, 0: none. 0, or -1 with errno EINVAL: more than an
 * hour. Go's runtime.SetBlockProfileRate(). */
int prof_block_rate_set(uint64_t ns);
uint64_t prof_block_rate(void);

/* Mutex profile: one contention in so many is counted, for as many; 1: each, 0: none. 0, or -1 with errno EINVAL: more than 1,000,000,000.
 * Go's runtime.SetMutexProfileFraction(). */
int prof_mutex_fraction_set(uint64_t n);
uint64_t prof_mutex_fraction(void);

#ifdef __cplusplus
}
#endif

#endif

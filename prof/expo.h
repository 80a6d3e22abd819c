/*
 * The exponential distribution in integers, for sampling allocations by their bytes: the kernel is built without floating point. Pure: the
 * same source runs on the host.
 */
#ifndef PROF_EXPO_H
#define PROF_EXPO_H

#include <stdint.h>

/* A distance to the next event of a Poisson process with this mean (up to 2^40), from 64 random bits. Cut at 44 times the mean. */
uint64_t expo_draw(uint64_t mean, uint64_t random);

/* value / (1 - exp(-size / rate)), rounded down: what `value` sampled objects (or bytes of them) of that size stand for, when each of their
 * bytes is sampled with probability 1 / rate. rate 0 and 1: value. */
uint64_t expo_scale(uint64_t value, uint64_t size, uint64_t rate);
/* What was scaled to `scaled`. */
uint64_t expo_unscale(uint64_t scaled, uint64_t size, uint64_t rate);

#endif

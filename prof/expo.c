/*
 * Fixed point: Q62 for numbers below 4, in 64-bit words, with 128-bit products.
 *
 * The scale is Go's scaleHeapSample(), which computes it in double precision; this is at least as exact: the error of 1 - exp(-x) is some
 * units of 2^-62, and x is at least 2^-37 (8 bytes, rate 2^40).
 */
#include "prof/expo.h"

typedef unsigned __int128 wide;

#define ONE (UINT64_C(1) << 62)

enum { LOG_BITS = 24, X_MAX = 44 }; /* exp(-44) is below 2^-62 */

/* log2(u) of u > 0 in units of 2^-LOG_BITS, rounded down: the fraction bit by bit, by squaring. */
static uint64_t log2_of(uint64_t u)
{
	uint64_t whole = 63 - (uint64_t)__builtin_clzll(u), fraction = 0;
	uint64_t x = u << (63 - whole) >> 32; /* 1 to 2 in units of 2^-31 */
	for (int i = 0; i < LOG_BITS; i++) {
		x = x * x >> 31;
		fraction = fraction << 1 | x >> 32;
		x >>= x >> 32;
	}
	return whole << LOG_BITS | fraction;
}

uint64_t expo_draw(uint64_t mean, uint64_t random)
{
	/* -ln(random / 2^64), with ln 2 in units of 2^-32 */
	uint64_t log = (UINT64_C(64) << LOG_BITS) - log2_of(random | 1);
	return (uint64_t)((wide)mean * log * UINT64_C(2977044472) >> (32 + LOG_BITS));
}

/* 1 - exp(-size / rate) in Q62; at least 1. */
static uint64_t sampled_share(uint64_t size, uint64_t rate)
{
	if (size / rate >= X_MAX)
		return ONE;
	wide x = ((wide)size << 62) / rate;
	int halvings = 0;
	for (; x > ONE / 2; halvings++)
		x >>= 1;
	uint64_t y = 0, term = (uint64_t)x;
	for (uint64_t n = 2; term > 0; n++) {
		y += n % 2 == 0 ? term : -term;
		term = (uint64_t)((wide)term * (uint64_t)x >> 62) / n;
	}
	for (; halvings > 0; halvings--) /* 1 - exp(-2x) = y (2 - y) */
		y = (uint64_t)((wide)y * (2 * ONE - y) >> 62);
	return y > 0 ? y : 1;
}

uint64_t expo_scale(uint64_t value, uint64_t size, uint64_t rate)
{
	return rate <= 1 || size == 0 ? value : (uint64_t)(((wide)value << 62) / sampled_share(size, rate));
}

/* The only number that is scaled to that: the scale is above 1 by more than the rounding. */
uint64_t expo_unscale(uint64_t scaled, uint64_t size, uint64_t rate)
{
	if (rate <= 1 || size == 0)
		return scaled;
	uint64_t n = (uint64_t)((wide)scaled * sampled_share(size, rate) >> 62);
	return n + (expo_scale(n, size, rate) < scaled);
}

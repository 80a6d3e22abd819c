/*
 * Numbers as `go tool pprof` prints them, digit for digit, without floating point. See decimal.c.
 */
#ifndef PROF_DECIMAL_H
#define PROF_DECIMAL_H

#include <stdint.h>

enum { DECIMAL_MAX = 32 }; /* bytes that a number takes at most, the 0 at the end included */

enum decimal_unit { DECIMAL_NS, DECIMAL_US, DECIMAL_MS, DECIMAL_S, DECIMAL_HRS };

/* value as a percentage of total, such as " 5.02%", " 0.12%" or "  100%"; "    0%" if total is 0. Any
 * context. */
void decimal_percent(char out[DECIMAL_MAX], uint64_t value, uint64_t total);

/* A time in the given unit with two decimals, if they are not both 0: "1.25s", "30ms", "0". Any context. */
void decimal_time(char out[DECIMAL_MAX], uint64_t ns, enum decimal_unit unit);

/* The largest unit in which a time is at least 1; seconds for 0. */
enum decimal_unit decimal_unit(uint64_t ns);

/* A plain integer. */
void decimal_uint(char out[DECIMAL_MAX], uint64_t value);

#endif

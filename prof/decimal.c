/*
 * Owns the decimal forms of percentages and times.
 *
 * pprof divides float64 by float64 and prints the quotient with Printf: "%5.2f" from 1 % on, "%5.2g" below.
 * The target prints without floating point, and still the same digits, ties included (1 of 800 is 0.12 %, 3
 * of 800 is 0.38 %): a quotient is held as float64 holds it, an integer of at most 53 bits over a power of
 * two, with the same rounding to nearest, ties to even, after each step.
 *
 * 1. A mantissa never exceeds 2^53; otherwise a tie would be decided on bits that float64 does not have.
 * 2. Divisors stay below 2^63; otherwise the remainder could not be doubled. Asserted. (Values above 2^53 ns,
 * 104 days, are not rounded before the division as a conversion to float64 would; no digit that is shown
 * depends on it.)
 */
#include "prof/decimal.h"

#include <stdbool.h>
#include <string.h>

#include "kernel/assert.h"

typedef unsigned __int128 wide;

enum { MANTISSA_BITS = 53 };

struct real { /* m / 2^e */
	uint64_t m;
	unsigned e;
};

static const struct {
	uint64_t ns;
	const char *name;
} units[] = {
	[DECIMAL_NS] = {1, "ns"},
	[DECIMAL_US] = {1000, "us"},
	[DECIMAL_MS] = {1000000, "ms"},
	[DECIMAL_S] = {1000000000, "s"},
	[DECIMAL_HRS] = {3600000000000, "hrs"},
};

/* a / b, correctly rounded. */
static struct real real_quotient(uint64_t a, uint64_t b)
{
	ASSERT(b > 0 && b < 1ull << 63, "a divisor is above 0 and below 2^63");
	struct real q = {.m = a / b};
	uint64_t rest = a % b;
	while (rest != 0 && q.m < 1ull << (MANTISSA_BITS - 1)) {
		rest *= 2;
		q.m = q.m * 2 + (rest >= b);
		q.e++;
		if (rest >= b)
			rest -= b;
	}
	if (rest > b - rest) /* a tie cannot be: a quotient of two 53-bit integers never ends on bit 54 */
		q.m++;
	return q;
}

/* w / 2^shift to the nearest integer, ties to even. */
static wide wide_round(wide w, unsigned shift)
{
	if (shift == 0)
		return w;
	wide rest = w & (((wide)1 << shift) - 1), half = (wide)1 << (shift - 1), q = w >> shift;
	return q + (rest > half || (rest == half && (q & 1) != 0));
}

static struct real real_times_100(struct real r)
{
	uint64_t m = r.m * 100;
	unsigned bits = m ? 64 - (unsigned)__builtin_clzll(m) : 0;
	unsigned shift = bits > MANTISSA_BITS ? bits - MANTISSA_BITS : 0;
	if (shift > r.e)
		shift = r.e;
	return (struct real){.m = (uint64_t)wide_round(m, shift), .e = r.e - shift};
}

void decimal_uint(char out[DECIMAL_MAX], uint64_t value)
{
	char digits[DECIMAL_MAX];
	unsigned n = 0;
	do {
		digits[n++] = (char)('0' + value % 10);
		value /= 10;
	} while (value > 0);
	for (unsigned i = 0; i < n; i++)
		out[i] = digits[n - 1 - i];
	out[n] = '\0';
}

/* Printf's "%.2f". */
static void real_fixed(char out[DECIMAL_MAX], struct real r)
{
	uint64_t hundredths = (uint64_t)wide_round((wide)r.m * 100, r.e);
	decimal_uint(out, hundredths / 100);
	size_t n = strlen(out);
	out[n] = '.';
	out[n + 1] = (char)('0' + hundredths / 10 % 10);
	out[n + 2] = (char)('0' + hundredths % 10);
	out[n + 3] = '\0';
}

/* Printf's "%.2g" for 0 <= r < 1. */
static void real_short(char out[DECIMAL_MAX], struct real r)
{
	if (r.m == 0) {
		strcpy(out, "0");
		return;
	}
	/* two significant digits: r = two / 10^places, 10 <= two <= 99 */
	wide scaled = (wide)r.m * 100;
	unsigned places = 2;
	while ((scaled >> r.e) < 10) {
		scaled *= 10;
		places++;
	}
	unsigned two = (unsigned)wide_round(scaled, r.e);
	if (two == 100) {
		two = 10;
		places--;
	}
	char *p = out;
	if (places == 1) {
		strcpy(out, "1");
		return;
	}
	if (places <= 5) {
		*p++ = '0';
		*p++ = '.';
		for (unsigned i = 2; i < places; i++)
			*p++ = '0';
		*p++ = (char)('0' + two / 10);
		if (two % 10 != 0)
			*p++ = (char)('0' + two % 10);
	} else {
		*p++ = (char)('0' + two / 10);
		if (two % 10 != 0) {
			*p++ = '.';
			*p++ = (char)('0' + two % 10);
		}
		*p++ = 'e';
		*p++ = '-';
		*p++ = (char)('0' + (places - 1) / 10);
		*p++ = (char)('0' + (places - 1) % 10);
	}
	*p = '\0';
}

void decimal_percent(char out[DECIMAL_MAX], uint64_t value, uint64_t total)
{
	char digits[DECIMAL_MAX];
	wide v = (wide)value * 10000;
	if (total == 0)
		strcpy(digits, "0");
	else if (v >= (wide)total * 9995 && v <= (wide)total * 10005)
		strcpy(digits, "100");
	else if (v >= (wide)total * 100)
		real_fixed(digits, real_times_100(real_quotient(value, total)));
	else
		real_short(digits, real_times_100(real_quotient(value, total)));
	size_t n = strlen(digits), pad = n < 5 ? 5 - n : 0;
	memset(out, ' ', pad);
	memcpy(out + pad, digits, n);
	strcpy(out + pad + n, "%");
}

void decimal_time(char out[DECIMAL_MAX], uint64_t ns, enum decimal_unit unit)
{
	if (units[unit].ns == 1)
		decimal_uint(out, ns);
	else
		real_fixed(out, real_quotient(ns, units[unit].ns));
	size_t n = strlen(out);
	if (n > 3 && strcmp(out + n - 3, ".00") == 0)
		out[n - 3] = '\0';
	if (strcmp(out, "0") != 0)
		strcpy(out + strlen(out), units[unit].name);
}

enum decimal_unit decimal_unit(uint64_t ns)
{
	if (ns == 0)
		return DECIMAL_S;
	enum decimal_unit u = DECIMAL_HRS;
	while (ns < units[u].ns)
		u--;
	return u;
}

/*
 * Code whose every line takes a known part of the instructions, for a comparison of a plain run with one where instructions are counted
 * (tests/e2e/test-plain.sh): straight code, code that branches each few instructions, and calls of small functions. Nothing but integers, so
 * that an instruction takes about as long as any other.
 */
#include "suite.h"

#include <hartbeat/prof.h>
#include <hartbeat/time.h>

#include "prof/prof.h"

static volatile uint64_t sink;

/* One block of some 50 instructions. */
__attribute__((noipa)) static uint64_t plain_straight(uint64_t x)
{
	for (int i = 0; i < 40; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		x += x >> 3;
		x ^= x << 5;
		x += x << 9;
		x ^= x >> 11;
		x += x << 1;
		x ^= x >> 29;
	}
	return x;
}

/* Blocks of a line or two. */
__attribute__((noipa)) static uint64_t plain_branches(uint64_t x)
{
	for (int i = 0; i < 100; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		if ((x & 1) != 0)
			sink = x;
		if ((x & 6) == 2)
			sink = x ^ x >> 3;
		else if ((x & 6) == 4)
			sink = x + (x << 5);
	}
	return x;
}

__attribute__((noipa)) static uint64_t plain_leaf(uint64_t x)
{
	x ^= x << 13;
	x ^= x >> 7;
	return x ^ x << 17;
}

__attribute__((noipa)) static uint64_t plain_other_leaf(uint64_t x)
{
	x += x << 9;
	return x ^ x >> 11;
}

__attribute__((noipa)) static uint64_t plain_calls(uint64_t x)
{
	for (int i = 0; i < 50; i++) {
		x = plain_leaf(x);
		if ((x & 3) != 0)
			x += plain_other_leaf(x);
		sink = x;
	}
	return x;
}

/* Loops of one block each. */
#define LOOP(name)                                     \
	__attribute__((noipa)) static void name(int n) \
	{                                              \
		for (int i = 0; i < n; i++)            \
			sink = i;                      \
	}
LOOP(plain_half)
LOOP(plain_third)
LOOP(plain_fifth)

static uint64_t small(uint64_t x)
{
	return plain_calls(plain_branches(plain_straight(x)));
}

static uint64_t loops(uint64_t x)
{
	plain_half(5000);
	plain_third(3000);
	plain_fifth(2000);
	return x;
}

static void profile(uint64_t (*work)(uint64_t x))
{
	uint64_t x = 1;
	guest_profile_off();
	CHECK_EQ(prof_start(guest_exact() ? 10000 : 1000), 0);
	uint64_t end = time_now() + guest_count(2000, 20000) * TIME_MILLISECOND / (guest_exact() ? 4 : 1);
	while (time_now() < end)
		for (int i = 0; i < 20; i++)
			x = work(x);
	sink = x;
	CHECK_EQ(prof_stop("plain.pb.gz"), 0);
}

GUEST_TEST(plain, blocks, "a profile of small blocks and functions is sent")
{
	profile(small);
}

GUEST_TEST(plain, loops, "a profile of loops is sent")
{
	profile(loops);
}

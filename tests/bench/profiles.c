/* What heap, block and mutex profiles cost: the allocator and a round trip over channels, without and with them. */
#include "tests/bench/bench.h"

#include <stdio.h>
#include <stdlib.h>

#include <hartbeat/prof_rates.h>

static uint64_t pair(uint64_t n)
{
	uint64_t start = time_now();
	for (uint64_t i = 0; i < n; i++) {
		char *p = malloc(64);
		bench_sink += (uintptr_t)p;
		free(p);
	}
	return time_now() - start;
}

/* 64 objects at once, so that the bins give and take lists. */
static uint64_t batch(uint64_t n)
{
	enum { AT_ONCE = 64 };
	void *p[AT_ONCE];
	uint64_t start = time_now();
	for (uint64_t i = 0; i < n; i += AT_ONCE) {
		for (int k = 0; k < AT_ONCE; k++)
			p[k] = malloc(64);
		for (int k = 0; k < AT_ONCE; k++)
			free(p[k]);
	}
	return time_now() - start;
}

static uint64_t pair_at(uint64_t rate, uint64_t n)
{
	uint64_t was = prof_heap_rate();
	if (prof_heap_rate_set(rate) != 0)
		return 0;
	uint64_t d = pair(n);
	return prof_heap_rate_set(was) == 0 ? d : 0;
}

static uint64_t pair_sampled(uint64_t n)
{
	return pair_at(512 << 10, n);
}

static uint64_t pair_all_sampled(uint64_t n)
{
	return pair_at(1, n);
}

static uint64_t pingpong_block(uint64_t rate, uint64_t n)
{
	uint64_t was = prof_block_rate();
	if (prof_block_rate_set(rate) != 0)
		return 0;
	uint64_t d = bench_pingpong(n);
	return prof_block_rate_set(was) == 0 ? d : 0;
}

/* Every wait counted; as by default, those of 10 us or more. */
static uint64_t pingpong_all(uint64_t n)
{
	return pingpong_block(1, n);
}

static uint64_t pingpong_10us(uint64_t n)
{
	return pingpong_block(10000, n);
}

/* Every contention counted. */
static uint64_t mutex_all(uint64_t (*op)(uint64_t), uint64_t n)
{
	uint64_t was = prof_mutex_fraction();
	if (prof_mutex_fraction_set(1) != 0)
		return 0;
	uint64_t d = op(n);
	return prof_mutex_fraction_set(was) == 0 ? d : 0;
}

/* There is none on one hart: the profile is on. */
static uint64_t pingpong_mutex(uint64_t n)
{
	return mutex_all(bench_pingpong, n);
}

static uint64_t contended_all(uint64_t n)
{
	return mutex_all(bench_contended, n);
}

/* What a profile adds, in per cent of the operation: in turns without and with it, so that what else the host does hits both. */
static void cost(const char *name, uint64_t n, uint64_t (*without)(uint64_t), uint64_t (*with)(uint64_t))
{
	char text[80];
	without(n / 10);
	with(n / 10);
	for (uint64_t r = 0; r < bench_reps; r++) {
		double off = (double)without(n), on = (double)with(n);
		snprintf(text, sizeof text, "off_ns=%.1f on_ns=%.1f", off / (double)n, on / (double)n);
		bench_line(name, go_harts(), r, n, (on - off) * 100 / off, text);
	}
}

static void cost_heap(void)
{
	cost("profile_cost_heap_512K", 1000000, pair, pair_sampled);
}

static void cost_block(void)
{
	cost("profile_cost_block_1", 100000, bench_pingpong, pingpong_all);
}

static void cost_mutex(void)
{
	cost("profile_cost_mutex_1", 400000, bench_contended, contended_all);
}

static void cost_mutex_pingpong(void)
{
	cost("profile_cost_mutex_pingpong_1", 100000, bench_pingpong, pingpong_mutex);
}

const struct bench bench_profiles[] = {
	{.name = "malloc_free", .sample = pair, .alone = true},
	{.name = "malloc_free_batch", .sample = batch, .alone = true},
	{.name = "malloc_free_heap_512K", .sample = pair_sampled, .alone = true},
	{.name = "malloc_free_heap_1", .sample = pair_all_sampled, .alone = true},
	{.name = "chan_pingpong_block_1", .sample = pingpong_all},
	{.name = "chan_pingpong_block_10us", .sample = pingpong_10us},
	{.name = "profile_cost_heap_512K", .run = cost_heap},
	{.name = "profile_cost_block_1", .run = cost_block},
	{.name = "profile_cost_mutex_1", .run = cost_mutex},
	{.name = "profile_cost_mutex_pingpong_1", .run = cost_mutex_pingpong},
	{0},
};

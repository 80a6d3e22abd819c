/* The benchmarks of labels of Go's runtime/pprof, by their names; and the scope that C has. */
#include <stdio.h>
#include <stdlib.h>

#include <hartbeat/labels.h>

#include "tests/bench/bench.h"

enum { MANY = 10, HALF = MANY / 2 };

static void nothing(void *arg)
{
	(void)arg;
}

/* n times nothing(), with some labels more than those of base. */
static uint64_t run(uint64_t n, const struct label *base, size_t n_base, const struct label *more,
		    size_t n_more)
{
	struct labels *before = labels_current(), *all = labels_with(NULL, base, n_base);
	if (before == NULL || all == NULL)
		abort();
	labels_set(all);
	uint64_t start = time_now();
	for (uint64_t i = 0; i < n; i++)
		if (labels_do(more, n_more, nothing, NULL) != 0)
			abort();
	uint64_t d = time_now() - start;
	labels_set(before);
	labels_release(all);
	labels_release(before);
	return d;
}

static uint64_t set_one(uint64_t n)
{
	return run(n, NULL, 0, &(struct label){"key", "value"}, 1);
}

static uint64_t merge_one(uint64_t n)
{
	return run(n, &(struct label){"key1", "val1"}, 1, &(struct label){"key2", "value2"}, 1);
}

static uint64_t overwrite_one(uint64_t n)
{
	return run(n, &(struct label){"key", "val"}, 1, &(struct label){"key", "value"}, 1);
}

/* Ten labels by the order of their keys; as Go's test has them, the first key and the last value change places for another order. */
static const struct label *many(bool ordered)
{
	static char text[2 * MANY][12];
	static struct label list[MANY];
	for (int i = 0; i < MANY; i++) {
		snprintf(text[2 * i], sizeof text[0], "key%03d", i);
		snprintf(text[2 * i + 1], sizeof text[0], "value%03d", i);
		list[i] = (struct label){text[2 * i], text[2 * i + 1]};
	}
	if (!ordered) {
		list[0].key = text[2 * MANY - 1];
		list[MANY - 1].value = text[0];
	}
	return list;
}

static uint64_t ordered_set(uint64_t n)
{
	return run(n, NULL, 0, many(true), MANY);
}

static uint64_t ordered_merge(uint64_t n)
{
	const struct label *all = many(true);
	return run(n, all, HALF, all + HALF, HALF);
}

static uint64_t ordered_overwrite(uint64_t n)
{
	const struct label *all = many(true);
	return run(n, all, MANY, all, MANY);
}

static uint64_t unordered_set(uint64_t n)
{
	return run(n, NULL, 0, many(false), MANY);
}

static uint64_t unordered_merge(uint64_t n)
{
	const struct label *all = many(false);
	return run(n, all, HALF, all + HALF, HALF);
}

static uint64_t unordered_overwrite(uint64_t n)
{
	const struct label *all = many(false);
	return run(n, all, MANY, all, MANY);
}

/* What labels_do() does, for a block. */
static uint64_t scope(uint64_t n)
{
	uint64_t start = time_now();
	for (uint64_t i = 0; i < n; i++) {
		LABELS_SCOPE({"key", "value"});
	}
	return time_now() - start;
}

/* The part of it that needs no set to be made: from one set to another and back. */
static uint64_t set(uint64_t n)
{
	struct labels *before = labels_current(),
		      *one = labels_with(NULL, &(struct label){"key", "value"}, 1);
	if (before == NULL || one == NULL)
		abort();
	uint64_t start = time_now();
	for (uint64_t i = 0; i < n; i++) {
		labels_set(one);
		labels_set(before);
	}
	uint64_t d = time_now() - start;
	labels_release(one);
	labels_release(before);
	return d;
}

const struct bench bench_go_labels[] = {
	{.name = "Labels/set-one", .sample = set_one, .alone = true},
	{.name = "Labels/merge-one", .sample = merge_one, .alone = true},
	{.name = "Labels/overwrite-one", .sample = overwrite_one, .alone = true},
	{.name = "Labels/ordered/set-many", .sample = ordered_set, .alone = true},
	{.name = "Labels/ordered/merge-many", .sample = ordered_merge, .alone = true},
	{.name = "Labels/ordered/overwrite-many", .sample = ordered_overwrite, .alone = true},
	{.name = "Labels/unordered/set-many", .sample = unordered_set, .alone = true},
	{.name = "Labels/unordered/merge-many", .sample = unordered_merge, .alone = true},
	{.name = "Labels/unordered/overwrite-many", .sample = unordered_overwrite, .alone = true},
	{.name = "labels_scope", .sample = scope, .alone = true},
	{.name = "labels_set_unset", .sample = set, .alone = true},
	{0},
};

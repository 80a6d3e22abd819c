/*
 * The stress image: actors that use one part of the library each, all mixed at random, over and over, from a seed.
 *
 * An actor is a function that runs one episode: a few goroutines with random settings that work for milliseconds, check themselves, end,
 * and leave nothing behind. main.c runs episodes of all actors in many goroutines at once, and looks between rounds that all goroutines
 * have ended and that the heap is as it was.
 */
#ifndef TESTS_STRESS_STRESS_H
#define TESTS_STRESS_STRESS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <hartbeat/go.h>
#include <hartbeat/sync.h>
#include <hartbeat/time.h>

/* A source of random numbers, of one goroutine. */
struct rng {
	uint64_t state;
};

struct actor {
	const char *name, *guards;
	void (*episode)(struct rng *r);
};

/* The actors of each file; the last has no name. */
extern const struct actor stress_chan[], stress_select[], stress_sync[], stress_shared[], stress_group[],
	stress_context[], stress_time[], stress_stack[], stress_goroutine[];

uint32_t stress_random(struct rng *r);
/* From 0 to n - 1. */
uint32_t stress_below(struct rng *r, uint32_t n);
/* From low to high, both included. */
uint32_t stress_between(struct rng *r, uint32_t low, uint32_t high);
/* A source of its own for a goroutine that is about to start. */
struct rng stress_split(struct rng *r);

/* Most often nothing; else gives way, computes or sleeps for a while: moves whatever may happen at the same time. */
void stress_pause(struct rng *r);

/* Starts fn(arg), counted by `left`, which fn reports to when it is done. A panic when memory is out. */
void stress_go(struct waitgroup *left, void (*fn)(void *), void *arg);
/* malloc; a panic when memory is out. */
void *stress_alloc(size_t size);
struct chan;
struct chan *stress_chan_make(size_t elem_size, size_t capacity);

/* The running episode's actor has failed. */
void stress_fail(const char *file, int line, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#define CHECK(cond)                                                   \
	do {                                                          \
		if (!(cond))                                          \
			stress_fail(__FILE__, __LINE__, "%s", #cond); \
	} while (0)

#define CHECK_EQ(a, b)                                                                              \
	do {                                                                                        \
		long long check_a = (long long)(a), check_b = (long long)(b);                       \
		if (check_a != check_b)                                                             \
			stress_fail(__FILE__, __LINE__, "%s == %s: %lld and %lld", #a, #b, check_a, \
				    check_b);                                                       \
	} while (0)

#endif

/*
 * Benchmarks of this image: tables of them, one file for each subject, and what they share. main.c chooses, calibrates and runs.
 *
 * Every sample is one line, the same for all programs that are compared with this one:
 *
 *	B NAME P=HARTS rep=I n=OPERATIONS ns_op=X [key=value ...]
 *
 * A name means what it means in the Go program of that name (docs/benchmarks.md says what each does). With instructions counted (EXACT=1)
 * one nanosecond is one instruction, so ns_op is instructions per operation when the image runs on one hart.
 */
#ifndef TESTS_BENCH_BENCH_H
#define TESTS_BENCH_BENCH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <hartbeat/go.h>
#include <hartbeat/sync.h>
#include <hartbeat/time.h>

struct bench {
	const char *name;
	/* Either: runs n operations and returns the nanoseconds they took; n is calibrated first. */
	uint64_t (*sample)(uint64_t n);
	/* Or: measures and prints by itself. */
	void (*run)(void);
	/* For sample: */
	bool alone; /* only the calling goroutine works: printed as P=1 */
	/* For both: how many harts it makes sense on; 0: any number. */
	uint32_t harts_min, harts_max;
};

/* The tables, in the order they run; each ends with a NULL name. */
extern const struct bench bench_cpu[], bench_sched[], bench_chan[], bench_select[], bench_mutex[],
	bench_latency[], bench_profiles[], bench_parallel[], bench_parked[], bench_profile[], bench_go_chan[],
	bench_go_select[], bench_go_sched[], bench_trace[], bench_go_sync[], bench_go_rwmutex[],
	bench_go_pool[], bench_go_time[], bench_go_labels[];

/* Settings, from the arguments (main.c). */
extern uint64_t bench_target_ns; /* t=MS: length of one sample */
extern uint64_t bench_reps;      /* reps=N: samples of each benchmark */
extern uint64_t bench_parked_n;  /* parked=N: goroutines of the parked benchmarks */
extern uint64_t bench_spawn_n;   /* spawn=N: goroutines alive at once in spawn_join */
extern uint64_t bench_sleeps_n;  /* sleeps=N: sleeps of one latency sample */

/* Where results go, so that the compiler keeps what computes them. */
extern volatile uint64_t bench_sink;

/* One line. extra: further key=value, or NULL. */
void bench_line(const char *name, uint32_t p, uint64_t rep, uint64_t n, double ns_op, const char *extra);
/* One line for the n values of v, which it sorts: ns_op is the mean, and min, p50, p90, p99 and max follow, then extra. */
void bench_dist(const char *name, uint32_t p, uint64_t rep, int64_t *v, uint64_t n, const char *extra);
/* A line that says why a benchmark has no figure here. */
void bench_note(const char *name, const char *why);

/* Starts fn(arg); the benchmark ends with a message when memory is out. */
void bench_go(void (*fn)(void *), void *arg);
/* malloc, and chan_make(), and the same. */
void *bench_alloc(size_t size);
struct chan;
struct chan *bench_chan_make(size_t elem_size, size_t capacity);
/* A goroutine that only reports to the wait group it is given. */
void bench_done(void *waitgroup);

/* chan_pingpong, for what is measured around it. */
uint64_t bench_pingpong(uint64_t n);
/* mutex_contended_8N, the same. */
uint64_t bench_contended(uint64_t n);

/* One multiply-add per iteration, each waiting for the last. */
uint64_t bench_spin(uint64_t n);
/* How many iterations of it take about ns. */
uint64_t bench_spin_count(uint64_t ns);

#endif

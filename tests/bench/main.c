/*
 * The benchmark image: runs what the arguments name (all without any), in the order of the tables.
 *
 *	NAME      a benchmark; NAME* those that start so; a subject (cpu, sched, chan, ...) all of its table
 *	t=MS      length of one sample (200)           reps=N    samples of each benchmark (5)
 *	n=N       operations, instead of calibrating   maxn=N    most operations that calibration may choose
 *	parked=N  parked goroutines (100000)           spawn=N   goroutines alive at once in spawn_join (100000)
 *	sleeps=N  sleeps of one latency sample (200)   -l        lists, runs nothing
 *	loop=N    instead: N million rounds of a compute loop on every hart at once (tools/bench: cost of profiling)
 *	idle=N    sleeps N seconds at the end; without a name nothing else (tools/bench: cost of idle harts, live ports)
 */
#include "tests/bench/bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/hart.h"
#include "tests/bench/loop.h"

uint64_t bench_target_ns = 200 * TIME_MILLISECOND, bench_reps = 5, bench_parked_n = 100000,
	 bench_spawn_n = 100000, bench_sleeps_n = 200;
volatile uint64_t bench_sink;

static uint64_t target_ms = 200, fixed_n, max_n, loop_millions, idle_s;

static const struct subject {
	const char *name;
	const struct bench *table;
} subjects[] = {
	{"cpu", bench_cpu},           {"sched", bench_sched},       {"chan", bench_chan},
	{"select", bench_select},     {"mutex", bench_mutex},       {"latency", bench_latency},
	{"profiles", bench_profiles}, {"parallel", bench_parallel}, {"parked", bench_parked},
	{"profile", bench_profile},   {"go_chan", bench_go_chan},   {"go_select", bench_go_select},
	{"go_sched", bench_go_sched}, {"go_sync", bench_go_sync},   {"go_rwmutex", bench_go_rwmutex},
	{"go_pool", bench_go_pool},   {"go_time", bench_go_time},   {"go_labels", bench_go_labels},
	{"trace", bench_trace},
};

static const struct setting {
	const char *key;
	uint64_t *value;
	uint64_t min, max;
} settings[] = {
	{"t", &target_ms, 1, 100000},
	{"reps", &bench_reps, 1, 1000},
	{"n", &fixed_n, 1, 1000000000000},
	{"maxn", &max_n, 1, 1000000000000},
	{"parked", &bench_parked_n, 1, 10000000},
	{"spawn", &bench_spawn_n, 1, 10000000},
	{"sleeps", &bench_sleeps_n, 1, 100000},
	{"loop", &loop_millions, 1, 1000000000},
	{"idle", &idle_s, 1, 1000000},
};

enum { N_SUBJECTS = sizeof subjects / sizeof subjects[0], N_SETTINGS = sizeof settings / sizeof settings[0] };

/* Whether word chooses b of subject s. */
static bool chooses(const char *word, const struct subject *s, const struct bench *b)
{
	size_t n = strlen(word);
	if (n > 0 && word[n - 1] == '*')
		return strncmp(word, b->name, n - 1) == 0;
	return strcmp(word, b->name) == 0 || strcmp(word, s->name) == 0;
}

/* Reads "key=number" into its setting. */
static bool set(const char *word)
{
	for (unsigned i = 0; i < N_SETTINGS; i++) {
		const struct setting *s = &settings[i];
		size_t n = strlen(s->key);
		if (strncmp(word, s->key, n) != 0 || word[n] != '=')
			continue;
		char *end;
		uint64_t v = strtoull(word + n + 1, &end, 10);
		if (end == word + n + 1 || *end != '\0' || v < s->min || v > s->max) {
			fprintf(stderr, "bench: %s: expected a number from %llu to %llu\n", word,
				(unsigned long long)s->min, (unsigned long long)s->max);
			exit(1);
		}
		*s->value = v;
		return true;
	}
	return false;
}

static bool known(const char *word)
{
	for (unsigned i = 0; i < N_SUBJECTS; i++)
		for (const struct bench *b = subjects[i].table; b->name != NULL; b++)
			if (chooses(word, &subjects[i], b))
				return true;
	return false;
}

struct sample {
	const struct bench *b;
	uint64_t n, ns;
	struct waitgroup done;
};

static void sample_run(void *arg)
{
	struct sample *s = arg;
	s->ns = s->b->sample(s->n);
	waitgroup_done(&s->done);
}

/* On a goroutine of its own, as Go's benchmarks: with a fresh stack, and without the floating-point state of the one that calibrates. */
static uint64_t sample(const struct bench *b, uint64_t n)
{
	struct sample s = {.b = b, .n = n};
	waitgroup_add(&s.done, 1);
	bench_go(sample_run, &s);
	waitgroup_wait(&s.done);
	return s.ns;
}

/* Operations of one sample, as main.go of the peers finds them. */
static uint64_t calibrate(const struct bench *b)
{
	if (fixed_n > 0)
		return fixed_n;
	uint64_t n = 16;
	for (;;) {
		uint64_t d = sample(b, n);
		if (d >= bench_target_ns / 2 || (max_n > 0 && n >= max_n)) {
			n = (uint64_t)((double)n * (double)bench_target_ns / (double)(d + 1));
			break;
		}
		n = d < bench_target_ns / 100
			    ? n * 10
			    : (uint64_t)((double)n * (double)bench_target_ns / (double)d) + 1;
	}
	if (max_n > 0 && n > max_n)
		n = max_n;
	return n > 0 ? n : 1;
}

static void run(const struct bench *b)
{
	uint32_t harts = go_harts();
	if (harts < b->harts_min || (b->harts_max > 0 && harts > b->harts_max)) {
		bench_note(b->name, harts < b->harts_min ? "needs more harts" : "needs fewer harts");
		return;
	}
	if (b->run != NULL) {
		b->run();
		return;
	}
	uint64_t n = calibrate(b);
	for (uint64_t r = 0; r < bench_reps; r++)
		bench_line(b->name, b->alone ? 1 : harts, r, n, (double)sample(b, n) / (double)n, NULL);
}

int main(int argc, char **argv)
{
	bool list = false, any = false;
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "-l") == 0) {
			list = true;
		} else if (!set(argv[i])) {
			if (!known(argv[i])) {
				fprintf(stderr, "bench: %s: no such benchmark, subject or setting\n",
					argv[i]);
				return 1;
			}
			any = true;
		}
	}
	bench_target_ns = target_ms * TIME_MILLISECOND;
	while (go_harts() < hart_count) /* they start one after the other */
		time_sleep(TIME_MILLISECOND);
	if (loop_millions > 0) {
		loop(loop_millions * 1000000);
		return 0;
	}
	for (unsigned i = 0; i < N_SUBJECTS; i++) {
		for (const struct bench *b = subjects[i].table; b->name != NULL; b++) {
			bool wanted = !any && idle_s == 0;
			for (int k = 1; k < argc && !wanted; k++)
				wanted = chooses(argv[k], &subjects[i], b);
			if (wanted && list)
				printf("%s\t%s\n", b->name, subjects[i].name);
			else if (wanted)
				run(b);
		}
	}
	time_sleep(idle_s * TIME_SECOND);
	return 0;
}

/*
 * Runs the actors, in rounds of half a second, and prints TAP: a line for each actor and two for what must be true between rounds.
 *
 *	ms=N        how long in all (2000)          seed=N      where random numbers start (from the clock)
 *	workers=N   episodes at once, at most (12)  NAME        only these actors
 *
 * The seed fixes what every episode does, not when: with DETERMINISTIC=1 a run is the same again to the instruction.
 *
 * A run that hangs ends by itself: when all goroutines wait, the scheduler says so; when one spins, the watchdog, a goroutine of the
 * kernel, ends the machine with a panic.
 */
#include "tests/stress/stress.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hartbeat/chan.h>

#include "arch/arch.h"
#include "kernel/g.h"
#include "kernel/hart.h"
#include "kernel/heap.h"
#include "kernel/panic.h"
#include "kernel/tls.h"
#include "sched/sched.h"

enum {
	ACTORS_MAX = 64,
	WORKERS_MAX = 64,
	FAILURES_SHOWN = 20,
	ROUND_MS = 500,
	WARM_MS = 50,
	WATCH_S = 120,
	CLASSES_MAX = 100
};

static const struct actor *const tables[] = {stress_chan,   stress_select, stress_sync,
					     stress_shared, stress_group,  stress_context,
					     stress_time,   stress_stack,  stress_goroutine};

static const struct actor *actors[ACTORS_MAX];
static uint32_t n_actors;
static _Atomic uint64_t episodes[ACTORS_MAX], all_episodes;
static _Atomic uint32_t failures[ACTORS_MAX], shown;
static uint64_t total_ms = 2000, seed, max_workers = 12;

struct place {
	struct waitgroup *left;
	uint64_t end; /* of the round, time_now() */
	struct rng r;
};

static _Thread_local uint32_t
	playing; /* index of the actor; goroutines of an episode inherit it through stress_go() */

/* ---- what actors use ---- */

uint32_t stress_random(struct rng *r)
{
	r->state = r->state * 6364136223846793005u + 1442695040888963407u;
	uint32_t x = (uint32_t)(r->state >> 33);
	return x ^ x >> 15;
}

uint32_t stress_below(struct rng *r, uint32_t n)
{
	return stress_random(r) % n;
}

uint32_t stress_between(struct rng *r, uint32_t low, uint32_t high)
{
	return low + stress_below(r, high - low + 1);
}

struct rng stress_split(struct rng *r)
{
	uint64_t high = stress_random(r);
	return (struct rng){high << 32 | stress_random(r)};
}

void stress_pause(struct rng *r)
{
	uint32_t what = stress_below(r, 256);
	if (what < 24) {
		go_yield();
	} else if (what < 40) {
		uint64_t end = time_now() + stress_below(r, 20000);
		while (time_now() < end)
			;
	} else if (what < 44) {
		time_sleep(stress_below(r, 200000));
	}
}

struct start {
	void (*fn)(void *);
	void *arg;
	uint32_t playing;
};

static void start(void *arg)
{
	struct start s = *(struct start *)arg;
	free(arg);
	playing = s.playing;
	s.fn(s.arg);
}

void stress_go(struct waitgroup *left, void (*fn)(void *), void *arg)
{
	struct start *s = stress_alloc(sizeof *s);
	*s = (struct start){fn, arg, playing};
	waitgroup_add(left, 1);
	if (go(start, s) == 0)
		panic("out of memory: no goroutine");
}

void *stress_alloc(size_t size)
{
	void *p = malloc(size);
	if (p == NULL)
		panic("out of memory: no %lu bytes", (unsigned long)size);
	return p;
}

struct chan *stress_chan_make(size_t elem_size, size_t capacity)
{
	struct chan *c = chan_make(elem_size, capacity);
	if (c == NULL)
		panic("out of memory: no channel");
	return c;
}

void stress_fail(const char *file, int line, const char *fmt, ...)
{
	char text[300];
	va_list ap;
	atomic_fetch_add(&failures[playing], 1);
	if (atomic_fetch_add(&shown, 1) >= FAILURES_SHOWN)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	printf("# %s: %s:%d: %s\n", actors[playing]->name, file, line, text);
}

/* ---- rounds ---- */

static void play(void *arg)
{
	struct place *p = arg;
	while (time_now() < p->end) {
		playing = stress_below(&p->r, n_actors);
		actors[playing]->episode(&p->r);
		atomic_fetch_add(&episodes[playing], 1);
		atomic_fetch_add(&all_episodes, 1);
	}
	waitgroup_done(p->left);
}

static void one_round(struct rng *r, uint64_t ms)
{
	static struct place places[WORKERS_MAX];
	struct waitgroup left = {0};
	uint64_t end = time_now() + ms * TIME_MILLISECOND;
	for (uint32_t n = stress_between(r, 1, (uint32_t)max_workers); n > 0; n--) {
		places[n - 1] = (struct place){&left, end, stress_split(r)};
		waitgroup_add(&left, 1);
		if (go(play, &places[n - 1]) == 0)
			panic("out of memory: no goroutine");
	}
	waitgroup_wait(&left);
}

/*
 * Objects in use, by size, of the sizes that only what ends may have: the kernel keeps descriptors of ended goroutines, save areas of
 * preempted ones and the arrays of the timer queues (powers of two from 1 KiB), however many were needed at once.
 */
struct in_use {
	size_t objects[CLASSES_MAX], size[CLASSES_MAX];
	unsigned n;
};

static bool kept(size_t size, size_t below)
{
	const size_t descriptor = (tls_size() + sizeof(struct g) + 63) & ~(size_t)63;
	const size_t area = ((arch_frame_size() + 63) & ~(size_t)63) + arch_fpu_size();
	return (descriptor > below && descriptor <= size) || (area > below && area <= size) ||
	       (size >= 1024 && (size & (size - 1)) == 0);
}

static void heap_in_use(struct in_use *u)
{
	struct heap_class_stats c;
	size_t below = 0;
	u->n = 0;
	for (unsigned i = 0; i < CLASSES_MAX && heap_class_stats(i, &c); i++) {
		u->size[i] = c.size;
		u->objects[i] = kept(c.size, below) ? 0 : c.objects;
		u->n = i + 1;
		below = c.size;
	}
}

static bool in_use_as(const struct in_use *before, struct in_use *now)
{
	heap_in_use(now);
	for (unsigned i = 0; i < now->n; i++)
		if (now->objects[i] != before->objects[i])
			return false;
	return true;
}

/* Says what is not as before. What a timer of the kernel has in its hands, as a context whose deadline passes, it gives back soon. */
static bool heap_as_before(const struct in_use *before, uint32_t number)
{
	struct in_use now;
	bool same;
	uint64_t end = time_now() + 10 * TIME_SECOND;
	while (!(same = in_use_as(before, &now)) && time_now() < end)
		time_sleep(TIME_MILLISECOND);
	for (unsigned i = 0; !same && i < now.n; i++) {
		if (now.objects[i] == before->objects[i])
			continue;
		printf("# round %u: objects of %zu bytes: %zu before, %zu after\n", (unsigned)number,
		       now.size[i], before->objects[i], now.objects[i]);
	}
	return same;
}

static bool all_ended(void)
{
	uint64_t end = time_now() + 10 * TIME_SECOND;
	while (go_count() != 1 && time_now() < end)
		time_sleep(TIME_MILLISECOND);
	return go_count() == 1;
}

static void watch(void *arg)
{
	(void)arg;
	for (;;) {
		uint64_t before = atomic_load(&all_episodes);
		time_sleep(WATCH_S * TIME_SECOND);
		if (atomic_load(&all_episodes) == before)
			panic("no episode ended within %u s; seed=%lu", (unsigned)WATCH_S,
			      (unsigned long)seed);
	}
}

static bool number(const char *word, const char *key, uint64_t *value)
{
	size_t n = strlen(key);
	char *end;
	if (strncmp(word, key, n) != 0)
		return false;
	*value = strtoull(word + n, &end, 10);
	if (end == word + n || *end != '\0') {
		printf("Bail out! %s: expected a number\n", word);
		exit(1);
	}
	return true;
}

static void choose(const char *word)
{
	uint32_t before = n_actors;
	for (size_t t = 0; t < sizeof tables / sizeof tables[0]; t++)
		for (const struct actor *a = tables[t]; a->name != NULL; a++)
			if ((word == NULL || strcmp(word, a->name) == 0) && n_actors < ACTORS_MAX)
				actors[n_actors++] = a;
	if (n_actors == before) {
		printf("Bail out! %s: expected ms=, seed=, workers= or an actor\n", word);
		exit(1);
	}
}

int main(int argc, char **argv)
{
	seed = time_wall() ^ time_now() << 20;
	for (int i = 1; i < argc; i++)
		if (!number(argv[i], "ms=", &total_ms) && !number(argv[i], "seed=", &seed) &&
		    !number(argv[i], "workers=", &max_workers))
			choose(argv[i]);
	if (n_actors == 0)
		choose(NULL);
	if (max_workers < 1 || max_workers > WORKERS_MAX) {
		printf("Bail out! workers=%llu: expected 1 to %d\n", (unsigned long long)max_workers,
		       WORKERS_MAX);
		return 1;
	}
	printf("# stress: seed=%llu, %llu ms on %u harts\n", (unsigned long long)seed,
	       (unsigned long long)total_ms, (unsigned)hart_count);
	if (go_system(watch, NULL, "stress watchdog") == 0)
		panic("out of memory: no goroutine for the watchdog");

	while (go_harts() < hart_count) /* they start one after the other */
		time_sleep(TIME_MILLISECOND);
	struct rng r = {seed};
	uint32_t rounds = 0, lost = 0, leaks = 0;
	uint64_t end = time_now() + total_ms * TIME_MILLISECOND;
	struct in_use before;
	one_round(&r, WARM_MS); /* what is made once and kept */
	while (time_now() < end) {
		heap_in_use(&before);
		one_round(&r, total_ms < ROUND_MS ? total_ms : ROUND_MS);
		rounds++;
		lost += !all_ended();
		leaks += !heap_as_before(&before, rounds);
	}

	unsigned failed = 0, done = 0;
	for (uint32_t i = 0; i < n_actors; i++) {
		bool ok = failures[i] == 0;
		failed += !ok;
		printf("%sok %u - %s: %s # %llu episodes\n", ok ? "" : "not ", ++done, actors[i]->name,
		       actors[i]->guards, (unsigned long long)episodes[i]);
	}
	failed += lost > 0;
	printf("%sok %u - goroutines: all have ended after each of %u rounds\n", lost == 0 ? "" : "not ",
	       ++done, rounds);
	failed += leaks > 0;
	printf("%sok %u - heap: in use as before after each of %u rounds\n", leaks == 0 ? "" : "not ", ++done,
	       rounds);
	printf("1..%u\n", done);
	if (failed > 0)
		printf("# seed=%llu: %u of %u failed\n", (unsigned long long)seed, failed, done);
	return failed > 0;
}

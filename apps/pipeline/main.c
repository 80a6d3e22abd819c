/*
 * A pipeline with select, timeouts and contexts:
 *
 *	source --numbers--> workers --results--> sink
 *	   ^                   |
 *	   '----- cancelled by the sink when it has what it wants ('enough')
 *
 * The source counts for ever and stops only because its context is cancelled. A worker says how many steps of Collatz's rule lead from a number
 * to 1; the numbers that STUCK divides are given to a goroutine that never answers, which each worker gives up on after a deadline of its
 * own. The sink waits with a timeout, so that a pipeline that stands still is an error and no silence.
 *
 *	make run APP=pipeline [ARGS="numbers=2000 workers=8 profile=1"]
 *
 * profile=1: half-way, who is where, as text and for go tool pprof (goroutines.txt, goroutines.pb.gz); where goroutines have waited, and where they
 * could have run and did not (parked.pb.gz, runnable.pb.gz); what was ever allocated (allocs.pb.gz); and a profile of this program's own, of the
 * numbers that a worker has given up (given_up.pb.gz).
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hartbeat/chan.h>
#include <hartbeat/context.h>
#include <hartbeat/go.h>
#include <hartbeat/profile.h>
#include <hartbeat/select.h>
#include <hartbeat/sync.h>
#include <hartbeat/time.h>

enum { NUMBERS = 2000, WORKERS = 8, WORKERS_MAX = 1000, STUCK = 250 };

static const uint64_t patience = 2 * TIME_MILLISECOND; /* of a worker with a number that is stuck */
static const uint64_t standstill = 20 * TIME_SECOND;   /* of the sink: no result for so long is an error */

struct result {
	uint32_t number, steps;
	bool gave_up;
};

static struct context *running; /* cancelled when the sink has enough */
static struct chan *numbers, *results;
static struct waitgroup workers;
static uint32_t wanted = NUMBERS, n_workers = WORKERS, profile;
static struct profile *given_up; /* of numbers, by who did */

static _Noreturn void fail(const char *what)
{
	fprintf(stderr, "pipeline: %s\n", what);
	exit(1);
}

static void source(void *arg)
{
	(void)arg;
	for (uint32_t n = 1;; n++) {
		struct chan_case cases[] = {CHAN_CASE_SEND(numbers, &n),
					    CHAN_CASE_RECV(context_done(running), NULL)};
		if (chan_select(cases, 2, false) == 1)
			break;
	}
	printf("source: %s, because %s\n", context_err(running), context_cause(running));
	chan_close(numbers);
}

static uint32_t collatz(uint32_t number)
{
	uint32_t steps = 0;
	for (uint64_t n = number; n != 1; steps++)
		n = n % 2 == 0 ? n / 2 : 3 * n + 1;
	return steps;
}

/* Waits for an answer that does not come, until the deadline does. */
static bool answered(struct chan *never)
{
	struct context *limit = context_with_timeout(running, patience);
	if (limit == NULL)
		fail("out of memory");
	struct chan_case cases[] = {CHAN_CASE_RECV(never, NULL), CHAN_CASE_RECV(context_done(limit), NULL)};
	bool answer = chan_select(cases, 2, false) == 0;
	context_release(limit);
	return answer;
}

static void work(void *arg)
{
	struct chan *never = chan_make(0, 0);
	uint32_t n;
	(void)arg;
	if (never == NULL)
		fail("out of memory");
	while (chan_recv(numbers, &n)) {
		struct result r = {.number = n};
		if (n % STUCK == 0)
			r.gave_up = !answered(never);
		else
			r.steps = collatz(n);
		if (r.gave_up && profile_add(given_up, (void *)(uintptr_t)n, 0) != 0)
			fail("out of memory");
		/* Nobody receives any more once there is enough. */
		struct chan_case cases[] = {CHAN_CASE_SEND(results, &r),
					    CHAN_CASE_RECV(context_done(running), NULL)};
		if (chan_select(cases, 2, false) == 1)
			break;
	}
	chan_free(never);
	waitgroup_done(&workers);
}

static void profiles_write(void)
{
	if (profile_dump("goroutine", 1, "goroutines.txt") != 0 ||
	    profile_dump("goroutine", 0, "goroutines.pb.gz") != 0 ||
	    profile_dump("parked", 0, "parked.pb.gz") != 0 ||
	    profile_dump("runnable", 0, "runnable.pb.gz") != 0 ||
	    profile_dump("allocs", 0, "allocs.pb.gz") != 0 ||
	    profile_dump("pipeline.given_up", 0, "given_up.pb.gz") != 0)
		fail("no profile");
}

/* Takes results until it has one for each number up to `wanted`. */
static void sink(void)
{
	uint64_t steps = 0;
	uint32_t had = 0, gave_up = 0, longest = 0, at = 0;
	while (had < wanted) {
		struct result r;
		struct chan_case next = CHAN_CASE_RECV(results, &r);
		if (chan_select_timeout(&next, 1, standstill) != 0)
			fail("no result for 20 s");
		if (r.number > wanted)
			continue; /* a later number overtook */
		had++;
		if (profile && had == (wanted + 1) / 2)
			profiles_write();
		gave_up += r.gave_up;
		steps += r.steps;
		if (r.steps > longest || (r.steps == longest && r.number < at)) {
			longest = r.steps;
			at = r.number;
		}
	}
	context_cancel_cause(running, "there is enough");
	printf("%u numbers: %llu steps, the longest way %u from %u; %u given up\n", had,
	       (unsigned long long)steps, longest, at, gave_up);
}

static bool number(const char *word, const char *key, uint32_t most, uint32_t *value)
{
	size_t n = strlen(key);
	char *end;
	if (strncmp(word, key, n) != 0)
		return false;
	unsigned long v = strtoul(word + n, &end, 10);
	if (end == word + n || *end != '\0' || v < 1 || v > most)
		return false;
	*value = (uint32_t)v;
	return true;
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		if (!number(argv[i], "numbers=", 1000000, &wanted) &&
		    !number(argv[i], "workers=", WORKERS_MAX, &n_workers) &&
		    !number(argv[i], "profile=", 1, &profile)) {
			fprintf(stderr,
				"pipeline: %s: expected numbers=N, 1 to 1000000, workers=N, 1 to %d, or "
				"profile=1\n",
				argv[i], WORKERS_MAX);
			return 1;
		}
	}
	running = context_with_cancel(context_background());
	numbers = chan_make(sizeof(uint32_t), 16);
	results = chan_make(sizeof(struct result), 0);
	given_up = profile_new("pipeline.given_up");
	if (running == NULL || numbers == NULL || results == NULL || given_up == NULL)
		fail("out of memory");
	for (uint32_t i = 0; i < n_workers; i++) {
		waitgroup_add(&workers, 1);
		if (go(work, NULL) == 0)
			fail("out of memory");
	}
	if (go(source, NULL) == 0)
		fail("out of memory");
	sink();
	waitgroup_wait(&workers);
	printf("workers: all %u have ended\n", n_workers);
	return 0;
}

/* Time without memory: what was made before keeps its promise, what is made says that it cannot. */
#include "tests/faults/cases.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include <hartbeat/context.h>
#include <hartbeat/go.h>
#include <hartbeat/sync.h>
#include <hartbeat/time.h>

enum { SLEEPERS = 100, FUNCTIONS = 100, EXTRA = 2000 };

static struct chan *asleep, *hold;
static struct waitgroup woken, done;
static _Atomic uint32_t started;

static void must(bool ok, const char *what)
{
	if (ok)
		return;
	printf("not so: %s\n", what);
	exit(4);
}

static void sleeper(void *arg)
{
	(void)arg;
	chan_recv(asleep, NULL);
	uint64_t start = time_now();
	time_sleep(3 * TIME_MILLISECOND);
	must(time_now() - start >= 3 * TIME_MILLISECOND, "a sleep without memory is as long as asked");
	waitgroup_done(&woken);
}

/* Keeps its goroutine, so that the next needs another. */
static void function(void *arg)
{
	(void)arg;
	atomic_fetch_add(&started, 1);
	chan_recv(hold, NULL);
	waitgroup_done(&done);
}

SHOWN void time_without_memory(void)
{
	static struct timer *later[FUNCTIONS];
	static struct context_after *after[FUNCTIONS];
	asleep = chan_make(0, 0);
	hold = chan_make(0, 0);
	struct context *c = context_with_cancel(context_background());
	struct timer *t = timer_new(3600 * TIME_SECOND);
	must(asleep != NULL && hold != NULL && c != NULL && t != NULL, "memory for the start");
	waitgroup_add(&woken, SLEEPERS);
	for (int i = 0; i < SLEEPERS; i++)
		must(go(sleeper, NULL) != 0, "memory for a goroutine");
	waitgroup_add(&done, 2 * FUNCTIONS);
	for (int i = 0; i < FUNCTIONS; i++) {
		later[i] = time_after_func(3600 * TIME_SECOND, function, NULL);
		after[i] = context_after_func(c, function, NULL);
		must(later[i] != NULL && after[i] != NULL, "memory for a timer");
	}

	size_t taken;
	struct block *all = take_all(&taken);
	/* what other harts keep for themselves is left */
	static struct timer *extra[EXTRA];
	static struct context *contexts[EXTRA];
	int n = 0, m = 0;
	while (n < EXTRA && (extra[n] = timer_new(1)) != NULL)
		n++;
	while (m < EXTRA && (contexts[m] = context_with_timeout(c, 3600 * TIME_SECOND)) != NULL)
		m++;
	bool none = n < EXTRA && m < EXTRA && time_after_func(1, function, NULL) == NULL;
	timer_reset(t, TIME_MILLISECOND);
	for (int i = 0; i < FUNCTIONS; i++)
		timer_reset(later[i], 0);
	context_cancel(c);
	chan_close(asleep);
	waitgroup_wait(&woken);
	bool fired = chan_recv(t->c, NULL);
	uint32_t without = atomic_load(&started);
	give_back(all);

	must(none, "what is made without memory is NULL");
	must(fired, "a timer that was made before fires");
	must(without < 2 * FUNCTIONS, "memory for goroutines was out");
	while (atomic_load(&started) < 2 * FUNCTIONS)
		time_sleep(TIME_MILLISECOND);
	printf("%u of %u functions without memory, %u with\n", (unsigned)without, 2 * FUNCTIONS,
	       (unsigned)atomic_load(&started));
	chan_close(hold);
	waitgroup_wait(&done);
	while (n > 0)
		timer_free(extra[--n]);
	while (m > 0)
		context_release(contexts[--m]);
	for (int i = 0; i < FUNCTIONS; i++) {
		timer_free(later[i]);
		context_after_free(after[i]);
	}
	timer_free(t);
	context_release(c);
	chan_free(hold);
	chan_free(asleep);
}

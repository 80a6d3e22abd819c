/* Sleeping: a timer on the sleeper's own stack that makes it ready. */
#include <hartbeat/time.h>

#include "kernel/assert.h"
#include "kernel/clock.h"
#include "kernel/timer.h"
#include "sched/sched.h"

uint64_t time_now(void)
{
	return clock_ns();
}

uint64_t time_wall(void)
{
	return clock_wall_ns();
}

static void wake(struct timer *t)
{
	ready(t->arg);
}

void time_sleep(uint64_t ns)
{
	struct g *g = g_self();
	struct timer t = {.fn = wake, .arg = g, .system = g->system};
	uint64_t deadline = clock_deadline(ns);
	park_prepare(WAIT_SLEEP);
	/* The timer may fire before park_commit(): then the goroutine is readied while parking. */
	if (!timer_add(&t, deadline))
		panic("out of memory: no room for a timer");
	park_commit();
}

/* Sleeping: a timer on the sleeper's own stack that makes it ready. Without memory to arm it the goroutine yields until it is time. */
#include <hartbeat/time.h>

#include "kernel/clock.h"
#include "kernel/ktimer.h"
#include "sched/sched.h"

uint64_t time_now(void)
{
	return clock_ns();
}

uint64_t time_wall(void)
{
	return clock_wall_ns();
}

static void wake(struct ktimer *t)
{
	ready(t->arg);
}

void time_sleep(uint64_t ns)
{
	if (ns - 1 >= INT64_MAX)
		return; /* 0 or negative */
	struct g *g = g_self();
	struct ktimer t = {.fn = wake, .arg = g, .system = g->system};
	uint64_t deadline = clock_deadline(ns);
	bool armed;
	do {
		park_prepare(WAIT_SLEEP);
		/* The timer may fire before park_commit(): then the goroutine is readied while parking. */
		armed = ktimer_add(&t, deadline);
		if (!armed)
			ready(g); /* out of memory: look again after the others */
		park_commit();
	} while (!armed && arch_ticks() < deadline);
}

/*
 * How long goroutines wait for a hart, from the wake-up on: one wake-up in eight is followed, chosen by the clock at which the goroutine began
 * to wait, so that nothing is counted for the others. ready_at is 0 but for one that is followed and has not run.
 */
#ifndef SCHED_LATENCY_H
#define SCHED_LATENCY_H

#include "kernel/g.h"

__attribute__((noinline)) void latency_follow(struct g *g);

/* Whether the wake-up of g, which was waiting and is about to be made runnable, is one that is followed. */
static inline bool latency_due(const struct g *g)
{
	uint64_t t = g->wait_since;
	return ((t ^ t >> 5) & 7) == 0;
}

/* Counts it. The hart that runs g; preemption or interrupts off. */
void latency_record(struct g *g, uint64_t now);

/* g begins to run at `now`. */
static inline void latency_run(struct g *g, uint64_t now)
{
	if (__builtin_expect(g->ready_at != 0, 0))
		latency_record(g, now);
}

#endif

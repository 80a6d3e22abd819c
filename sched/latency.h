/*
 * How long goroutines wait for a hart, from the wake-up on: one wake-up in eight is followed, chosen by the clock at which the goroutine began
 * to wait, so that nothing is counted for the others. ready_at is 0 but for one that is followed and has not run.
 */
#ifndef SCHED_LATENCY_H
#define SCHED_LATENCY_H

#include "kernel/g.h"

/* The wake-up of g is followed from here on. */
static inline void latency_follow(struct g *g)
{
	g->ready_at = arch_ticks();
	g->careful |= G_FOLLOWED;
}

/* Whether the wake-up of g, which was waiting and is about to be made runnable, is one that is followed. */
static inline bool latency_due(const struct g *g)
{
	/* The upper bits of the square. What is followed takes longer, so a linear hash would lock in with a goroutine that waits often. */
	uint32_t t = (uint32_t)g->wait_since;
	return t * t < UINT32_C(1) << 29;
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

/*
 * How long goroutines wait for a hart, from runnable to running. Some are followed, so that nothing is counted for the others:
 *
 *	woken, preempted     one in 8, chosen by a clock                                    counts once
 *	started              one in 64, by its id                                           counts 8 times
 *	yielding             one in 64: the one after which the global queue has its turn,  counts 8 times
 *	                     which leaves through the scheduler anyway
 *
 * ready_at is 0 but for one that is followed and has not run.
 */
#ifndef SCHED_LATENCY_H
#define SCHED_LATENCY_H

#include "kernel/g.h"

enum { LATENCY_EIGHTH = 8, LATENCY_STARTS = 64 };

/* g, which nobody else can run yet, becomes runnable now; as one of 8 like it, or of LATENCY_EIGHTH times as many. */
static inline void latency_follow(struct g *g)
{
	g->ready_at = arch_ticks();
	g->careful |= G_FOLLOWED;
}

__attribute__((noinline)) void latency_follow_eight(struct g *g);

static inline bool latency_chosen(uint64_t ticks)
{
	/* The upper bits of the square. What is followed takes longer, so a linear hash would lock in with a goroutine that waits often. */
	uint32_t t = (uint32_t)ticks;
	return t * t < UINT32_C(1) << 29;
}

/* Whether the wake-up of g, which was waiting and is about to be made runnable, is one that is followed. */
static inline bool latency_due(const struct g *g)
{
	return latency_chosen(g->wait_since);
}

/* Counts it, and tells a profile of waits (late_follow(), sched/switch.h). The hart that runs g; preemption or interrupts off. */
void latency_record(struct g *g, uint64_t now);

/* g begins to run at `now`. */
static inline void latency_run(struct g *g, uint64_t now)
{
	if (__builtin_expect((g->careful & (G_FOLLOWED | G_FOLLOWED_EIGHT | G_LATE)) != 0, 0))
		latency_record(g, now);
}

#endif

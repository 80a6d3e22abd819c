/* Host stand-in for sched/park.h, for test_chan.c: there is no short way. */
#ifndef SCHED_PARK_H
#define SCHED_PARK_H

#include "sched/sched.h"

enum switch_traced { UNTRACED, MAYBE_TRACED, TRACED };
enum { READY_DONE = 0x10000, READY_ALL, READY_QUEUED };

static inline uint32_t ready_short(struct g **g)
{
	(void)g;
	return READY_ALL;
}

static inline void ready_rest(struct g *g, uint32_t left)
{
	(void)left;
	ready(g);
}

static inline void ready_watched_inline(struct g *g)
{
	ready(g);
}

static inline bool trace_active(void)
{
	return false;
}

static inline void park_prepare_raised(struct g *self, enum wait_reason reason)
{
	self->preempt_off--;
	park_prepare(reason);
}

static inline void park_prepare_traced(struct g *self, enum wait_reason reason)
{
	park_prepare_raised(self, reason);
}

static inline void park_out(struct g *self, enum switch_traced traced)
{
	(void)traced;
	park_commit();
	self->preempt_off++;
}

static inline void park_commit_short(struct g *self, enum switch_traced traced)
{
	park_out(self, traced);
	self->preempt_off--;
}

#endif

/* Host stand-in for sched/switch.h, for test_g.c: nobody is switched to; goroutines are put down and picked up by the test. */
#ifndef SCHED_SWITCH_H
#define SCHED_SWITCH_H

#include "kernel/assert.h"
#include "kernel/store.h"
#include "sched/impl.h"

#define TRACE(event) ((void)0)

static inline void trace_regions_drop(struct g *g)
{
	(void)g;
}

static inline void arrive(struct hart *h, struct arch_context *from, uintptr_t why, enum switch_reason usual)
{
	(void)h;
	(void)from;
	(void)why;
	(void)usual;
}

enum switch_traced { UNTRACED, MAYBE_TRACED, TRACED };

static inline void switch_out(struct g *g, enum switch_reason why, enum switch_traced traced)
{
	(void)g;
	(void)why;
	(void)traced;
}

static inline void late_follow(struct g *g, uint32_t why, bool left)
{
	(void)left;
	(void)g;
	(void)why;
}

static inline bool watched_any(void)
{
	return false;
}

#endif

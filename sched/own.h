/* Ownership of the stack of a goroutine that does not run (see own.c). */
#ifndef SCHED_OWN_H
#define SCHED_OWN_H

#include <stdbool.h>

#include "kernel/g.h"

/*
 * Takes the ownership of g's stack: until g_disown() it does not run, and the caller may walk or shrink its stack. Succeeds at once or
 * not at all: false when g runs, is about to park, has ended, or has another owner. Goroutine or system context with preemption off, no
 * spinlock held; several may be owned at once, each for a short time. Both calls are on one hart.
 */
__attribute__((warn_unused_result)) bool g_own(struct g *g);
void g_disown(struct g *g);

/* Around many of them, one after the other: the checker of locks is told once. Preemption off from the first to the second. */
void g_owns_begin(void);
void g_owns_end(void);

/* The same for a goroutine that has ended and that the caller has taken out of every list. */
void g_own_dead(struct g *g);
void g_disown_dead(struct g *g);

/* RUNNABLE -> RUNNING, for the scheduler that is about to run g. False: g is owned; its owner will queue it, and it is to be forgotten
 * here. System context. */
static inline bool g_run_begin(struct g *g);

bool g_run_owned(struct g *g);

/* The first step alone; false: to be finished by g_run_owned(). */
static inline bool g_run_begin_short(struct g *g)
{
	/* pairs with the release of who suspended g and of g_disown() */
	return atomic_fetch_add_explicit(&g->status, G_RUNNING - G_RUNNABLE, memory_order_acquire) ==
	       G_RUNNABLE;
}

static inline bool g_run_begin(struct g *g)
{
	return __builtin_expect(g_run_begin_short(g), 1) || g_run_owned(g);
}

#endif

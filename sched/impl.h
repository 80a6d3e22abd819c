/* What the files of sched/ share. */
#ifndef SCHED_IMPL_H
#define SCHED_IMPL_H

#include <stdatomic.h>

#include "kernel/lock.h"
#include "kernel/preempt.h"
#include "sched/sched.h"

enum {
	RUNQ_SIZE = 256,
	SLICE_NS = 10000000, /* a goroutine's time slice: 10 ms, as Go */
	GLOBAL_EVERY = 61,   /* every 61st pick looks at the global queue first, as Go */
};

/* Queue of runnable goroutines of one hart: its owner puts and takes at the ends, anybody steals from the head. */
struct runq {
	_Atomic uint32_t head; /* owner and stealers, by compare-and-swap */
	_Atomic uint32_t tail; /* owner */
	_Atomic(struct g *)
		next; /* runs before the ring, in the running goroutine's slice; owner and stealers */
	_Atomic(struct g *) ring[RUNQ_SIZE];
};

/* What a hart keeps to start goroutines from (sched/g.c). Owned by this hart. */
struct g_cache {
	struct g *warm; /* dead, stack in place; n of them, by next */
	uint32_t n;
	struct g *full; /* NULL, or as many as fit */
	struct g *bare; /* without a first page, maybe; by next */
	uint64_t id, id_end;
};

struct sched_hart {
	struct runq q;
	/* owned by this hart */
	uint32_t tick;
	bool spinning;
	uint64_t rng;
	void *areas; /* free preemption save areas, linked through their FP part */
	struct g_cache gs;
	uint64_t slice_ticks;
};

/* runq.c */
/* Puts g at the tail, or in the next slot (whose goroutine then goes to the tail). Overflow goes to the global queue. The owner, preemption
 * off. */
void runq_put(struct runq *q, struct g *g, bool next);
/* Takes from the next slot (*inherit = true: g goes on in the running slice) or the head; NULL when empty. The owner. */
struct g *runq_get(struct runq *q, bool *inherit);
/* Sends the next goroutine to the tail: the slice it would go on in is over. The owner. */
void runq_next_last(struct runq *q);
/* Moves half of the victim's ring, or its next goroutine when `last`, to the thief's own queue and returns one of them; NULL when there is
 * nothing. The owner of q, whose ring must be empty. */
struct g *runq_steal(struct runq *q, struct runq *victim, bool last);
bool runq_empty(const struct runq *q);
void globq_put(struct g *g);
/* One goroutine from the global queue, a batch of more goes to q. */
struct g *globq_get(struct runq *q, uint32_t harts);
bool globq_empty(void);
uint32_t globq_count(void); /* a figure for people */
void globq_put_batch(struct g *first, struct g *last, uint32_t n);

/* g.c */
void g_init_boot(struct hart *h);
/* The goroutine has ended and is on no stack: takes its descriptor back. System context. */
void g_free_sys(struct hart *h, struct g *g);
/* Every descriptor, in use or not, from the newest on by all_next; some join at the head meanwhile. Any context. */
struct g *g_all(void);
uint64_t go_created(void); /* goroutines started so far; may be a little behind. Any context. */
void goroutine_entry(void *g);
_Noreturn void goroutine_end(void); /* the running one, from any depth of its stack */
/* report.c */
void goroutines_print(void); /* panic context */

/* sched.c */
/* Gives the running goroutine's hart to the scheduler; preemption is off, no lock held. */
void switch_out(enum switch_reason reason);
/* Work was submitted: wakes one idle hart unless one is already looking. Preemption off. */
void wake_one(void);

/* libc.c */
/* Locks of the C library (those of stdio streams) that the running goroutine holds: notes them and how often each is held, at most max of
 * them; gives back what was taken since. NULL and 0: all. Goroutine context. */
void libc_locks_mark(void **held, uint32_t *depth, unsigned max);
void libc_locks_release(void *held, const uint32_t *depth, unsigned max);

/* area.c */
void area_refill_sys(struct hart *h);
void area_put(struct hart *h, void *area);
void *area_fpu(void *area);

#endif

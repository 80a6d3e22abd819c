/* What the files of sched/ share. */
#ifndef SCHED_IMPL_H
#define SCHED_IMPL_H

#include <stdatomic.h>

#include "kernel/lock.h"
#include "kernel/preempt.h"
#include "sched/runq.h"
#include "sched/sched.h"

enum {
	SLICE_NS =
		9900000, /* a goroutine's time slice: with the interrupt and the switch after it, the next one waits at most 10 ms, as in Go */
	TURN_NS = 5000,  /* what a goroutine has of its hart between two passes over the timers */
	AREAS_KEPT = 8,  /* free preemption save areas that a hart keeps */
	GLOBAL_EVERY =
		64, /* of so many goroutines from the ring one comes after a look at the global queue (Go: 61) */
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
	/* owned by this hart */
	uint32_t tick; /* goroutines picked that did not come from the ring */
	bool shaken;   /* by a seed (sched/shake.c) */
	uint32_t shake_every, releases_left;
	bool pinned_went; /* a pinned goroutine had its turn, the others did not yet */
	bool global_went; /* the global queue had its turn, the ring did not yet */
	bool next_passed; /* somebody was picked before who stands in q.next */
	uint64_t
		global_waited; /* 1 + the ring's head at the last turn of the global queue before which somebody else went */
	bool timers_went; /* timers had their turn, a goroutine did not yet */
	uint64_t turn_ticks;
	struct g *handed; /* left over from switch_next(): picked, and not to be resumed directly */
	bool handed_inherits;
	struct g *held; /* of who stopped the world, while `stopped`: whom this hart goes on with, or NULL */
	bool spinning;
	bool takes_next; /* it runs timers with nothing else to do, and nobody was made ready yet */
	uint64_t rng;
	uint64_t began;       /* arch_ticks() when a goroutine last got the hart from the scheduler */
	const struct g *left; /* who had left it before; NULL: there was nothing to run meanwhile */
	void *areas;          /* free preemption save areas, linked through their FP part */
	uint32_t n_areas;
	struct g_cache gs;
	/* guarded by pin_lock */
	struct spinlock pin_lock;
	struct g *pin_first, *pin_last; /* pinned goroutines that are runnable, by next */

	/* atomic */
	_Atomic uint32_t n_pinned; /* how many those are: written under pin_lock; rule E of sched/sched.c */
	_Atomic bool stopped;      /* stands for stw.c: this hart writes; rule 1 of sched/stw.c */
	_Atomic bool
		looks; /* it is idle, and sees its bit of idle_mask go without an interrupt: this hart writes; rule F of sched/sched.c */

	struct runq q; /* last: what stands before it is near */
};

struct arch_context;

/* g.c */
void g_init_boot(struct hart *h);
/* The goroutine has ended and stands on no stack: takes its descriptor back. On the hart it left, preemption off. */
void g_free(struct g *g, struct hart *h);
/* From here on the calling goroutine is of the kernel, or of the program: it is counted or not, seen in profiles or not. Preemption off. */
void go_class_set(bool system);
/* For the shrinker, goroutine context. How many magazines of ended goroutines with the default stack are in the depot, or how many were there
 * all the time since the last call; *later: there are more. One of them at a time leaves the depot, its descriptors linked by next, and comes
 * back without pages: those that are out cannot be started. The same for one with a bigger stack of a class, if it has pages. */
uint32_t g_dead_idle(bool all, bool *later);
struct g *g_dead_take(void);
void g_dead_put_bare(struct g *m);
struct g *g_big_take(unsigned class);
void g_big_put(struct g *g);
uint64_t go_created(void); /* goroutines started so far; may be a little behind. Any context. */
void goroutine_entry(struct g *g, struct arch_context *from, uintptr_t why);
_Noreturn void goroutine_end(void); /* the running one, from any depth of its stack */
/* crash.c */
void goroutines_print(void); /* panic context */

/* sched.c */
extern _Atomic uint64_t
	idle_mask; /* bit per hart that sleeps or is about to; rules A, B and D of sched/sched.c */
void wake_idle(void);
/* Work was submitted: wakes one idle hart unless one is already looking. Preemption off. */
static inline void wake_one(void)
{
	atomic_thread_fence(
		memory_order_seq_cst); /* pairs with the fence in idle(): work first, then who is idle */
	if (__builtin_expect(atomic_load_explicit(&idle_mask, memory_order_relaxed) != 0, 0))
		wake_idle();
}

/* How often a hart began a slice, as far as it is counted (Go's schedtick). Any context. */
static inline uint32_t sched_ticks(const struct sched_hart *s)
{
	return s->tick + (uint32_t)atomic_load_explicit(&s->q.head, memory_order_relaxed);
}

/* switch.c */
/* Runs g, and whoever follows it directly, until the scheduler is wanted. Returns who was left last, and why; NULL: g's stack is owned, so
 * another is to be picked. */
struct g *execute_sys(struct hart *h, struct g *g, bool inherit, enum switch_reason *why);
/* What became of the goroutine that was left. Returns it if it is to go on at once. */
struct g *settle_sys(struct hart *h, struct g *g, enum switch_reason why);
void preempt_now(void);
/* Runs this hart's timers that are due. */
void timers_turn_sys(struct hart *h);

/* barrier.c */
extern _Atomic uint64_t
	barrier_passed; /* the state of a goroutine that has passed, or was started since; written while the world stands */
/* While a barrier is up: whether g has to pass it before it runs. */
bool barrier_stops(const struct g *g);
/* g, taken from a queue, passes. False: its stack is owned, and its owner queues it. */
bool barrier_pass_sys(struct g *g);

/* pin.c */
/* Queues a pinned goroutine, which is runnable and in no queue, where it belongs. Preemption off; a lock ranked before sched may be held. */
void pin_put(struct g *g);
struct g *pin_take_sys(struct hart *h); /* NULL: none is runnable */

/* stw.c */
extern _Atomic bool stw_wanted; /* the world is to stop; rules 1 and 4 of sched/stw.c */
/* Stands until the world goes on; then this hart goes on with g (NULL: with whoever is next). */
void stw_stop_sys(struct hart *h, struct g *g);

/* libc.c */
/* Locks of the C library (those of stdio streams) that the running goroutine holds: notes them and how often each is held, at most max of
 * them; gives back what was taken since. NULL and 0: all. Goroutine context. */
void libc_locks_mark(void **held, uint32_t *depth, unsigned max);
void libc_locks_release(void *held, const uint32_t *depth, unsigned max);

/* area.c */
void area_refill_sys(struct hart *h);
/* Gives back what h has more than it keeps. */
void area_trim_sys(struct hart *h);
void area_put(struct hart *h, void *area);
void *area_fpu(void *area);

#endif

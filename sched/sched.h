/*
 * The scheduler: which goroutine runs, and how one waits and is woken. What the other rooms may use; applications use include/hartbeat.
 */
#ifndef SCHED_SCHED_H
#define SCHED_SCHED_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <hartbeat/labels.h>

#include "kernel/g.h"
#include "kernel/hart.h"
#include "sched/stw.h"

/* sched/sched.c */

/* Prepares hart h's scheduler. Boot context, once per hart. */
void sched_hart_init(struct hart *h);
/* Runs goroutines on this hart for ever; on its system stack, interrupts off at entry. */
_Noreturn void sched_loop(struct hart *h);

/* Set once at boot by prof/: told when a hart stops (idle = true) and starts again to have work. System context, interrupts off. */
extern void (*sched_idle_hook)(struct hart *h, bool idle);
/* For tests: told when a hart has found nothing to run and has not said so yet. System context. */
extern void (*sched_no_work_hook)(struct hart *h);
/* For tests: told when a hart has found that nobody can run again, and whether it says so. System context. */
extern void (*sched_deadlock_hook)(struct hart *h, bool says);

/* Boot option: a hart without work looks for some so long before it sleeps, and wakes so long before its next timer. 0: neither. */
extern uint64_t sched_spin_ns;

/* sched/shake.c */

/* From here on the schedule is shaken: seed 0: picks, steals and slices as ever; every: a preemption at one release of a spinlock in so many,
 * 0: when seeded, in 64 or so. Both 0: nothing changes. Goroutine context, once. */
void sched_shake(uint64_t seed, uint32_t every);

/* sched/park.c */

/*
 * Waiting, in two steps, so that no lock is held at a switch:
 *
 *	spin_lock(&x->lock); enqueue self on x; park_prepare(WAIT_...); spin_unlock(&x->lock); park_commit();
 *
 * From park_prepare() on the goroutine may be made ready by whoever finds it on x; park_commit() returns after that. Goroutine context.
 */
void park_prepare(enum wait_reason reason);
void park_commit_out(void);
static inline __attribute__((always_inline)) void park_commit(void)
{
	park_commit_out();
	__asm__ volatile(""); /* no tail call: who waits is on the stack that profiles show */
}
/* Instead of park_commit(): the goroutine goes on, because nobody will make it ready for this park. */
void park_cancel(void);
/* Makes a goroutine that is parking or waiting runnable. Exactly one ready for each park. Goroutine or system context; a spinlock ranked
 * before sched may be held. */
void ready(struct g *g);

/* sched/g.c */

/* Starts a goroutine of the kernel: not counted for deadlock, its sleep does not keep the program alive. The name is of this fn alone, as a trace
 * has one place for it. 0 when memory is out. */
uint64_t go_system(void (*fn)(void *), void *arg, const char *name) __attribute__((warn_unused_result));
/* Starts main's goroutine at boot. */
uint64_t go_boot(void (*fn)(void *), void *arg, const char *name) __attribute__((warn_unused_result));

/* Every descriptor, in use or not, from the newest on by all_next; some join at the head meanwhile, none is ever freed. Any context. */
struct g *g_all(void);

/* sched/look.c */

/* What a goroutine that does not run is at. */
struct g_look {
	bool waits; /* else it is runnable */
	enum wait_reason reason;
	uint32_t labels; /* id of its set: there as long as no drain ends (labels_drain_end) */
	uint32_t depth;
	bool truncated; /* it has more frames */
};

/* Looks at g, a goroutine of the program, and walks its stack under its ownership bit: at most max pcs, the first in the call that it waits
 * in, the others return addresses. False: it runs, has ended, is of the kernel, or somebody else owns it. Goroutine context. */
bool g_look(struct g *g, struct g_look *look, uintptr_t *pcs, unsigned max);
/* What a hart is at: figures for people, read while it goes on. Times in arch_ticks(). */
struct hart_look {
	bool idle, spinning;
	uint32_t queued;       /* goroutines in its queue */
	uint32_t timers;       /* armed in its heap */
	uint32_t picks;        /* goroutines it has taken up so far */
	uint64_t since, slept; /* began to run goroutines; of that asleep */
	const struct g *cur;   /* NULL: none, its scheduler runs or it sleeps */
};
void hart_look(unsigned hart, struct hart_look *look); /* any context */
/* The mutex that g waits for, and the id of the goroutine that holds it, 0: nobody does right now. NULL: it waits for none, or cannot be
 * looked at. Goroutine context. */
const void *g_wants(struct g *g, uint64_t *owner);
/* On-CPU time of g so far, in arch_ticks(), as far as can be seen from outside. Any context. */
uint64_t g_cpu_ticks(const struct g *g);
/* Who was running where the calling goroutine runs, until that was made ready; NULL: nobody, as far as is known. Goroutine context. */
const struct g *g_displaced(void);

/* sched/labels.c; applications use include/hartbeat/labels.h */

enum { LABELS_ID_BITS = 24 };
#define LABELS_ID_MASK ((1u << LABELS_ID_BITS) - 1)

struct labels {
	/* immutable */
	uint32_t id; /* 1 to LABELS_ID_MASK; what a sample carries. 0: the empty set */
	uint32_t n;
	uint64_t hash;

	/* guarded by labels_lock */
	uint8_t list_index; /* while nobody refers to it: the list it is on */
	bool sampled;       /* a record of the running profile names it, and holds a reference */
	struct labels *chain, *next, *prev, *sampled_next;

	/* atomic; from and to 0 under labels_lock */
	_Atomic uint32_t refs;

	/* immutable, sorted by key; the texts lie behind it */
	struct label list[];
};

/* The id of a goroutine's set, whose labels word is s. The one thing that interrupts read: the goroutine refers to the set as long as its
 * word names it. Any context. */
static inline uint32_t labels_id_irq(const struct labels *s)
{
	return s != NULL ? s->id : 0;
}

/* A second reference to a set that somebody refers to. Any context but interrupts. */
static inline struct labels *labels_share(struct labels *s)
{
	if (s != NULL && s->id != 0)
		atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
	return s;
}

/*
 * A profile of goroutines' samples: between begin and end, what a sample may name stays. There may be several, whose beginnings and ends
 * exclude each other and drains. Goroutine context.
 *
 *	labels_drain_begin(); every ring is read until it is empty, labels_sampled() for each sample; labels_drain_end();
 */
void labels_profile_begin(void);
void labels_profile_end(void); /* no record names a set any more */
void labels_drain_begin(void);
void labels_drain_end(void);
void labels_sampled(uint32_t id);
/* Label number i of a set that a record of the running profile names, or that is held; false beyond the last. */
bool labels_of(uint32_t id, unsigned i, struct label *l);

/* One more reference to the set with that id, which somebody refers to (0: none); and one less. Goroutine context; for hold, any but
 * interrupts. */
void labels_hold(uint32_t id);
void labels_drop(uint32_t id);

/* How many sets there are in memory. */
uint32_t labels_count(void);

/* sched/barrier.c */

/*
 * A consistent look at all goroutines: each that was alive at one moment, those of the kernel too, is visited exactly once, before it runs
 * again. The world stands for that moment only. Embed it; what a visit records is its own affair.
 */
struct barrier {
	/* g does not run and is owned by the caller, or is the caller; its stack may be walked. Goroutine or system context, preemption
	 * off, on any hart and on several at once; it may allocate, and takes no lock that is not ranked after OWN. */
	void (*visit)(struct barrier *b, struct g *g);
	/* While the world stands, or NULL. */
	void (*stopped)(struct barrier *b);
	/* By the caller of barrier_run(), before each stretch of its walk, preemption on; or NULL. For tests. */
	void (*step)(struct barrier *b);
};
/* Returns when everybody has passed; visits on other harts have happened before that. One at a time, others wait. Goroutine context,
 * preemption on, no spinlock held. */
void barrier_run(struct barrier *b, enum stw_kind kind);

/* sched/report.c */

struct report;
/* The first line and the stack of a goroutine that does not run and that the caller owns. */
void goroutine_report(struct report *r, const struct g *g);
/* goroutines_report() (include/hartbeat/report.h) to somebody else. */
void goroutines_report_to(struct report *to, unsigned max);

/* sched/park.c: waits for a profile */

/*
 * What each goroutine that was woken while waits are wanted calls when it runs again, with preemption off. g is the caller; wait_since, woken_at
 * and run_since are in arch_ticks(), in this order but for a goroutine that was made ready while it was parking. pc and fp: of the
 * function that called; the pc is always the same for a wait there.
 */
typedef void sched_wait_fn(struct g *g, uintptr_t pc, uintptr_t fp);
/*
 * What the hart calls that is about to run g, which has waited for one for so many arch_ticks(), but not since it was woken: why is one of G_LATE.
 * Its stack may be walked. Preemption or interrupts off, no lock held, on the system stack or on that of the goroutine that was left.
 */
typedef void sched_late_fn(struct g *g, uint32_t why, uint64_t ticks);
/* From now on waits are told to these two, NULL: to nobody. One that is not over yet may still be told to the ones before. */
void sched_waits(sched_wait_fn *fn, sched_late_fn *late);
extern sched_wait_fn *sched_wait_hook;
void sched_late(struct g *g, uint32_t why, uint64_t ticks); /* tells it */
/* What g->wait_pcs is at first. */
extern const uintptr_t wait_no_pcs[1];

/* sched/mutex.c: what unlocks are to blame for (sched/contend.h) */

/* A mutex profile is on (prof/contention.c). */
extern bool contend_on;

/* Set by the mutex profile: the caller has just let somebody go, for whom, and for those behind, goroutines had waited so long. fp: the frame
 * pointer of a function that the unlocking code called. Preemption may be on. Set once, before contend_on. */
typedef void contend_fn(uint64_t ticks, uintptr_t fp);
extern contend_fn *contend_hook;

/* sched/stw.c */

/* Runs fn(arg) while every other hart stands in its scheduler. Goroutine context with preemption on; fn may not park. */
void sched_stopped(void (*fn)(void *), void *arg);

/* sched/deadlock.c */

extern bool
	sched_deadlock_fatal; /* boot option: a cycle of goroutines that wait for each other's mutexes ends the program */

/* sched/schedtrace.c */

extern uint64_t sched_trace_ms; /* boot options; 0: no trace */
extern bool sched_trace_detail;
/* Starts what the options ask for. Goroutine context, once. */
void sched_trace_start(void);
/* One such line now, with detail one for each hart and goroutine, too. Goroutine context. */
void sched_trace_report(struct report *to, bool detail);

/* sched/tracing.c */

struct trace_gen;
/* Ends the generation of the trace that runs, if one does, and begins another if there is to be more. *ended: the one that ended, to be
 * finished (a reference), or NULL when none ran; false: no memory for another, and nothing changed. One caller at a time; goroutine context. */
__attribute__((warn_unused_result)) bool trace_advance(bool more, struct trace_gen **ended);

/* sched/shrink.c */

/* Starts the shrinker. Before main(); false when memory is out. */
__attribute__((warn_unused_result)) bool shrink_start(void);
/* Test mode (debug.shrink=1), set before shrink_start(): passes follow each other without a break, regard every waiting goroutine, and
 * fill what they release with a pattern before it is used again. */
extern bool shrink_always;

/* sched/libc.c */

/* Where fopen(INPUT) and stdin read from; name may be NULL. Boot context. */
void libc_input(const void *data, size_t size, const char *name);
/* Set once at boot: ends the machine with this status after everything has been written. Goroutine context. */
extern void (*libc_exit_hook)(int status);

/* sched/crash.c */

enum { CRASH_DEPTH_MAX = 128 };
/* One goroutine of a program that crashed. state: what it waits for, "runnable" or "running"; pcs: its stack, return addresses all, where it was
 * interrupted plus 1; depth 0: not known, as its hart did not stop. */
typedef void crash_goroutine_fn(void *ctx, const struct g *g, const char *state, const uintptr_t *pcs,
				unsigned depth, bool truncated);
/* Calls fn for each. Panic context. */
void crash_goroutines(crash_goroutine_fn *fn, void *ctx);

#endif

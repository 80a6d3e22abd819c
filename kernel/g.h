/*
 * struct g: one goroutine. The kernel knows as much of it as panics, page faults, locks and samples need; the
 * scheduler (sched/) decides over it. The running goroutine is found through its own thread-local block, so
 * that the answer is right at every instruction whichever hart runs it; each hart's scheduler has a g of its
 * own (g0).
 */
#ifndef KERNEL_G_H
#define KERNEL_G_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arch/arch.h"
#include "kernel/wait_reason.h"

/*
 * Two things happen to a goroutine that waits, in either order: its hart leaves its stack (G_LEFT), and somebody makes it ready (G_READY).
 * Each is one atomic addition, and who comes second, finding the other bit, queues it.
 */
enum g_status {
	G_IDLE, /* the descriptor is being made */
	G_DEAD, /* not in use */
	G_LEFT = 1,
	G_READY = 2,
	G_PARKING = 4,                             /* about to wait: still on its hart */
	G_WAITING = G_PARKING + G_LEFT,            /* off every hart and queue, until made ready */
	G_READIED = G_PARKING + G_READY,           /* made ready while parking */
	G_RUNNABLE = G_PARKING + G_LEFT + G_READY, /* in a queue */
	G_RUNNING = G_RUNNABLE + 1,                /* on a hart */
	G_STATUS_MASK = 0xff,
	G_OWNED = 0x100,    /* somebody owns the stack of a goroutine that does not run (sched/own.c) */
	G_DEFERRED = 0x200, /* with G_OWNED: it would run now; the owner queues it */
};

struct labels;
struct trace_region;

struct g {
	/* immutable while alive */
	uint64_t id;      /* never reused; 0 for a hart's g0 */
	const char *name; /* static text or NULL */
	bool system; /* part of the kernel: not counted for deadlock; written by itself too (sched/cleanup.c), so read by its owner only */
	uint64_t parent_id;
	uintptr_t created_at;         /* pc of the go statement */
	uintptr_t stack_lo, stack_hi; /* for the life of the descriptor */
	uint8_t stack_class;          /* the same */
	struct g *all_next;           /* the same: every descriptor there is, in use or not */
	uintptr_t tls;                /* thread pointer value */
	void (*fn)(void *);
	void *arg;

	/* owned by the goroutine while it runs */
	uint32_t preempt_off;    /* > 0: stays on this hart and is not preempted */
	struct arch_context ctx; /* where it was suspended by a switch */

	struct hart *
		pinned; /* the one hart it runs on, or NULL; read by whoever queues it, when it does not run (sched/pin.c) */
	uint32_t pin_depth;
	struct trace_region *regions; /* open ones, the innermost first (trace/user.c) */
	struct labels *labels;        /* a reference, or NULL: none; read by samples (sched/labels.c) */

	/* owned by whoever runs or owns it */
	uint16_t
		careful; /* G_IN_AREA and so on: what a direct switch leaves to slower code; 16 bits are compared in memory on x86-64 */
	void *area;      /* non-NULL: suspended by preemption; frame and FP state lie there */
	enum wait_reason wait_reason; /* of the last wait */
	uint64_t wait_since;          /* arch_ticks() */
	uint64_t ready_at; /* arch_ticks() when it became runnable, if followed, or 0 (sched/latency.h) */
	uint64_t
		woken_at; /* arch_ticks() when it became runnable, if a profile of waits wants it: woken (sched/park.h), or G_LATE */
	const uintptr_t *
		wait_pcs; /* the stack of the last wait that was profiled (prof/wait.c); never NULL, the first is 0: none */
	uint64_t run_ticks; /* on-CPU time so far */
	uint64_t run_since;
	uint64_t
		left_at; /* when a trap took it off its hart; while a trace runs also when it said that it leaves (trace/go.c) */
	struct g *next;        /* in a queue or a free list */
	_Atomic uint8_t grown; /* enum g_grown; raised by its page faults, lowered by the shrinker */
	uint64_t shrunk_since; /* G_SHRUNK: wait_since of that wait */
	bool bare;             /* while dead: the first page is missing, maybe */
	struct g *batch;       /* while dead and first of a magazine: the next magazine */
	void *wait_data;       /* of the primitive it waits on */
	/* guarded by the lock of the queue it waits in (sched/contend.h) */
	uint64_t contend_sum;
	uint32_t contend_n;
	bool contend_in;

	/* atomic */
	_Atomic uint32_t status;   /* enum g_status; transitions in sched/g.c */
	_Atomic(struct g *) owner; /* with G_OWNED: who owns the stack; written by the owner */
	_Atomic uint64_t trace;    /* generation and sequence number (trace/go.c) */
	_Atomic uintptr_t wanted;  /* the mutex it waits for, or 0; bit 0: see sched/deadlock.c */
	_Atomic uint64_t barrier;  /* how far the barrier is with it (sched/barrier.c) */
	union {
		_Atomic uint16_t resched_or_woken; /* both, for one look at them */
		struct {
			_Atomic bool
				resched; /* set by this hart's interrupt: give way when preemption is possible again */
			_Atomic bool
				woken; /* set with woken_at, cleared by itself when it runs again (sched/park.h) */
		};
	};
};

enum { G_WOKEN = 1 << 8 }; /* what woken is in resched_or_woken */
_Static_assert(offsetof(struct g, woken) == offsetof(struct g, resched_or_woken) + 1 &&
		       __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
	       "woken is the upper byte");

enum g_grown {
	G_FIRST_PAGE, /* its stack has the first page at most */
	G_SHRUNK,     /* it has more; at its last visit the shrinker took what that wait did not use */
	G_GREW,       /* it has got more since */
};

enum {
	G_IN_AREA = 1,        /* area is not NULL */
	G_FOLLOWED = 2,       /* ready_at is not 0 */
	G_FOLLOWED_EIGHT = 4, /* the same, and it counts 8 times */
	G_FRESH = 8,          /* ctx has not begun */
	G_LATE_START =
		16, /* a profile wants to know how long it waits for a hart since woken_at: for the first time, */
	G_LATE_YIELD = 32,   /* since it gave one away, */
	G_LATE_PREEMPT = 64, /* or since one was taken from it */
	G_LATE = G_LATE_START | G_LATE_YIELD | G_LATE_PREEMPT,
};

extern _Thread_local struct g *g_tls;

/* The running goroutine, or the hart's g0 in the scheduler. Any context but NMI and trap entry: in an
 * interrupt it is the interrupted one. */
static inline struct g *g_self(void)
{
	return g_tls;
}

/* The same after a switch: looked up again where keeping it over the call, or a part of its address, costs more. */
static inline struct g *g_self_again(void)
{
#ifdef arch_tls_again
	return arch_tls_again(g_tls);
#else
	return g_tls;
#endif
}

/* Whether the caller holds g's ownership bit. Any context. */
static inline bool g_owned(const struct g *g)
{
	return (atomic_load_explicit(&g->status, memory_order_relaxed) & G_OWNED) != 0 &&
	       atomic_load_explicit(&g->owner, memory_order_relaxed) == g_self();
}

/* What reports call it. Any context. */
static inline const char *g_name(const struct g *g)
{
	return g->name != NULL ? g->name : "unnamed";
}

/* What g does; may be in the past at once, unless g is owned. Any context. */
static inline uint32_t g_status(const struct g *g)
{
	return atomic_load_explicit(&g->status, memory_order_relaxed) & G_STATUS_MASK;
}
static inline bool g_alive(uint32_t status)
{
	return status != G_IDLE && status != G_DEAD;
}

#endif

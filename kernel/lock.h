/*
 * Spinlocks: the one kind of lock below goroutines. Interrupts are off while any is held (by a depth per hart). Every lock has a
 * rank from kernel/ranks.txt; order, recursion, owner, stack class and interrupt context are checked at each acquire, in every build.
 */
#ifndef KERNEL_LOCK_H
#define KERNEL_LOCK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "gen/lock_ranks.h"
#include "kernel/hart.h"
#include "kernel/store.h"

/* LOCK_CAREFUL: free, of a rank that is taken on system stacks only: never by the short way. */
enum lock_state { LOCK_FREE, LOCK_HELD, LOCK_CAREFUL };

struct spinlock {
	_Atomic uint32_t state; /* enum lock_state */
	uint8_t rank;           /* enum lock_rank; immutable */
};

#define SPINLOCK_INIT(r)                                                                           \
	{                                                                                          \
		.state = (RANKS_BOTTOM_HALF >> (r)&1) != 0 ? LOCK_CAREFUL : LOCK_FREE, .rank = (r) \
	}

extern const char *const rank_name[RANK_COUNT];
extern const uint64_t rank_before[RANK_COUNT];
extern const char rank_graph[]; /* kernel/ranks.txt as a graph in DOT, ended by NUL */

/* Out of line: what spin_lock() and spin_unlock() do when there is more to check than they can see. on: interrupts were on. */
void spin_lock_listed(struct spinlock *l, bool on);
void spin_lock_contended(struct spinlock *l, uint32_t was);
void spin_unlock_listed(struct spinlock *l);
/* A profile runs: interrupts have just gone off, or come on, with the lock of the short way (kernel/irq_off.h). */
void spin_lock_timed(struct hart *h);
void spin_unlock_timed(struct hart *h);

/*
 * Acquire and release; system, goroutine or boot context (page lock: page-fault context too). A goroutine holds one only for a short
 * time and never across a park. Panics on a broken rule, naming both places.
 *
 * The short way is for code that holds no lock and has interrupts on, so it is in no handler: then no order can be wrong.
 */
static inline __attribute__((always_inline)) void spin_lock(struct spinlock *l)
{
	bool on = arch_irq_save();
	struct hart *h = arch_hart();
	if (__builtin_expect(!on || h->lock_one != NULL, 0)) {
		spin_lock_listed(l, on);
		return;
	}
	h->lock_one = l;
	h->lock_one_pc = arch_pc();
	if (__builtin_expect(h->off.timed, 0))
		spin_lock_timed(h);
	/* pairs with the release in spin_unlock() */
	uint32_t was = atomic_exchange_explicit(&l->state, LOCK_HELD, memory_order_acquire);
	if (__builtin_expect(was != LOCK_FREE, 0))
		spin_lock_contended(l, was);
}

static inline __attribute__((always_inline)) void spin_unlock(struct spinlock *l)
{
	struct hart *h = arch_hart();
	if (__builtin_expect(h->lock_one != l, 0)) {
		spin_unlock_listed(l);
		return;
	}
	h->lock_one = NULL;
	/* pairs with the acquire in spin_lock() */
	store_release(&l->state, LOCK_FREE);
	if (__builtin_expect(h->off.timed, 0))
		spin_unlock_timed(h);
	arch_irq_enable();
}

bool spin_held(const struct spinlock *l); /* by this hart */

/* How many locks this hart holds. Interrupts or preemption off. */
static inline uint32_t locks_held(const struct hart *h)
{
	return h->lock_one == NULL ? 0 : h->lock_one == LOCKS_LISTED ? h->n_held : 1;
}

/*
 * For what has a rank and is no lock: while it is held, spinlocks are checked as if `l` were one of them, but interrupts stay on and nobody
 * waits for it. System context, or goroutine context with preemption off.
 */
void rank_hold(struct spinlock *l);
void rank_drop(struct spinlock *l);

/* The same for code that runs with interrupts on, inline; not for a rank of a bottom half. h: this hart. */
static inline __attribute__((always_inline)) void rank_hold_short(struct hart *h, struct spinlock *l)
{
	if (__builtin_expect(h->lock_one != NULL, 0)) {
		rank_hold(l);
		return;
	}
	h->lock_one = l;
	h->lock_one_pc = arch_pc();
}

static inline __attribute__((always_inline)) void rank_drop_short(struct hart *h, struct spinlock *l)
{
	if (__builtin_expect(h->lock_one != l, 0))
		rank_drop(l);
	else
		h->lock_one = NULL;
}

/* Panics unless a lock of this rank could be taken now: for who seldom takes it. Interrupts or preemption off. */
void lock_may(uint8_t rank);

/* Turn n (from 1) of waiting, for tens of instructions, for what another hart does. Interrupts or preemption off. */
void spin_pause(uint32_t n);

/*
 * How often, and how long, harts have waited for spinlocks of a rank that somebody asked for at pc (0: at other places than the record has
 * room for): of one hart, while it is counted.
 */
struct contention {
	uintptr_t pc;
	uint32_t rank;
	_Atomic uint64_t count, ticks; /* this hart writes; relaxed */
};
enum { CONTENTION_PLACES = 32, CONTENTION_MAX = CONTENTION_PLACES + RANK_COUNT };

/* Whether it is counted. Any context. */
void locks_time_contention(bool on);
/* Record i of hart h; false: there is none, of any number from there on up to CONTENTION_MAX. */
bool locks_contention(uint32_t h, uint32_t i, struct contention *c);
/* A hart has begun to wait for a lock of this rank; and got it: returns and takes arch_ticks(). Interrupts or preemption off. */
uint64_t contention_begin(void);
void contention_end(uint32_t rank, uintptr_t pc, uint64_t since);

/* From here on every lock of every hart goes the long way, and locks_release_hook() is called after each last release that turned interrupts
 * on. Boot context. */
void locks_watch(void (*release)(void));
/* This hart reports: its locks are listed, and no lock is taken any more. Panic context. */
void locks_panic(struct hart *h);
/* Prints the locks that a hart holds and where it took them, walking from *u, where it stands; NULL: nobody knows. Panic context. */
void locks_print(const struct hart *h, const struct arch_unwind *u);

#endif

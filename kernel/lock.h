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

struct spinlock {
	_Atomic uint32_t owner; /* hart index + 1, 0 when free */
	uint8_t rank;           /* enum lock_rank; immutable */
};

#define SPINLOCK_INIT(r)                \
	{                               \
		.owner = 0, .rank = (r) \
	}

extern const char *const rank_name[RANK_COUNT];
extern const uint64_t rank_before[RANK_COUNT];
extern const bool rank_bottom_half[RANK_COUNT];

/* Acquire and release; system, goroutine or boot context (page lock: page-fault context too). A goroutine holds one only for a short
 * time and never across a park. Panics on a broken rule, naming both places. */
void spin_lock(struct spinlock *l);
void spin_unlock(struct spinlock *l);
bool spin_held(const struct spinlock *l); /* by this hart */

/*
 * For what has a rank and is no lock: while it is held, spinlocks are checked as if `l` were one of them, but interrupts stay on and nobody
 * waits for it. System context, or goroutine context with preemption off.
 */
void rank_hold(struct spinlock *l);
void rank_drop(struct spinlock *l);

/* Prints the locks this hart holds and where it took them. Panic context. */
void locks_print(void);

#endif

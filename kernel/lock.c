/*
 * Ranked spinlocks. The held list of a hart is pushed before the lock is waited for, so that a report shows the attempt.
 *
 * Rules, each checked at every acquire:
 * 1. The ranks held all come before the new one (closure of kernel/ranks.txt). Otherwise two harts can wait for each other.
 * 2. A lock is not taken twice. Otherwise the hart waits for itself.
 * 3. No lock in an interrupt; in a page fault the page lock only. Otherwise the handler waits for the code it interrupted.
 * 4. A bottom-half rank is not taken on a goroutine stack. Otherwise touching a fresh stack page under it needs the page lock again.
 * 5. Who releases is who acquired. Otherwise the held list lies.
 */
#include "kernel/lock.h"

#include "kernel/assert.h"
#include "kernel/hart.h"
#include "kernel/panic.h"
#include "kernel/stack.h"

enum { SPINS_TO_KICK = 1 << 14 };

static void order_violation(const struct hart *h, const struct spinlock *l, uintptr_t pc, const char *rule)
{
	const struct held *last = &h->held[h->n_held - 1];
	panic("lock rank: %s: taking %s (lock %p) at %p while holding %s taken at %p", rule,
	      rank_name[l->rank], (const void *)l, (void *)pc, rank_name[last->lock->rank], (void *)last->pc);
}

/* pc: who asks for the lock. */
static inline __attribute__((always_inline)) void acquire_check(const struct hart *h,
								const struct spinlock *l, uintptr_t pc)
{
	ASSERT(l->rank > 0 && l->rank < RANK_COUNT, "every spinlock has a rank");
	ASSERT(h->in_irq == 0 || (h->in_fault && l->rank == RANK_PAGE), "no lock in an interrupt");
	ASSERT(!rank_bottom_half[l->rank] || !stack_region_holds(arch_sp()),
	       "bottom-half lock only on a system stack");
	ASSERT(h->n_held < HELD_MAX, "at most 16 spinlocks held");
	if (h->n_held == 0)
		return;
	for (uint32_t i = 0; i < h->n_held; i++) {
		if (h->held[i].lock == l)
			order_violation(h, l, pc, "recursion");
	}
#ifndef MUTANT_rank_order
	if ((h->held_mask & ~rank_before[l->rank]) != 0)
		order_violation(h, l, pc, "wrong order");
#endif
}

/* A panic elsewhere: its report must not wait for this hart, nor this hart for a lock that nobody will release. */
static void stop_for_panic(void)
{
	if (panic_elsewhere())
		upcall_stop(NULL);
}

/*
 * An emulator that runs one hart at a time (-icount) goes on to the next only at a timer's deadline: a hart that has waited for long arms
 * its own, so that the holder gets on. The interrupt comes early for whatever the timer was armed for, which is harmless.
 */
static void wait_for_free(struct hart *h, const struct spinlock *l)
{
	for (uint32_t n = 1; atomic_load_explicit(&l->owner, memory_order_relaxed) != 0; n++) {
		arch_pause();
		stop_for_panic();
		if (n % SPINS_TO_KICK == 0) {
			h->armed_due = arch_ticks() + 1;
			arch_timer_arm(h->armed_due);
		}
	}
}

void spin_lock(struct spinlock *l)
{
	bool on = arch_irq_save();
	struct hart *h = arch_hart();
	if (panic_in_progress()) {
		stop_for_panic();
		return; /* the report itself takes no lock; this is code it stumbled into */
	}
	uintptr_t pc = (uintptr_t)__builtin_return_address(0);
	acquire_check(h, l, pc);
	if (h->irq_depth++ == 0)
		h->irq_was_on = on;
	h->held[h->n_held].lock = l;
	h->held[h->n_held].pc = pc;
	h->n_held++;
	h->held_mask |= 1ull << l->rank;
	uint32_t me = h->index + 1, free;
	/* pairs with the release in spin_unlock() */
	while (free = 0, !atomic_compare_exchange_weak_explicit(&l->owner, &free, me, memory_order_acquire,
								memory_order_relaxed)) {
		wait_for_free(h, l);
	}
}

void spin_unlock(struct spinlock *l)
{
	struct hart *h = arch_hart();
	if (panic_in_progress()) {
		stop_for_panic();
		return;
	}
	ASSERT(atomic_load_explicit(&l->owner, memory_order_relaxed) == h->index + 1, "the owner unlocks");
	uint32_t i = h->n_held;
	while (i > 0 && h->held[i - 1].lock != l)
		i--;
	ASSERT(i > 0, "an unlocked lock is on the held list");
	h->n_held--;
	for (i--; i < h->n_held; i++)
		h->held[i] = h->held[i + 1];
	h->held_mask = 0;
	for (i = 0; i < h->n_held; i++)
		h->held_mask |= 1ull << h->held[i].lock->rank;
	/* pairs with the acquire in spin_lock() */
	atomic_store_explicit(&l->owner, 0, memory_order_release);
	if (--h->irq_depth == 0)
		arch_irq_restore(h->irq_was_on);
}

void rank_hold(struct spinlock *l)
{
	bool on = arch_irq_save();
	struct hart *h = arch_hart();
	if (!panic_in_progress()) {
		uintptr_t pc = (uintptr_t)__builtin_return_address(0);
		acquire_check(h, l, pc);
		h->held[h->n_held].lock = l;
		h->held[h->n_held].pc = pc;
		h->n_held++;
		h->held_mask |= 1ull << l->rank;
	}
	arch_irq_restore(on);
}

void rank_drop(struct spinlock *l)
{
	bool on = arch_irq_save();
	struct hart *h = arch_hart();
	if (!panic_in_progress()) {
		ASSERT(h->n_held > 0 && h->held[h->n_held - 1].lock == l,
		       "a rank is dropped when no lock taken after it is held");
		h->n_held--;
		h->held_mask &= ~(1ull << l->rank);
	}
	arch_irq_restore(on);
}

bool spin_held(const struct spinlock *l)
{
	return !arch_irq_enabled() &&
	       atomic_load_explicit(&l->owner, memory_order_relaxed) == arch_hart()->index + 1;
}

void locks_print(void)
{
	const struct hart *h = arch_hart();
	for (uint32_t i = 0; i < h->n_held && i < HELD_MAX; i++)
		panic_line("held: %s (lock %p) taken at %p", rank_name[h->held[i].lock->rank],
			   (void *)h->held[i].lock, (void *)h->held[i].pc);
}

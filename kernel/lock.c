/*
 * Ranked spinlocks: the long way. A hart knows what it holds:
 *
 *	lock_one = NULL            nothing
 *	lock_one = a lock          this one, taken with interrupts on (the short way of lock.h)
 *	lock_one = LOCKS_LISTED    held[0 .. n_held)
 *
 * A lock is on record before it is waited for, so that a report shows the attempt.
 *
 * Rules, each checked at every acquire:
 * 1. The ranks held all come before the new one (closure of kernel/ranks.txt). Otherwise two harts can wait for each other.
 * 2. A lock is not taken twice. Otherwise the hart waits for itself.
 * 3. No lock in an interrupt; in a page fault the page lock only. Otherwise the handler waits for the code it interrupted.
 * 4. A bottom-half rank is not taken on a goroutine stack. Otherwise touching a fresh stack page under it needs the page lock again.
 * 5. Who releases is who acquired. Otherwise the record lies.
 * The short way needs no more than its two conditions: holding nothing settles 1 and 2; interrupts on means no handler, which settles 3; a
 * lock of a bottom half is never LOCK_FREE, which settles 4; it releases only what it has on record, which settles 5.
 */
#include "kernel/lock.h"

#include "kernel/assert.h"
#include "kernel/hart.h"
#include "kernel/irq_off.h"
#include "kernel/panic.h"
#include "kernel/stack.h"
#include "kernel/store.h"
#include "kernel/traceback.h"

enum { SPINS_TO_KICK = 1 << 14 };

static void (*release_hook)(
	void); /* immutable after boot; not NULL: every hart's lock_one is LOCKS_LISTED for ever */

static void order_violation(const struct hart *h, const struct spinlock *l, uintptr_t pc, const char *rule)
{
	const struct held *last = &h->held[h->n_held - 1];
	panic("lock rank: %s: taking %s (lock %p) at %p while holding %s taken at %p", rule,
	      rank_name[l->rank], (const void *)l, (void *)pc, rank_name[last->lock->rank], (void *)last->pc);
}

/* pc: who asks for the lock. */
static inline __attribute__((always_inline)) void acquire_order(const struct hart *h,
								const struct spinlock *l, uintptr_t pc)
{
	for (uint32_t i = 0; i < h->n_held; i++) {
		if (h->held[i].lock == l)
			order_violation(h, l, pc, "recursion");
	}
#ifndef MUTANT_rank_order
	for (uint32_t i = 0; i < h->n_held; i++) {
		if ((rank_before[l->rank] >> h->held[i].lock->rank & 1) == 0)
			order_violation(h, l, pc, "wrong order");
	}
#endif
}

static inline __attribute__((always_inline)) void acquire_check(const struct hart *h,
								const struct spinlock *l, uintptr_t pc)
{
	ASSERT(l->rank > 0 && l->rank < RANK_COUNT, "every spinlock has a rank");
#ifndef MUTANT_irq_class
	ASSERT(h->in_irq == 0 || (h->in_fault && l->rank == RANK_PAGE), "no lock in an interrupt");
#endif
#ifndef MUTANT_stack_class
	ASSERT((RANKS_BOTTOM_HALF >> l->rank & 1) == 0 || !stack_region_holds(arch_sp()),
	       "bottom-half lock only on a system stack");
#endif
	ASSERT(h->n_held < HELD_MAX, "at most 16 spinlocks held");
	acquire_order(h, l, pc);
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
void spin_pause(uint32_t n)
{
	arch_pause();
	stop_for_panic();
	if (n % SPINS_TO_KICK == 0) {
		struct hart *h = arch_hart();
		h->armed_due = arch_ticks() + 1;
		arch_timer_arm(h->armed_due);
	}
}

static void wait_for_free(const struct spinlock *l)
{
	for (uint32_t n = 1; atomic_load_explicit(&l->state, memory_order_relaxed) == LOCK_HELD; n++)
		spin_pause(n);
}

static bool contention_timed; /* relaxed */
static struct contention contentions[HART_MAX][CONTENTION_MAX];

void locks_time_contention(bool on)
{
	__atomic_store_n(&contention_timed, on, __ATOMIC_RELAXED);
}

uint64_t contention_begin(void)
{
	return __atomic_load_n(&contention_timed, __ATOMIC_RELAXED) ? arch_ticks() : 0;
}

void contention_end(uint32_t rank, uintptr_t pc, uint64_t since)
{
	if (since == 0)
		return;
	struct contention *all = contentions[hart_index()], *c = NULL;
	uint32_t at = (uint32_t)(pc >> 1 ^ pc >> 7 ^ rank) % CONTENTION_PLACES;
	for (uint32_t i = 0; i < CONTENTION_PLACES && c == NULL; i++, at = (at + 1) % CONTENTION_PLACES)
		if (all[at].pc == 0 || (all[at].pc == pc && all[at].rank == rank))
			c = &all[at];
	if (c == NULL) {
		c = &all[CONTENTION_PLACES + rank];
		pc = 0;
	}
	if (c->pc != pc || c->rank != rank) {
		__atomic_store_n(&c->pc, pc, __ATOMIC_RELAXED);
		c->rank = rank;
	}
	uint64_t ticks = atomic_load_explicit(&c->ticks, memory_order_relaxed) + (arch_ticks() - since);
	store_relaxed(&c->ticks, ticks);
	/* pairs with the acquire in locks_contention(): who sees it counted sees where */
	store_release(&c->count, atomic_load_explicit(&c->count, memory_order_relaxed) + 1);
}

bool locks_contention(uint32_t h, uint32_t i, struct contention *c)
{
	const struct contention *from = &contentions[h][i];
	/* pairs with the release in contention_end() */
	uint64_t count = atomic_load_explicit(&from->count, memory_order_acquire);
	c->pc = __atomic_load_n(&from->pc, __ATOMIC_RELAXED);
	c->rank = i < CONTENTION_PLACES ? from->rank : i - CONTENTION_PLACES;
	store_relaxed(&c->count, count);
	store_relaxed(&c->ticks, atomic_load_explicit(&from->ticks, memory_order_relaxed));
	return count > 0;
}

/* What the short way holds goes on the list, as if it had been taken the long way. */
static void list_begin(struct hart *h)
{
	struct spinlock *one = h->lock_one;
	h->lock_one = LOCKS_LISTED;
	if (one == NULL || one == LOCKS_LISTED)
		return;
	ASSERT(h->n_held == 0, "the short way is for the only lock");
	h->held[0] = (struct held){one, h->lock_one_pc};
	h->n_held = 1;
	h->irq_depth = 1;
	h->irq_was_on = true;
}

static void list_push(struct hart *h, struct spinlock *l, uintptr_t pc)
{
	list_begin(h);
	acquire_check(h, l, pc);
	h->held[h->n_held++] = (struct held){l, pc};
}

static void list_remove(struct hart *h, const struct spinlock *l)
{
	uint32_t i = h->n_held;
	while (i > 0 && h->held[i - 1].lock != l)
		i--;
	ASSERT(i > 0, "the owner unlocks");
	h->n_held--;
	for (i--; i < h->n_held; i++)
		h->held[i] = h->held[i + 1];
	if (h->n_held == 0 && release_hook == NULL)
		h->lock_one = NULL;
}

void lock_may(uint8_t rank)
{
	const struct spinlock would = {.rank = rank};
	struct hart *h = arch_hart();
	if (panic_in_progress() || h->lock_one == NULL)
		return;
	const struct spinlock *one = h->lock_one;
	if (one == LOCKS_LISTED)
		acquire_order(h, &would, (uintptr_t)__builtin_return_address(0));
	else if ((rank_before[rank] >> one->rank & 1) == 0)
		panic("lock rank: wrong order: %s may be taken at %p while holding %s taken at %p",
		      rank_name[rank], __builtin_return_address(0), rank_name[one->rank],
		      (void *)h->lock_one_pc);
}

void spin_lock_timed(struct hart *h)
{
	irq_off_begin(h, h->lock_one_pc);
}

void spin_unlock_timed(struct hart *h)
{
#ifdef MUTANT_unlock_unsaid
	return;
#endif
	irq_off_end(h);
}

/* The short way found the lock not free; it is on record as lock_one. Interrupts are off. */
void spin_lock_contended(struct spinlock *l, uint32_t was)
{
	struct hart *h = arch_hart();
	if (was == LOCK_CAREFUL) {
		h->lock_one = NULL;
		list_push(h, l, h->lock_one_pc);
		h->irq_depth = 1;
		h->irq_was_on = true;
		return;
	}
	uint64_t since = contention_begin();
	do
		wait_for_free(l);
	/* pairs with the release in spin_unlock() */
	while (atomic_exchange_explicit(&l->state, LOCK_HELD, memory_order_acquire) == LOCK_HELD);
	contention_end(l->rank, h->lock_one_pc, since);
}

static void wait_listed(struct spinlock *l, uintptr_t pc)
{
	uint64_t since = contention_begin();
	do
		wait_for_free(l);
	/* pairs with the release in spin_unlock() */
	while (atomic_exchange_explicit(&l->state, LOCK_HELD, memory_order_acquire) == LOCK_HELD);
	contention_end(l->rank, pc, since);
}

void spin_lock_listed(struct spinlock *l, bool on)
{
	struct hart *h = arch_hart();
	if (panic_in_progress()) {
		stop_for_panic();
		return; /* the report itself takes no lock; this is code it stumbled into */
	}
	list_push(h, l, (uintptr_t)__builtin_return_address(0));
	if (on)
		h->irq_depth = 0; /* what is held has a rank only */
	if (h->irq_depth++ == 0) {
		h->irq_was_on = on;
		if (on)
			irq_off_begin(h, h->held[0].pc);
	}
	/* pairs with the release in spin_unlock() */
	if (__builtin_expect(
		    atomic_exchange_explicit(&l->state, LOCK_HELD, memory_order_acquire) == LOCK_HELD, 0))
		wait_listed(l, (uintptr_t)__builtin_return_address(0));
}

void spin_unlock_listed(struct spinlock *l)
{
	struct hart *h = arch_hart();
	if (panic_in_progress()) {
		stop_for_panic();
		return;
	}
	list_begin(h);
	list_remove(h, l);
	/* pairs with the acquire in spin_lock() */
	atomic_store_explicit(&l->state, (RANKS_BOTTOM_HALF >> l->rank & 1) != 0 ? LOCK_CAREFUL : LOCK_FREE,
			      memory_order_release);
	if (--h->irq_depth > 0 || !h->irq_was_on)
		return;
	irq_off_end(h);
	arch_irq_enable();
	if (release_hook != NULL)
		release_hook();
}

void rank_hold(struct spinlock *l)
{
	bool on = arch_irq_save();
	if (!panic_in_progress())
		list_push(arch_hart(), l, (uintptr_t)__builtin_return_address(0));
	arch_irq_restore(on);
}

/* Nothing else is held: the depth that list_begin() gave it, when a page fault took a lock meanwhile, ends too. */
void rank_drop(struct spinlock *l)
{
	bool on = arch_irq_save();
	struct hart *h = arch_hart();
	if (!panic_in_progress()) {
		list_remove(h, l);
		if (h->n_held == 0)
			h->irq_depth = 0;
	}
	arch_irq_restore(on);
}

void locks_watch(void (*release)(void))
{
	release_hook = release;
	for (uint32_t i = 0; i < hart_count; i++)
		if (harts[i] != NULL && harts[i]->lock_one == NULL)
			harts[i]->lock_one = LOCKS_LISTED;
}

void locks_panic(struct hart *h)
{
	list_begin(h);
}

bool spin_held(const struct spinlock *l)
{
	if (arch_irq_enabled())
		return false;
	const struct hart *h = arch_hart();
	bool held = h->lock_one == l;
	for (uint32_t i = 0; i < h->n_held; i++)
		held |= h->held[i].lock == l;
	return held;
}

/* A lock, and the stack that there was when it was taken, or wanted. */
static void held_print(const struct hart *h, const struct held *held, const struct arch_unwind *u)
{
	uint32_t rank = held->lock->rank;
	panic_line("held: %s (lock %p) taken at %p", rank < RANK_COUNT ? rank_name[rank] : "?",
		   (void *)held->lock, (void *)held->pc);
	if (u != NULL)
		traceback_past(&report_panic, held->pc, u, h, h->cur);
}

void locks_print(const struct hart *h, const struct arch_unwind *u)
{
	struct held one = {h->lock_one, h->lock_one_pc};
	if (one.lock != NULL && one.lock != LOCKS_LISTED)
		held_print(h, &one, u);
	else
		for (uint32_t i = 0; i < h->n_held && i < HELD_MAX; i++)
			held_print(h, &h->held[i], u);
}

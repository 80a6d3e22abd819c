/*
 * Timers of the kernel: a heap of deadlines for each hart.
 *
 *	hardware timer <- min(slice_due, sample_due, timers_due)      words of struct hart, written with interrupts off (kernel/timer.c)
 *	                                             ^ head of heap   guarded by queue->lock
 *
 * An interrupt takes no lock: it only sees that timers_due has passed, sets timers_hit and asks for a pass through the scheduler, which
 * runs the timers. A hart without work also runs those that are due elsewhere: their hart may have preemption off just then.
 *
 * The array of a heap has room for its guests (timers that are in it and have no place reserved in it) and for all places reserved in it:
 *
 *	guests + reserved <= cap
 *
 * 1. Only an arriving guest needs room, and ktimer_add() says when there is none; a timer with a place goes there instead. Otherwise a
 *    timer could be lost for want of memory.
 * 2. A hart holds one timer lock at a time; a timer that changes heaps is in none in between, which its owner alone can see. Otherwise two
 *    harts that move timers to each other would deadlock.
 * 3. `running` names the timer whose function a hart runs, from before the timer leaves the heap's lock until the function has returned.
 *    Otherwise ktimer_cancel_wait() could let a timer be freed that is in use.
 * 4. timers_due is never later than the head of the hart's own heap, but for the time that a kick is under way, or, after a pass over the
 *    timers, until a goroutine had its turn (sched/switch.c). Otherwise a timer is late by a slice or more. It may be earlier: then the
 *    hart looks once for nothing.
 */
#include "kernel/ktimer.h"

#include <stdatomic.h>
#include <stddef.h>

#include "kernel/assert.h"
#include "kernel/device.h"
#include "kernel/hart.h"
#include "kernel/heap.h"
#include "kernel/lock.h"
#include "kernel/preempt.h"
#include "kernel/timer.h"
#include "kernel/timer_heap.h"

enum { FIRST_CAP = 64, SPINS_TO_KICK = 1 << 14 };

struct timer_queue {
	struct spinlock lock; /* protects heap, guests, reserved and the timers in the heap */
	struct timer_heap heap;
	uint32_t guests, reserved;
	/* atomic: written under the lock */
	_Atomic uint64_t due;       /* deadline of the head; any hart reads */
	_Atomic uint32_t n_program; /* timers in it that are not the kernel's; timers_armed() reads */
	/* atomic: written by this hart, whichever heap the timer was in */
	_Atomic(struct ktimer *) running;
} __attribute__((aligned(64)));

static struct timer_queue queues[HART_MAX] = {
	[0 ... HART_MAX - 1] = {.lock = SPINLOCK_INIT(RANK_TIMER), .due = UINT64_MAX},
};

static bool at_home(const struct timer_queue *q, const struct ktimer *t)
{
	return t->home != 0 && q == &queues[t->home - 1];
}

/* n_program and due change under the lock only. */
static void count_locked(struct timer_queue *q, int by)
{
	atomic_store_explicit(&q->n_program,
			      atomic_load_explicit(&q->n_program, memory_order_relaxed) + (uint32_t)by,
			      memory_order_relaxed);
}

static void head_changed_locked(struct timer_queue *q)
{
	uint64_t due = q->heap.n > 0 ? q->heap.entries[0].deadline : UINT64_MAX;
	atomic_store_explicit(&q->due, due, memory_order_relaxed);
	struct hart *h = arch_hart();
	if (q == &queues[h->index]) {
		h->timers_due = due;
		timer_rearm_irq(h);
	}
}

/* There is room: t is at home, or make_room_locked() said so. */
static void insert_locked(struct timer_queue *q, struct ktimer *t, uint64_t deadline)
{
	t->deadline = deadline;
	t->hart = (uint32_t)(q - queues);
	q->guests += !at_home(q, t);
	if (!t->system)
		count_locked(q, 1);
	timer_heap_insert(&q->heap, t);
	if (t->pos == 1)
		head_changed_locked(q);
}

/* The hart keeps timers_due as it is: it may wake once for nothing. */
static void remove_locked(struct timer_queue *q, struct ktimer *t)
{
	q->guests -= !at_home(q, t);
	if (!t->system)
		count_locked(q, -1);
	timer_heap_remove(&q->heap, t);
}

/* Doubles the array with the lock dropped meanwhile; the allocator may not be called under it. */
static bool grow_locked(struct timer_queue *q)
{
	uint32_t cap = q->heap.cap != 0 ? q->heap.cap * 2 : FIRST_CAP;
	spin_unlock(&q->lock);
	struct timer_entry *entries = heap_alloc(cap * sizeof *entries), *old = entries;
	spin_lock(&q->lock);
	if (entries == NULL)
		return false;
	if (q->heap.cap < cap) {
		for (uint32_t i = 0; i < q->heap.n; i++)
			entries[i] = q->heap.entries[i];
		old = q->heap.entries;
		q->heap.entries = entries;
		q->heap.cap = cap;
	}
	spin_unlock(&q->lock);
	heap_free(old);
	spin_lock(&q->lock);
	return true;
}

/* Room for a place more; the lock is dropped meanwhile if there is none. False: out of memory. */
static bool make_room_locked(struct timer_queue *q)
{
	while (q->guests + q->reserved >= q->heap.cap)
		if (!grow_locked(q))
			return false;
	return true;
}

bool ktimer_add(struct ktimer *t, uint64_t deadline)
{
	preempt_disable();
	struct timer_queue *q = &queues[arch_hart()->index];
	spin_lock(&q->lock);
	ASSERT(t->pos == 0, "a timer is armed once");
	bool ok = at_home(q, t) || make_room_locked(q);
	if (ok)
		insert_locked(q, t, deadline);
	spin_unlock(&q->lock);
	preempt_enable();
	return ok;
}

bool ktimer_reserve(struct ktimer *t)
{
	preempt_disable();
	struct timer_queue *q = &queues[arch_hart()->index];
	ASSERT(t->home == 0 && t->pos == 0, "a place is reserved once, before the timer is armed");
	spin_lock(&q->lock);
	bool ok = make_room_locked(q);
	if (ok) {
		q->reserved++;
		t->home = (uint32_t)(q - queues) + 1;
	}
	spin_unlock(&q->lock);
	preempt_enable();
	return ok;
}

void ktimer_unreserve(struct ktimer *t)
{
	ASSERT(t->home != 0 && t->pos == 0, "a place is given back when the timer is not armed");
	struct timer_queue *q = &queues[t->home - 1];
	spin_lock(&q->lock);
	q->reserved--;
	spin_unlock(&q->lock);
	t->home = 0;
}

/* This hart's heap is full and cannot grow: t goes where it has its place, and that hart is told. */
static void go_home(struct ktimer *t, uint64_t deadline)
{
	struct timer_queue *q = &queues[t->home - 1];
	spin_lock(&q->lock);
	insert_locked(q, t, deadline);
	bool first = t->pos == 1;
	spin_unlock(&q->lock);
	if (first) {
		struct hart *h = harts[q - queues];
		atomic_fetch_or(&h->ipi, IPI_TIMERS);
		arch_ipi_send(h);
	}
}

bool ktimer_set(struct ktimer *t, uint64_t deadline)
{
	ASSERT(t->home != 0, "a timer that is set has a reserved place");
	preempt_disable();
	struct timer_queue *here = &queues[arch_hart()->index], *q = &queues[t->hart];
	spin_lock(&q->lock);
	bool was = t->pos != 0;
	/* In place, unless another hart's hardware timer would have to be set for it. */
	bool in_place = was && (q == here || (t->pos != 1 && deadline >= q->heap.entries[0].deadline));
	if (in_place) {
		bool head = t->pos == 1;
		t->deadline = deadline;
		timer_heap_move(&q->heap, t);
		if (head || t->pos == 1)
			head_changed_locked(q);
	} else if (was) {
		remove_locked(q, t);
	}
	if (q != here && !in_place) {
		spin_unlock(&q->lock);
		q = here;
		spin_lock(&q->lock);
	}
	bool done = in_place || at_home(q, t) || make_room_locked(q);
	if (!in_place && done)
		insert_locked(q, t, deadline);
	spin_unlock(&q->lock);
	if (!done)
		go_home(t, deadline);
	preempt_enable();
	return was;
}

bool ktimer_cancel(struct ktimer *t)
{
	struct timer_queue *q = &queues[t->hart];
	spin_lock(&q->lock);
	bool was = t->pos != 0;
	if (was)
		remove_locked(q, t);
	spin_unlock(&q->lock);
	return was;
}

/*
 * Even a timer that was armed may be running: it fired, and was armed again meanwhile. Waits for other harts only: in system context this
 * hart's own function is the caller. An emulator that runs one hart at a time goes on
 * to the next at a timer's deadline, so a long wait arms one (as in kernel/lock.c).
 */
bool ktimer_cancel_wait(struct ktimer *t)
{
	bool was = ktimer_cancel(t);
	preempt_disable();
	struct hart *h = arch_hart();
	for (uint32_t i = 0; i < hart_count; i++) {
		/* pairs with the release in run_due() */
		for (uint32_t n = 1;
		     i != h->index && atomic_load_explicit(&queues[i].running, memory_order_acquire) == t;
		     n++) {
			arch_pause();
			if (n % SPINS_TO_KICK == 0) {
				bool on = arch_irq_save();
				h->armed_due = arch_ticks() + 1;
				arch_timer_arm(h->armed_due);
				arch_irq_restore(on);
			}
		}
	}
	preempt_enable();
	return was;
}

uint32_t timers_armed(void)
{
	uint32_t n = 0;
	for (uint32_t i = 0; i < hart_count; i++)
		n += atomic_load_explicit(&queues[i].n_program, memory_order_relaxed);
	return n;
}

uint32_t timers_in_heap(uint32_t hart)
{
	return __atomic_load_n(&queues[hart].heap.n, __ATOMIC_RELAXED);
}

/* At most as many as there were: a timer whose function arms it again at once waits for the next pass. */
static bool run_due(struct timer_queue *q, uint64_t now)
{
	_Atomic(struct ktimer *) *running = &queues[arch_hart()->index].running;
	bool any = false;
	spin_lock(&q->lock);
	for (uint32_t left = q->heap.n; left > 0 && q->heap.n > 0 && q->heap.entries[0].deadline <= now;
	     left--) {
		struct ktimer *t = q->heap.entries[0].timer;
		void (*fn)(struct ktimer *) = t->fn;
		remove_locked(q, t);
		atomic_store_explicit(running, t, memory_order_relaxed); /* published by the unlock */
		spin_unlock(&q->lock);
		fn(t);
		/* pairs with the acquire in ktimer_cancel_wait() */
		atomic_store_explicit(running, NULL, memory_order_release);
		any = true;
		spin_lock(&q->lock);
	}
	head_changed_locked(q);
	spin_unlock(&q->lock);
	return any;
}

void timers_run_sys(struct hart *h)
{
	atomic_store_explicit(&h->timers_hit, false, memory_order_relaxed);
	if (__builtin_expect(atomic_load_explicit(&devices_wanted, memory_order_relaxed), 0))
		devices_run_sys();
	run_due(&queues[h->index], arch_ticks());
}

bool timers_steal_sys(struct hart *h)
{
	uint64_t now = arch_ticks();
	bool any = false;
	for (uint32_t i = 0; i < hart_count; i++)
		if (i != h->index && atomic_load_explicit(&queues[i].due, memory_order_relaxed) <= now)
			any |= run_due(&queues[i], now);
	return any;
}

/*
 * The scheduler of a hart: picks goroutines and runs them, on the hart's system stack, for ever.
 *
 *	sched_loop: run due timers -> pick -> execute -> (goroutines run, sched/switch.h) -> settle who came back -> again
 *
 * Looking for work (as Go): the global queue first at every 64th entry of the own ring; own queue; a batch from the global queue; half of somebody's queue, in
 * random order; then sleep. A hart that looks in other queues is spinning; at most half the busy harts do, and a submission wakes an idle
 * hart only when nobody spins.
 *
 * 1. A hart publishes that it is idle, then looks at every queue once more. Otherwise work submitted in between waits for the next
 *    submission.
 * 2. Whoever stops spinning because it found work wakes another. Otherwise a burst of work would be served by one hart.
 *
 * What orders them. In A and B, and in rule 1 of sched/stw.c, each side writes its own word and then reads the other's: acquire and release
 * do not keep that order, so there is a full barrier between, and at least one of the two sees the other.
 *
 * A. Who submits work queues it, then looks who is idle: the fences in wake_one(), ready_plain() and wake_idle(). Pairs with B.
 * B. A hart sets its bit in idle_mask, then looks at every queue: the fence in idle(). Pairs with A.
 * C. A hart is counted in n_spinning before it looks at other queues, and taken off before it says that it is idle (B), or looks once more,
 *    or wakes another. So whoever submits work and finds somebody counted (behind the fence of A) may leave it to that one.
 * D. Who takes a bit out of idle_mask, by one operation, has counted that hart as spinning before, and sends the interrupt after it (but
 *    see F): the hart finds its bit gone, or the interrupt ends its sleep.
 * E. Each hart raises idle_entries before it sets its bit, and n_online before it is online. All of these words are written and read
 *    sequentially consistent, for deadlock_check() draws a conclusion from several words in the order in which it reads them.
 * F. While a hart looks at its bit itself, before it sleeps, it says so (looks), and no interrupt is sent. It takes that back, then looks at
 *    the bit a last time; who takes the bit looks after that whether it says so. A full barrier on both sides, as in A and B.
 */
#include <hartbeat/go.h>

#include "kernel/assert.h"
#include "kernel/clock.h"
#include "kernel/heap.h"
#include "kernel/ktimer.h"
#include "kernel/panic.h"
#include "kernel/random.h"
#include "kernel/timer.h"
#include "kernel/trap.h"
#include "sched/impl.h"
#include "sched/metrics.h"
#include "sched/own.h"
#include "sched/schedtrace.h"
#include "sched/shrink.h"
#include "trace/trace.h"

_Atomic uint64_t idle_mask;
static _Atomic uint32_t n_spinning;
static _Atomic uint32_t n_online;     /* rule E; elsewhere a figure */
static _Atomic uint64_t idle_entries; /* rule E */

void (*sched_idle_hook)(struct hart *h, bool idle);
void (*sched_no_work_hook)(struct hart *h);
void (*sched_deadlock_hook)(struct hart *h, bool says);

unsigned go_harts(void)
{
	return atomic_load_explicit(&n_online, memory_order_relaxed);
}

void wake_idle(void)
{
	struct sched_hart *s = arch_hart()->sched;
	if (s->takes_next) {
		s->takes_next = false;
		return;
	}
	for (;;) {
		atomic_thread_fence(memory_order_seq_cst); /* as in wake_one() */
		uint64_t mask = atomic_load_explicit(&idle_mask, memory_order_relaxed);
		uint32_t none = 0;
		/* rules A and C: whoever is counted will look once more */
		if (mask == 0 || !atomic_compare_exchange_strong(&n_spinning, &none, 1))
			return;
		while (mask != 0) {
			uint64_t bit = mask & -mask;
			if (atomic_fetch_and(&idle_mask, ~bit) & bit) { /* rule D */
				struct hart *to = harts[__builtin_ctzll(bit)];
				if (!atomic_load(&to->sched->looks)) { /* rule F */
					atomic_fetch_or_explicit(&to->ipi, IPI_WAKE, memory_order_release);
					arch_ipi_send(to);
				}
				return;
			}
			mask = atomic_load_explicit(&idle_mask, memory_order_relaxed);
		}
		/* Again: a hart may have gone to sleep meanwhile because somebody seemed to be spinning; rule C. */
		atomic_fetch_sub(&n_spinning, 1);
	}
}

static struct g *steal(struct hart *h)
{
	struct sched_hart *s = h->sched;
	for (int pass = 0; pass < 4; pass++) {
		uint32_t at = (uint32_t)(random_step(&s->rng) >> 32) % hart_count;
		for (uint32_t i = 0; i < hart_count; i++, at = (at + 1) % hart_count) {
			struct hart *v = harts[at];
			if (v == h)
				continue;
#ifdef MUTANT_steal_order
			struct g *g = runq_steal(&s->q, &v->sched->q, true);
#else
			struct g *g = runq_steal(&s->q, &v->sched->q, pass == 3);
#endif
			if (g != NULL)
				return g;
		}
	}
	return NULL;
}

static void spinning_stop(struct sched_hart *s, bool found)
{
	if (!s->spinning)
		return;
	s->spinning = false;
	if (atomic_fetch_sub(&n_spinning, 1) == 1 && found) /* rule C */
		wake_one();
}

static struct g *handed_take(struct hart *h, bool *inherit)
{
	struct sched_hart *s = h->sched;
	struct g *g = s->handed;
	*inherit = s->handed_inherits && !h->slice_over;
	s->handed = NULL;
	return g;
}

static struct g *pick_any(struct hart *h, bool *inherit)
{
	struct sched_hart *s = h->sched;
	struct g *g = NULL;
	*inherit = false;
	if (s->handed != NULL) /* first: who ran before it could leave another one here */
		return handed_take(h, inherit);
	if (!s->pinned_went && (g = pin_take_sys(h)) != NULL) {
		s->pinned_went = true;
		s->tick++;
		spinning_stop(s, true);
		return g;
	}
	s->pinned_went = false;
	uint64_t dice = s->shaken ? random_step(&s->rng) >> 32 : 0;
	if ((dice & 3) == 3)
		runq_next_last(&s->q);
	/*
	 * The global queue's turn, but not twice in a row. Who goes on in the slice goes first, once: who was woken by a timer would wait for the
	 * slices of others, and if timers come all the time the queue would wait for ever.
	 */
	if ((runq_turn(&s->q, GLOBAL_EVERY) || (dice & 12) == 12) && !s->global_went) {
		uint64_t turn = atomic_load_explicit(&s->q.head, memory_order_relaxed) + 1;
		if (atomic_load_explicit(&s->q.next, memory_order_relaxed) != NULL &&
		    s->global_waited != turn) {
			s->global_waited = turn;
		} else {
			g = globq_get(&s->q, hart_count);
			s->global_went = g != NULL;
		}
	}
	if (g == NULL) {
		g = runq_get(&s->q, inherit);
		if (g != NULL && !*inherit)
			s->global_went =
				false; /* not for the next goroutine: the ring would never have its turn */
	} else {
		s->tick++;
	}
	if (g == NULL && (g = globq_get(&s->q, hart_count)) != NULL)
		s->tick++;
	if (g == NULL && (g = pin_take_sys(h)) != NULL)
		s->tick++;
	if (g == NULL) {
		uint64_t idle = atomic_load_explicit(&idle_mask, memory_order_relaxed); /* a guess, both */
		uint32_t busy = hart_count - (uint32_t)__builtin_popcountll(idle);
		if (!s->spinning && 2 * atomic_load_explicit(&n_spinning, memory_order_relaxed) < busy) {
			s->spinning = true;
			atomic_fetch_add(&n_spinning, 1); /* rule C */
		}
		if (s->spinning)
			g = steal(h);
		if (s->spinning && g == NULL && timers_steal_sys(h))
			g = runq_get(&s->q, inherit);
		s->tick += g != NULL;
	}
	if (g != NULL)
		spinning_stop(s, true);
		/* One of the kernel's has a slice of its own. Otherwise who reads the samples of a busy hart would get the rest of somebody's, and with the
	 * rings half read wait behind all who are busy. */
#ifndef MUTANT_system_inherits
	if (g != NULL && g->system)
		*inherit = false;
#endif
	return g;
}

static struct g *pick(struct hart *h, bool *inherit)
{
	struct sched_hart *s = h->sched;
	struct g *g = pick_any(h, inherit);
	/* relaxed: what this hart puts there; else a guess */
	s->next_passed = g != NULL && atomic_load_explicit(&s->q.next, memory_order_relaxed) != NULL;
	return g;
}

static bool work_queued(void)
{
	if (!globq_empty())
		return true;
	for (uint32_t i = 0; i < hart_count; i++)
		if (!runq_empty(&harts[i]->sched->q))
			return true;
	return false;
}

static bool work_pinned(void)
{
	for (uint32_t i = 0; i < hart_count; i++)
		if (atomic_load(&harts[i]->sched->n_pinned) > 0) /* rule E */
			return true;
	return false;
}

static bool waits_irq(const struct hart *h)
{
	/* relaxed: of this hart, and a guess as to what others put there just now */
	return !runq_empty(&h->sched->q) || !globq_empty() ||
	       atomic_load_explicit(&h->sched->n_pinned, memory_order_relaxed) > 0 ||
	       atomic_load_explicit(&h->timers_hit, memory_order_relaxed);
}

static bool all_idle(void)
{
	/* rule E */
	return (uint32_t)__builtin_popcountll(atomic_load(&idle_mask)) == atomic_load(&n_online);
}

/*
 * Every hart is idle and stays so while this looks: nobody is left who could wake anybody. A hart that had been idle could otherwise have
 * taken the last timer out just before, be about to make its goroutine ready, and be idle again at the second look.
 *
 * One hart says so. Another that goes idle at the same time, or wakes for nothing, finds it, too: its message would stand in the report as that
 * of a second failure.
 */
static void deadlock_check(struct hart *h)
{
	static _Atomic bool said;                      /* relaxed: nothing hangs on it */
	uint64_t entries = atomic_load(&idle_entries); /* rule E */
	if (all_idle() && timers_armed() == 0 && !work_queued() && !work_pinned() && all_idle() &&
	    atomic_load(&idle_entries) == entries) {
		bool again = atomic_exchange_explicit(&said, true, memory_order_relaxed);
#ifdef MUTANT_deadlock_twice
		again = false;
#endif
		if (sched_deadlock_hook != NULL)
			sched_deadlock_hook(h, !again);
		if (again)
			return;
		if (go_count() > 0)
			fatal_goroutines("all goroutines are asleep - deadlock!");
		fatal_goroutines("no goroutines (main called go_exit) - deadlock!");
	}
}

uint64_t sched_spin_ns;

/*
 * Looks for work or the next timer for a moment before the hart sleeps: to wake takes an interrupt, in an emulator tens of microseconds. What
 * another hart submits takes this hart's bit away, as when it sleeps; a timer that is due is told as its interrupt would.
 */
static void idle_spin(struct hart *h, uint64_t bit, uint64_t ticks)
{
	uint64_t now = arch_ticks(), end = now + ticks;
	arch_irq_disable();
	h->timers_polled = true;
	h->armed_due = UINT64_MAX;
	arch_timer_arm(UINT64_MAX);
	timer_rearm_irq(h);
	arch_irq_enable();
	atomic_store_explicit(&h->sched->looks, true, memory_order_relaxed); /* too late costs an interrupt */
	while (now < end && now < *(volatile uint64_t *)&h->timers_due &&
	       !atomic_load_explicit(&h->timers_hit, memory_order_relaxed) &&
	       atomic_load_explicit(&h->asked, memory_order_relaxed) == 0 &&
	       (atomic_load_explicit(&idle_mask, memory_order_relaxed) & bit) != 0) {
		arch_pause();
		now = arch_ticks();
	}
	atomic_store_explicit(&h->sched->looks, false, memory_order_relaxed);
	atomic_thread_fence(memory_order_seq_cst); /* rule F */
	arch_irq_disable();
	h->timers_polled = false;
	if (now >= h->timers_due) {
		h->timers_due = UINT64_MAX;
		atomic_store_explicit(&h->timers_hit, true, memory_order_relaxed);
	}
	timer_rearm_irq(h);
	arch_irq_enable();
}

static void idle(struct hart *h)
{
	uint64_t bit = 1ull << h->index;
	if (__builtin_expect(sched_no_work_hook != NULL, 0))
		sched_no_work_hook(h);
	shrink_poll();
	TRACE(proc_stop()); /* before this hart counts as one that has stopped */
	spinning_stop(h->sched, false);
	h->sched->left = NULL;
	atomic_exchange(&h->asked,
			0); /* pairs with hart_ask_irq(), here: a request from here on keeps the hart awake */
	atomic_fetch_add(&idle_entries, 1);        /* rule E */
	atomic_fetch_or(&idle_mask, bit);          /* rules B and E */
	atomic_thread_fence(memory_order_seq_cst); /* rule B: pairs with the fence in wake_one() */
	/* While another hart spins, what anybody can run is for it: when it stops it looks everywhere once more, or wakes this hart. */
#ifdef MUTANT_idle_recheck
	bool work = false;
#else
	/* behind the fence of rule B; of n_spinning, rule C */
	bool work = atomic_load_explicit(&h->sched->n_pinned, memory_order_relaxed) > 0 ||
		    (work_queued() && atomic_load_explicit(&n_spinning, memory_order_relaxed) == 0);
#endif
	if (!work) {
		deadlock_check(h);
		uint64_t spin = sched_spin_ns == 0 ? 0 : clock_to_ticks(sched_spin_ns);
		if (spin != 0)
			idle_spin(h, bit, spin);
		arch_irq_disable();
		/* Relaxed: interrupts of this hart set the first two, and are off; who takes the bit interrupts (rule D). */
		if (!atomic_load_explicit(&h->timers_hit, memory_order_relaxed) &&
		    !atomic_load_explicit(&h->asked, memory_order_relaxed) &&
		    (atomic_load_explicit(&idle_mask, memory_order_relaxed) & bit) != 0) {
			h->slice_due = UINT64_MAX;
			if (sched_idle_hook != NULL)
				sched_idle_hook(h, true);
			metrics_hart_idle(h, true);
			h->armed_due = UINT64_MAX;
			h->timers_early = spin;
			if (h->timers_due == UINT64_MAX)
				arch_timer_arm(UINT64_MAX);
			timer_rearm_irq(h);
			arch_wait();
			arch_irq_disable();
			h->timers_early = 0;
			metrics_hart_idle(h, false);
			if (sched_idle_hook != NULL)
				sched_idle_hook(h, false);
			timer_rearm_irq(h);
		}
		arch_irq_enable();
	}
	/* Whoever took the bit away counted this hart as spinning (rule D). Rule 1 of sched/stw.c: then the look at stw_wanted. */
	if ((atomic_fetch_and(&idle_mask, ~bit) & bit) == 0)
		h->sched->spinning = true;
}

/* Nothing is to be run. Whoever a timer makes ready first is in the next slot of a hart that is about to look there: no other is woken. */
static void timers_run_idle_sys(struct hart *h)
{
	struct sched_hart *s = h->sched;
	/* a guess as to n_pinned: whoever is pinned here has asked for this hart */
	s->takes_next = runq_empty(&s->q) && atomic_load_explicit(&s->n_pinned, memory_order_relaxed) == 0 &&
			globq_empty() && !s->shaken && s->handed == NULL;
	timers_turn_sys(h);
	s->takes_next = false;
}

void sched_loop(struct hart *h)
{
	struct g *g = NULL;
	bool inherit = false;
	enum switch_reason why;
	metrics_hart_begin(h);
	atomic_fetch_add(&n_online, 1);
	atomic_store_explicit(&h->online, true, memory_order_release);
	/* rule 1 of kernel/hart.h; pairs with the fences in stw_begin(), shootdown_begin() and command_give(), and with stop_others() */
	atomic_thread_fence(memory_order_seq_cst);
	/* What was asked meanwhile, of everybody (the hook) or of this hart: a report that began before it could be stopped. */
	bool asked = __atomic_load_n(&trap_ipi_hook, __ATOMIC_RELAXED) != NULL;
#ifndef MUTANT_late_hart
	asked |= atomic_load_explicit(&h->ipi, memory_order_relaxed) != 0;
#endif
	if (asked)
		arch_ipi_send(h);
	arch_irq_enable();
	for (;;) {
		/* rule 1 of sched/stw.c: pairs with the fence in stw_begin(); behind the operation at the end of idle() */
		if (atomic_load(&stw_wanted))
			stw_stop_sys(h, g);
		if (atomic_load_explicit(&h->timers_hit, memory_order_relaxed)) {
			if (g == NULL)
				timers_run_idle_sys(h);
			else
				timers_turn_sys(h);
		}
		if (g == NULL)
			g = pick(h, &inherit);
		if (g == NULL) {
			idle(h);
			continue;
		}
		g = execute_sys(h, g, inherit, &why);
		if (g != NULL)
			g = settle_sys(h, g, why);
		inherit = g != NULL;
	}
}

void sched_counts(struct sched_counts *c)
{
	*c = (struct sched_counts){atomic_load_explicit(&idle_mask, memory_order_relaxed),
				   atomic_load_explicit(&n_spinning, memory_order_relaxed), globq_count()};
}

void sched_hart_init(struct hart *h)
{
	h->sched = heap_alloc_zero(sizeof *h->sched);
	ASSERT(h->sched != NULL, "memory for a hart's scheduler");
	h->sched->rng = 0x9e3779b97f4a7c15u * (h->index + 1);
	h->slice_ticks = clock_to_ticks(SLICE_NS);
	h->sched->turn_ticks = clock_to_ticks(TURN_NS);
	h->slice_due = h->sample_due = h->timers_due = h->armed_due = UINT64_MAX;
	g_init_boot(h);
	h->sched_ctx.tls = h->g0->tls;
	h->sched->pin_lock = (struct spinlock)SPINLOCK_INIT(RANK_SCHED);
	preempt_hook = preempt_now;
	panic_goroutines_hook = goroutines_print;
	trap_waits_hook = waits_irq;
}

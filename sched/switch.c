/* The scheduler's side of a switch (see switch.h), and giving way: by request and to the timer. */
#include "sched/switch.h"

#include <hartbeat/go.h>

#include "kernel/ktimer.h"
#include "kernel/random.h"
#include "sched/latency.h"
#include "sched/shrink.h"

void (*preempt_hook)(void);

__attribute__((noinline)) static void yield_watched(struct g *self)
{
	if (trace_active()) {
		trace_go_yield(self);
		late_follow(self, G_LATE_YIELD, true);
		switch_to_scheduler(SWITCH_YIELD);
	} else {
		late_follow(self, G_LATE_YIELD, false);
		switch_out(self, SWITCH_YIELD, false);
	}
	preempt_enable_last();
}

/* Whether g has to pass a barrier before it runs on h, this hart. */
static inline bool barrier_due(const struct hart *h, const struct g *g)
{
	return __builtin_expect(atomic_load_explicit(&h->aside, memory_order_relaxed) != 0, 0) &&
	       barrier_stops(g);
}

void go_yield(void)
{
	struct g *self = g_self();
	ASSERT(self->preempt_off == 0, "a goroutine yields with preemption on");
	uint32_t once = 1;
	__asm__("" : "+r"(once)); /* else it is kept for SWITCH_YIELD, in a register that is saved for that */
	store_relaxed(&self->preempt_off, once);
	atomic_signal_fence(memory_order_seq_cst);
	if (watched_any()) {
		yield_watched(self);
		return;
	}
	switch_out(self, SWITCH_YIELD, UNTRACED);
	preempt_enable_last();
}

/*
 * preempt_enable() saw that the hart was asked for: what trap exit could not do. With interrupts off (under a spinlock) it cannot be done
 * here either: a tick that is due at once asks again when they come on.
 */
void preempt_now(void)
{
	struct g *g = g_self();
	while (atomic_load_explicit(&g->resched, memory_order_relaxed)) {
		bool on = arch_irq_save();
		struct hart *h = arch_hart();
		bool possible = on && h->in_irq == 0 && h->cur == g && h->serving == NULL;
		if (!possible && h->in_irq == 0 && h->cur == g) {
			h->slice_due = arch_ticks();
			timer_rearm_irq(h);
		}
		if (possible)
			g->preempt_off++;
		arch_irq_restore(on);
		if (!possible)
			return;
		TRACE(go_preempt(g));
		switch_to_scheduler(SWITCH_TRAP);
		g->preempt_off--;
		atomic_signal_fence(memory_order_seq_cst);
	}
}

/* Until the scheduler says who is next. */
void switch_to_scheduler(enum switch_reason why)
{
	struct hart *h = arch_hart();
	struct g *g = h->cur;
	ASSERT(locks_held(h) == 0, "no spinlock held at a switch");
	ASSERT(g == g_self() && g != h->g0, "only the running goroutine gives its hart away");
	uint64_t now = trace_active() ? g->left_at : arch_ticks();
	g->run_ticks += now - g->run_since;
	if (why == SWITCH_PARK)
		g->wait_since = now;
	h->sched->left = g;
	arch_arrival a = arch_switch(&g->ctx, &h->sched_ctx, &h->cur, h->g0, why);
	arrive(arch_hart(), arch_arrival_from(a), arch_arrival_word(a), SWITCH_PARK);
}

static void switch_handed(enum switch_reason why, struct g *next, bool inherit)
{
	struct sched_hart *s = arch_hart()->sched;
	ASSERT(s->handed == NULL, "one goroutine is handed to the scheduler at a time");
	s->handed = next;
	s->handed_inherits = inherit;
	switch_to_scheduler(why);
}

/* What is not usual: a lock held, the scheduler asked for, or a barrier up; with that only, those who have passed it run directly. */
void switch_aside(enum switch_reason why)
{
	struct hart *h = arch_hart();
	struct runq *q = &h->sched->q;
	struct g *next = NULL;
	bool inherit = false;
	if (h->lock_one == NULL && atomic_load_explicit(&h->asked, memory_order_relaxed) == 0) {
		inherit = atomic_load_explicit(&q->next, memory_order_relaxed) != NULL;
		if (inherit)
			next = runq_take_next(q);
		else if (!runq_take_head(q, GLOBAL_EVERY, &next))
			next = NULL;
	}
	if (next == NULL)
		switch_to_scheduler(why);
	else if (barrier_due(h, next))
		switch_handed(why, next, inherit);
	else
		switch_taken(h, h->cur, next, inherit, why, MAYBE_TRACED);
}

void switch_traced(enum switch_reason why, struct g *next, bool inherit)
{
	struct hart *h = arch_hart();
	switch_taken(h, h->cur, next, inherit, why, TRACED);
}

/* next was taken from the queue, and something is to be done first: it lies in a save area, has not begun, its wait is measured, or its stack
 * is owned. */
void switch_later(enum switch_reason why, struct g *next, bool inherit)
{
	struct hart *h = arch_hart();
	if ((next->careful & G_IN_AREA) != 0) {
		switch_handed(why, next, inherit);
		return;
	}
	if (!(next->careful == 0 /* begun by switch_taken() */ ? g_run_owned(next) : g_run_begin(next))) {
		switch_to_scheduler(why);
		return;
	}
	uint64_t now = trace_active() ? trace_go_start(next) : arch_ticks();
	uint64_t left = trace_active() ? h->cur->left_at : now;
	latency_run(next, now);
	if ((next->careful & G_FRESH) != 0) {
		next->careful = 0;
		switch_time(h, h->cur, next, inherit, why, left, now);
		if (why == SWITCH_EXIT)
			arch_begin_last(&h->cur->ctx, &next->ctx, &h->cur, next, why, goroutine_entry);
		arch_arrival a = arch_begin(&h->cur->ctx, &next->ctx, &h->cur, next, why, goroutine_entry);
		arrive(arch_hart(), arch_arrival_from(a), arch_arrival_word(a), SWITCH_PARK);
	} else {
		switch_to(h, h->cur, next, inherit, why, left, now);
	}
}

void settle_slow(struct g *left, uintptr_t why)
{
	struct hart *h = arch_hart();
	if (why == SWITCH_EXIT) {
		g_free(left, h);
		return;
	}
	if (why == SWITCH_YIELD)
		store_release(&left->status,
			      G_RUNNABLE); /* pairs with the acquire in g_own() and g_run_begin() */
	else
		/* it may be looked at by now: G_OWNED */
		ASSERT((atomic_load_explicit(&left->status, memory_order_relaxed) & G_STATUS_MASK) ==
			       G_RUNNABLE,
		       "who leaves to wait was parking");
	if (left->pinned != NULL) {
		pin_put(left);
		return;
	}
	runq_put_tail(&h->sched->q, left);
	wake_one();
}

void timers_turn_sys(struct hart *h)
{
	timers_run_sys(h);
	h->sched->timers_went = true;
}

/*
 * Timers have been run and a goroutine is about to be: those that are due again meanwhile wait until it had its turn. Otherwise a ticker whose
 * period is shorter than a pass would leave nobody any time. Interrupts off.
 */
static void timers_wait_irq(struct hart *h, uint64_t now)
{
	h->sched->timers_went = false;
	if (atomic_load_explicit(&h->timers_hit, memory_order_relaxed) ||
	    h->timers_due < now + h->sched->turn_ticks) {
		store_relaxed(&h->timers_hit, false);
		h->timers_due = now + h->sched->turn_ticks;
		timer_rearm_irq(h);
	}
}

struct g *execute_sys(struct hart *h, struct g *g, bool inherit, enum switch_reason *why)
{
	if (h->spare_area == NULL)
		area_refill_sys(h);
	else if (__builtin_expect(h->sched->n_areas > AREAS_KEPT, 0))
		area_trim_sys(h);
	arch_irq_disable(); /* until the hart is marked as not asked, and its slice set */
	/* stw_wanted relaxed: who wants it asks this hart by an interrupt. One that was taken by now has acquired it, one that is yet to come
	 * asks anew. */
	while (atomic_load_explicit(&stw_wanted, memory_order_relaxed) || barrier_due(h, g) ||
	       (atomic_load_explicit(&h->timers_hit, memory_order_relaxed) && !h->sched->timers_went)) {
		arch_irq_enable();
		stw_stop_sys(h, g);
		if (barrier_due(h, g) && !barrier_pass_sys(g))
			return NULL;
		if (atomic_load_explicit(&h->timers_hit, memory_order_relaxed))
			timers_turn_sys(h);
		arch_irq_disable();
	}
	if (!g_run_begin(g)) {
		arch_irq_enable();
		return NULL;
	}
	ASSERT(g->pinned == NULL || g->pinned == h, "a pinned goroutine runs on its hart");
	uint64_t now = arch_ticks();
	if (h->sched->timers_went)
		timers_wait_irq(h, now);
	if (!inherit || h->slice_over || h->slice_due == UINT64_MAX) {
		h->slice_over = false;
		h->slice_due = now + h->slice_ticks;
		if (h->sched->shaken)
			h->slice_due = now + 1 + random_step(&h->sched->rng) % h->slice_ticks;
		timer_rearm_irq(h);
		now = arch_ticks(); /* what that took is not g's: a profile does not charge it to g either */
	}
	store_relaxed(&h->asked, 0);
	store_relaxed(&g->resched, false);
	if (trace_active())
		now = trace_go_start(g);
	g->run_since = h->sched->began = now;
	latency_run(g, now);
	void *area = g->area;
	arch_arrival a;
	if ((g->careful & G_FRESH) != 0) {
		g->careful = 0;
		arch_irq_enable();
		a = arch_begin(&h->sched_ctx, &g->ctx, &h->cur, g, SWITCH_NONE, goroutine_entry);
	} else if (area == NULL) {
		arch_irq_enable();
		a = arch_switch(&h->sched_ctx, &g->ctx, &h->cur, g, SWITCH_NONE);
	} else {
		h->cur = g;
		g->area = NULL;
		g->careful &= (uint16_t)~G_IN_AREA;
		arch_fpu_restore(area_fpu(area));
		area_put(h, area); /* nobody takes it before the frame has been left: interrupts are off */
		a = arch_switch_frame(&h->sched_ctx, area);
	}
	*why = (enum switch_reason)arch_arrival_word(a);
	if (h->cur != h->g0) { /* a trap left for here, with interrupts off */
		g = h->cur;
		g->run_ticks += g->left_at - g->run_since;
		h->cur = h->g0;
		h->sched->left = g;
		arch_irq_enable();
	} else {
		g = (struct g *)((char *)arch_arrival_from(a) - offsetof(struct g, ctx));
	}
	store_relaxed(&g->resched, false);
	return g;
}

struct g *settle_sys(struct hart *h, struct g *g, enum switch_reason why)
{
	/* Who would go on in it, before timers make somebody ready, who has had nothing of it; nor has who had to let another one pass. */
	if (h->slice_over && !h->sched->next_passed)
		runq_next_last(&h->sched->q);
	h->sched->next_passed = false;
	if (why != SWITCH_TRAP) {
		if (why == SWITCH_YIELD && runq_turn(&h->sched->q, GLOBAL_EVERY))
			latency_follow_eight(g);
		settle(g, why, SWITCH_PARK);
		return NULL;
	}
	if (trace_active() && g->area != NULL) { /* else it said so itself */
		h->left = g;
		trace_go_preempted(g);
		h->left = NULL;
	}
	shrink_poll();
	if (atomic_load_explicit(&h->timers_hit, memory_order_relaxed)) {
		/* a guess: whom another hart puts there just now has waited less */
		uint32_t pinned = atomic_load_explicit(&h->sched->n_pinned, memory_order_relaxed);
		timers_turn_sys(h);
		/* A pinned one that a timer wakes does not wait for the others' turn: they have just had it. */
		if (g->pinned == NULL &&
		    atomic_load_explicit(&h->sched->n_pinned, memory_order_relaxed) > pinned)
			h->sched->pinned_went = false;
	}
	/* pairs with the acquire in g_own() and g_run_begin(): the saved frame is complete */
	store_release(&g->status, G_RUNNABLE);
	/* Whoever goes on at once has waited, too: while the world stood. Who was woken and has not told its wait yet tells this with it. */
#ifndef MUTANT_late_preempted
	if (!atomic_load_explicit(&g->woken, memory_order_relaxed))
		late_follow(g, G_LATE_PREEMPT, g->area != NULL || trace_active());
#endif
	/* a stop of the world changes nothing about who runs where */
	bool alone = runq_empty(&h->sched->q) &&
		     atomic_load_explicit(&h->sched->n_pinned, memory_order_relaxed) == 0;
	if (h->slice_over ? alone && globq_empty()
			  : alone || atomic_load_explicit(&stw_wanted, memory_order_relaxed))
		return g;
	if (latency_chosen(arch_ticks()))
		latency_follow(g);
	if (g->pinned != NULL) {
		pin_put(g);
	} else {
		globq_put(g);
		wake_one(); /* this hart has somebody else to run, maybe for long */
	}
	return NULL;
}

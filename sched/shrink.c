/*
 * The shrinker. Memory of stacks that nobody needs at the moment goes back to the page allocator:
 *
 *	a goroutine that has waited for a second	whole pages below sp - 128
 *	ended goroutines in the depot			all pages of those that were not needed since the pass before
 *
 *	pass:  own stacks, clear entries  ->  shoot-down  ->  give the frames back  ->  give the stacks back
 *	       '------------------- a batch: at most OWNED_MAX goroutines, FRAMES_MAX frames ------------'
 *
 * It sleeps, with no timer armed, until there may be something to do: a stack got a second page, ended goroutines went to the depot
 * (stack_grew). A hart that has nothing to run or ends a slice looks at that word and lets it doze for a second, then it makes a pass; as
 * long as a pass has left something for later, there is another, after twice the time if it gave nothing back. When memory is short it is
 * woken at once.
 *
 *	ASLEEP --shrink_wake--> DOZING --timer, shrink_wake(hurry)--> AWAKE --no more to do--> ASLEEP
 *	   \--shrink_wake(hurry)--------------------------------------/  \--something left--> DOZING
 *
 * 1. A stack is shrunk only under its ownership bit, which is held until the shoot-down is over. Otherwise its goroutine could run, and
 *    write through an old translation into a page that is not its own any more, or lose one that it uses.
 * 2. A frame is given back after the shoot-down. Otherwise a hart would reach into what is somebody else's by then.
 * 3. Passes exclude each other. Otherwise they would share the batch.
 * 4. Who wants a pass says why (stack_grew, hurry_wanted), then looks at `state`; the shrinker says in `state` that it sleeps or dozes, then
 *    looks once more why it should not. A full barrier stands between, on both sides. Otherwise a wish that comes just then would wait for
 *    the end of the doze, or for ever.
 */
#include "sched/shrink.h"

#include <string.h>

#include <hartbeat/sync.h>

#include "kernel/assert.h"
#include "kernel/clock.h"
#include "kernel/ktimer.h"
#include "kernel/page.h"
#include "kernel/shootdown.h"
#include "kernel/system.h"
#include "sched/impl.h"
#include "sched/own.h"
#include "sched/pool.h"

enum {
	OWNED_MAX = 32,
	FRAMES_MAX = 1024,
	PERIOD_NS = 1000000000, /* between passes, and what a goroutine has waited for at least */
	PERIOD_DOUBLINGS = 5,   /* of the period at most, while passes give nothing back */
	ALWAYS_NS = 50000,      /* the same for debug.shrink=1 */
	HURRY_NS = 10000000,    /* between passes at least, however short memory is */
	WALK_MAX = 256,         /* descriptors looked at while stacks are owned */
	POISON = 0xa5,
};

#define PERIOD_MAX_NS ((uint64_t)PERIOD_NS << PERIOD_DOUBLINGS)

enum state { AWAKE, ASLEEP, DOZING };

bool shrink_always;
void (*shrink_pass_hook)(bool hurry);

static struct mutex pass_mutex; /* protects batch */
static struct {
	uint64_t frames[FRAMES_MAX];
	size_t n_frames;
	struct g *owned[OWNED_MAX]; /* waiting ones */
	uint32_t n_owned;
} batch;

static struct g *shrinker; /* immutable once state is not AWAKE */
static struct ktimer doze_timer;
static _Atomic uint32_t state;        /* enum state; rule 4 */
static _Atomic uint32_t hurry_wanted; /* 1: yes; rule 4 */
static _Atomic bool
	left_over; /* relaxed, written by passes, read by the shrinker: a pass left something for the next */
static _Atomic bool
	long_doze; /* the shrinker waits for more than a period: only for what was left over; rule 4 */
static _Atomic uint64_t hurry_after;                /* ticks; relaxed, a figure */
static _Atomic uint64_t n_passes, n_parked, n_dead; /* relaxed, figures for people */

void shrink_stats(struct shrink_stats *s)
{
	/* pairs with the release in shrink_pass(): with a pass comes what it gave back */
	s->passes = atomic_load_explicit(&n_passes, memory_order_acquire);
	s->parked_pages = atomic_load_explicit(&n_parked, memory_order_relaxed);
	s->dead_pages = atomic_load_explicit(&n_dead, memory_order_relaxed);
}

static uint64_t pages_given(void)
{
	return atomic_load_explicit(&n_parked, memory_order_relaxed) +
	       atomic_load_explicit(&n_dead, memory_order_relaxed);
}

/* ---- a batch ---- */

static void frames_free_sys(void *arg)
{
	(void)arg;
	for (size_t i = 0; i < batch.n_frames; i++) {
		void *frame = (void *)(uintptr_t)batch.frames[i];
		if (shrink_always)
			memset(frame, POISON, PAGE_SIZE);
		page_free(frame, 0);
	}
	batch.n_frames = 0;
}

static void frames_free(void)
{
	if (batch.n_frames == 0)
		return;
	preempt_disable();
#ifdef MUTANT_release_early
	on_system_stack(frames_free_sys, NULL);
#endif
	uint64_t ticket = shootdown_begin();
	shootdown_wait(ticket);
	ASSERT(shootdown_done(ticket), "a frame is given back after every hart has forgotten its page");
	on_system_stack(frames_free_sys, NULL);
	preempt_enable();
}

/* The pages of g's stack below `at` join the batch, or the first of them only. */
static size_t pages_take(const struct g *g, uintptr_t at, bool one)
{
	size_t total = 0;
	for (;;) {
		if (batch.n_frames == FRAMES_MAX)
			frames_free();
		if (one) {
			total = stack_uncommit(g, &at, batch.frames + batch.n_frames, 1);
			batch.n_frames += total;
			return total;
		}
		size_t n = stack_uncommit(g, &at, batch.frames + batch.n_frames, FRAMES_MAX - batch.n_frames);
		batch.n_frames += n;
		total += n;
		if (at <= g->stack_lo)
			return total;
	}
}

/* ---- goroutines that wait ---- */

/* Owns g if it waits, and keeps it in the batch. Preemption is off from the first one to batch_end(). */
static bool batch_own(struct g *g)
{
	if (batch.n_owned == 0)
		preempt_disable();
#ifdef MUTANT_shrink_unowned
	bool ok = atomic_load_explicit(&g->status, memory_order_relaxed) == G_WAITING;
#else
	bool ok = g_own(g);
	if (ok && (atomic_load_explicit(&g->status, memory_order_relaxed) & G_STATUS_MASK) != G_WAITING) {
		g_disown(g);
		ok = false;
	}
#endif
	if (ok)
		batch.owned[batch.n_owned++] = g;
	else if (batch.n_owned == 0)
		preempt_enable();
	return ok;
}

static void batch_end(void)
{
	frames_free();
	if (batch.n_owned == 0)
		return;
	while (batch.n_owned > 0) {
		struct g *g = batch.owned[--batch.n_owned];
#ifndef MUTANT_shrink_unowned
		g_disown(g);
#else
		(void)g;
#endif
	}
	preempt_enable();
}

/* Whether g has waited since `before`. What is read without owning it is a guess. */
static bool waits_since(const struct g *g, uint64_t before)
{
	return atomic_load_explicit(&g->status, memory_order_relaxed) == G_WAITING &&
	       __atomic_load_n(&g->wait_since, __ATOMIC_RELAXED) <= before;
}

/* Whether g's stack may have pages that it does not use: it grew, or went on, or lives anew, since the last look. */
static bool may_shrink(const struct g *g)
{
	uint8_t grown = atomic_load_explicit(&g->grown, memory_order_relaxed);
	return grown == G_GREW ||
	       (grown == G_SHRUNK && __atomic_load_n(&g->wait_since, __ATOMIC_RELAXED) != g->shrunk_since);
}

/* Takes what the wait of g, which is owned, does not use. */
static size_t waiting_take(struct g *g)
{
	uintptr_t unused = stack_unused(g);
	size_t pages = pages_take(g, unused, false);
	/* Not G_FIRST_PAGE as long as there are others: whoever has this stack next would grow without a page fault, and keep them for ever. */
	bool first = unused >= g->stack_hi - PAGE_SIZE;
	g->shrunk_since = g->wait_since;
	atomic_store_explicit(&g->grown, first ? G_FIRST_PAGE : G_SHRUNK, memory_order_relaxed);
	return pages;
}

static void waiting_shrink(bool hurry)
{
	uint64_t now = arch_ticks(), age = clock_to_ticks(PERIOD_NS), before = hurry ? now : now - age;
	uint64_t pages = 0;
	uint32_t walked = 0;
	bool later = false;
	for (struct g *g = g_all(); g != NULL; g = g->all_next) {
		if (batch.n_owned == OWNED_MAX || (batch.n_owned > 0 && ++walked == WALK_MAX))
			batch_end();
		if (batch.n_owned == 0)
			walked = 0;
		if (g == g_self() || !may_shrink(g))
			continue;
		if (!waits_since(g, before) || !batch_own(g)) {
			later |= atomic_load_explicit(&g->status, memory_order_relaxed) != G_DEAD;
			continue;
		}
		pages += waiting_take(g);
	}
	batch_end();
	atomic_fetch_add_explicit(&n_parked, pages, memory_order_relaxed);
	if (later)
		atomic_store_explicit(&left_over, true, memory_order_relaxed);
}

/* ---- ended goroutines ---- */

/* All pages of the stacks in a list by next. */
static size_t dead_strip(struct g *list)
{
	size_t pages = 0;
	for (struct g *g = list; g != NULL; g = g->next) {
		g_own_dead(g);
		/* One that never grew has its first page, and a look at thousands of absent ones is saved. */
		bool one = atomic_load_explicit(&g->grown, memory_order_relaxed) == G_FIRST_PAGE;
		pages += pages_take(g, stack_unused(g), one);
		atomic_store_explicit(&g->grown, G_FIRST_PAGE, memory_order_relaxed);
		g->bare = true;
	}
	frames_free();
	for (struct g *g = list; g != NULL; g = g->next)
		g_disown_dead(g);
	return pages;
}

static void dead_shrink(bool hurry)
{
	size_t pages = 0;
	bool later;
	struct g *m, *g;
	/* One at a time: the others can be started meanwhile. */
	for (uint32_t n = g_dead_idle(hurry, &later); n > 0 && (m = g_dead_take()) != NULL; n--) {
		pages += dead_strip(m);
		g_dead_put_bare(m);
	}
	for (unsigned class = 0; class < STACK_CLASSES; class ++) {
		while ((g = g_big_take(class)) != NULL) {
			pages += dead_strip(g);
			g_big_put(g);
		}
	}
	atomic_fetch_add_explicit(&n_dead, pages, memory_order_relaxed);
	if (later)
		atomic_store_explicit(&left_over, true, memory_order_relaxed);
}

void shrink_pass(bool hurry)
{
	mutex_lock(&pass_mutex);
	pools_pass(hurry);
	if (shrink_pass_hook != NULL)
		shrink_pass_hook(hurry);
	waiting_shrink(hurry);
	dead_shrink(hurry);
	atomic_fetch_add_explicit(&n_passes, 1,
				  memory_order_release); /* pairs with the acquire in shrink_stats() */
	atomic_store_explicit(&hurry_after, clock_deadline(HURRY_NS), memory_order_relaxed);
	mutex_unlock(&pass_mutex);
}

/* ---- the goroutine ---- */

/* Whether a doze is to end before its time. */
static bool doze_unwanted(void)
{
	bool due = arch_ticks() >= atomic_load_explicit(&hurry_after, memory_order_relaxed);
	return (due && atomic_load(&hurry_wanted) != 0) ||
	       (atomic_load(&long_doze) && atomic_load(&stack_grew));
}

static void wake_from(uint32_t from)
{
	/* rule 4; one of those who find it asleep wakes it */
	if (atomic_compare_exchange_strong(&state, &from, AWAKE))
		ready(shrinker);
}

static void doze_over(struct ktimer *t)
{
	(void)t;
	wake_from(DOZING);
}

void shrink_wake(bool hurry)
{
	if (hurry) {
		shrink_want();
		atomic_store(&hurry_wanted, 1);
	}
	atomic_thread_fence(memory_order_seq_cst); /* rule 4: shrink_want() is relaxed */
	uint32_t s = atomic_load_explicit(&state, memory_order_relaxed);
	if (s == ASLEEP || (s == DOZING && doze_unwanted()))
		wake_from(s);
}

static void sleep_until_wanted(void)
{
	park_prepare(WAIT_SYSTEM);
	atomic_store(&state, ASLEEP);
	if (atomic_load(&stack_grew)) /* rule 4: it was wanted before it was asleep */
		wake_from(ASLEEP);
	park_commit();
}

static void doze(uint64_t ns)
{
	park_prepare(WAIT_SYSTEM);
	atomic_store(&state, DOZING);
	ktimer_set(&doze_timer, clock_deadline(ns));
	if (doze_unwanted()) /* rule 4 */
		wake_from(DOZING);
	park_commit();
	ktimer_cancel_wait(&doze_timer);
}

static void run(void *arg)
{
	uint64_t period = PERIOD_NS;
	(void)arg;
	shrinker = g_self();
	for (;;) {
		bool fresh = atomic_load(&stack_grew);
		if (!fresh && !atomic_load_explicit(&left_over, memory_order_relaxed) && !shrink_always) {
			sleep_until_wanted();
			continue;
		}
		if (fresh)
			period = PERIOD_NS;
		if (atomic_load(&hurry_wanted) == 0) {
			atomic_store(&long_doze, period > PERIOD_NS);
			doze(shrink_always ? ALWAYS_NS : period);
			if (period > PERIOD_NS && atomic_load(&stack_grew) && atomic_load(&hurry_wanted) == 0)
				continue; /* woken for what is new: in a period from now */
		} else if (arch_ticks() < atomic_load_explicit(&hurry_after, memory_order_relaxed)) {
			atomic_store(&long_doze, false);
			doze(HURRY_NS);
		}
		bool hurry = atomic_exchange(&hurry_wanted, 0) != 0;
		atomic_store(&stack_grew, false); /* what comes from here on is for the next pass */
		atomic_store_explicit(&left_over, false, memory_order_relaxed);
		uint64_t given = pages_given();
		shrink_pass(hurry || shrink_always);
		/* Something may be left over for ever: a goroutine that wakes more often than it may shrink. */
		period = pages_given() != given ? PERIOD_NS : period < PERIOD_MAX_NS ? 2 * period : period;
	}
}

bool shrink_start(void)
{
	doze_timer.fn = doze_over;
	doze_timer.system = true;
	return ktimer_reserve(&doze_timer) && go_system(run, NULL, "runtime.shrink") != 0;
}

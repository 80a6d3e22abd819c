/*
 * The barrier: a consistent look at all goroutines while they run. The world stands only until the barrier is up; from then on nobody
 * who was alive runs an instruction of its own before it has been looked at, by whoever comes first:
 *
 *	walker (a goroutine, over the list of all)   --own-->  absent -> in progress -> visit() -> passed  --disown-->
 *	scheduler (before it runs a goroutine)       --own-->        the same
 *
 * A goroutine's state is a number, compared with those of the round: so nothing is reset between rounds, and no second stop is needed.
 *
 *	g->barrier:  below `round`: absent       round: in progress       round + 1: passed
 *
 * Direct switches look only while `aside` of their hart is set, which lies in the word that they read anyway: with no barrier up, a switch
 * costs nothing. Harts stop in the scheduler, so that those who were preempted or interrupted come by, too.
 *
 * 1. A goroutine that was alive when the world stood passes exactly once, before it runs again. Otherwise it would be seen later than
 *    others, or its stack be walked while it runs. The state changes only under the ownership bit of its stack.
 * 2. What it is, of the program or of the kernel, is asked by visit(), in progress. Otherwise the cleanup goroutine, which changes
 *    that while it runs, could be let by as the one and be looked at as the other.
 * 3. A goroutine that is started while the barrier is up has passed. Otherwise it would be seen though it was not alive.
 * 4. The walker is done when every goroutine has passed, not when it has visited them. Otherwise it could take the barrier down under a
 *    visit.
 * 5. barrier_passed and `up` are relaxed: they are written while the world stands (rule 4 of sched/stw.c), and `up` once more when nobody
 *    can be absent. A state is released when it becomes "passed" and acquired by who finds that. Otherwise what a visit wrote down could
 *    be read before it is there.
 */
#include <hartbeat/go.h>
#include <hartbeat/sync.h>

#include "kernel/assert.h"
#include "sched/impl.h"
#include "sched/own.h"

enum {
	AT_ONCE = 64, /* goroutines in a stretch of the walk */
	YIELDS = 16,
};

_Atomic uint64_t barrier_passed = 1; /* written while the world stands */

static struct mutex turn; /* of those who put a barrier up */
static struct barrier *_Atomic
	up; /* written while the world stands, or when nobody can be absent any more; relaxed (rule 5) */

static uint64_t state_of(const struct g *g)
{
	/* rule 5: pairs with the release in visit_owned(); who was started since was released by start(), sched/g.c */
	return atomic_load_explicit(&g->barrier, memory_order_acquire);
}

static bool passed(const struct g *g)
{
	return state_of(g) == atomic_load_explicit(&barrier_passed, memory_order_relaxed);
}

/* The caller owns g, or is g. */
static void visit_owned(struct barrier *b, struct g *g)
{
	uint64_t after = atomic_load_explicit(&barrier_passed, memory_order_relaxed), round = after - 1;
	if (passed(g))
		return;
	/* relaxed: under the ownership bit, which acquires (rule 1) */
	uint64_t before = atomic_exchange_explicit(&g->barrier, round, memory_order_relaxed);
	ASSERT(before < round, "a goroutine passes the barrier once");
	b->visit(b, g);
	/* rule 5: pairs with the acquire in state_of() */
	store_release(&g->barrier, after);
}

bool barrier_stops(const struct g *g)
{
#ifdef MUTANT_class_before_state
	if (g->system)
		return false;
#endif
	return !passed(g);
}

bool barrier_pass_sys(struct g *g)
{
	while (!passed(g)) {
		if (g_own(g)) {
			visit_owned(atomic_load_explicit(&up, memory_order_relaxed), g);
			g_disown(g);
			break;
		}
		/* Somebody has its stack: the walker, who is looking at it, or one who knows nothing of the barrier. */
		uint32_t s = G_RUNNABLE | G_OWNED;
		/* pairs with the operation in g_disown(): the owner queues it */
		if (atomic_compare_exchange_strong(&g->status, &s, s | G_DEFERRED))
			return false;
	}
	return true;
}

/* Off the walker's hart, on one, and not owned. */
static bool runs(uint32_t status)
{
	return status == G_RUNNING || status == G_PARKING || status == G_READIED;
}

/* One look at g by the walker, with preemption off; false: again, somebody else is at it. */
static bool walk_one(struct barrier *b, struct g *g)
{
	if (passed(g))
		return true;
#ifdef MUTANT_visit_unowned
	uint32_t was = atomic_load_explicit(&g->status, memory_order_relaxed);
	if (was == G_WAITING || was == G_RUNNABLE) {
		visit_owned(b, g);
		return true;
	}
#endif
	if (g_own(g)) {
		visit_owned(b, g);
		g_disown(g);
		return true;
	}
	/* Pairs with the release in g_disown() by who let it pass, whose word g_run_begin() went on from. That g then parks by a plain store
	 * (park_prepare()) changes nothing where stores are seen by all harts in one order, as on both architectures. */
	uint32_t status = atomic_load_explicit(&g->status, memory_order_acquire);
	if ((status & G_STATUS_MASK) == G_IDLE || (status & G_STATUS_MASK) == G_DEAD)
		return true;
	ASSERT(!runs(status) || passed(g), "a goroutine that runs has passed the barrier");
	return passed(g);
}

/*
 * A stretch of the walk from g on, with preemption off: of AT_ONCE goroutines, or fewer when the hart is wanted. Returns where to go on.
 */
static struct g *walk_some(struct barrier *b, struct g *g)
{
	struct g *self = g_self();
	preempt_disable();
	g_owns_begin();
	for (uint32_t n = 0; g != NULL && n < AT_ONCE && walk_one(b, g); n++, g = g->all_next)
		if (atomic_load_explicit(&self->resched, memory_order_relaxed))
			n = AT_ONCE;
	g_owns_end();
	preempt_enable();
	return g;
}

/* Somebody could run on this hart. */
static bool hart_wanted(void)
{
	preempt_disable();
	const struct sched_hart *s = arch_hart()->sched;
	bool wanted = !runq_empty(&s->q) || atomic_load_explicit(&s->n_pinned, memory_order_relaxed) > 0 ||
		      !globq_empty();
	preempt_enable();
	return wanted;
}

/*
 * Lets others have three fifths of this hart or more, if there are any: half, with what comes before and after the walk. Those who give it back
 * at once are asked as often as YIELDS. run, since: self's run_ticks, and the time, when the walk began.
 */
static void share(const struct g *self, uint64_t run, uint64_t since)
{
	for (uint32_t n = 0; n < YIELDS; n++) {
		uint64_t now = arch_ticks(), ran = self->run_ticks + (now - self->run_since) - run;
		if (ran <= (now - since) * 2 / 5 || !hart_wanted())
			return;
		go_yield();
	}
}

static void aside_set(uint32_t value)
{
	for (uint32_t i = 0; i < hart_count; i++)
		store_relaxed(&harts[i]->aside, value);
}

void barrier_run(struct barrier *b, enum stw_kind kind)
{
	struct g *self = g_self();
	mutex_lock(&turn);
	stw_begin(kind);
	store_relaxed(&barrier_passed, atomic_load_explicit(&barrier_passed, memory_order_relaxed) + 2);
	atomic_store_explicit(&up, b, memory_order_relaxed);
	aside_set(1);
	struct g *all = g_all();
	if (b->stopped != NULL)
		b->stopped(b);
	preempt_disable(); /* before the world goes on: nothing changes about the caller until it has been looked at */
	stw_end();
	visit_owned(b, self);
	preempt_enable();
	uint64_t since = arch_ticks(), run = self->run_ticks + (since - self->run_since);
	for (struct g *g = all, *before = NULL; g != NULL;) {
		if (b->step != NULL)
			b->step(b);
		if (g == before)
			go_yield(); /* somebody else is at it */
		else
			share(self, run, since);
		before = g;
		g = walk_some(b, g);
	}
	aside_set(0);
	atomic_store_explicit(&up, NULL, memory_order_relaxed);
	mutex_unlock(&turn);
}

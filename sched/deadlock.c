/*
 * Partial deadlocks: goroutines that wait for each other's mutexes, found by the one whose waiting closes the cycle.
 *
 *	g --wanted--> mutex --owner--> g' --wanted--> mutex' --owner--> ... --owner--> g
 *
 * Who is about to wait says so in g->wanted, then follows the arrows. Mostly the first owner waits for nothing and that is all; else it
 * goes on under a lock, one such walk at a time. The cycle is reported, once; the program goes on, because a mutex may be unlocked by
 * another goroutine, unless the boot option sched.deadlock=fatal says that in this program it is not.
 *
 * 1. wanted is written before the walk, with a full barrier between. Otherwise two goroutines that close a cycle together would both miss
 *    it.
 * 2. A goroutine that has got its mutex clears wanted, then waits for a walk that is under way (a full barrier between, and in the walk
 *    between `walking` and the reads). Otherwise the mutex the walk looks at could be freed meanwhile. So who is seen to wait stays in
 *    mutex_lock() until the walk is over. Descriptors of goroutines live for ever.
 * 3. A cycle is walked twice. The first time an owner may be read that gives the mutex away before it is seen to wait; the second time
 *    all of them stay where they are. Otherwise a cycle could be reported that never was.
 * 4. Those of a cycle that was found are marked. Otherwise it would be reported by each of several that closed it together.
 *
 * What it cannot know: a goroutine that ended with a mutex locked is taken for the one that has its descriptor now.
 */
#include "sched/deadlock.h"

#include <string.h>

#include <hartbeat/go.h>

#include "kernel/heap.h"
#include "kernel/panic.h"
#include "kernel/print.h"
#include "kernel/traceback.h"
#include "sched/impl.h"
#include "sched/mutex.h"
#include "sched/own.h"

bool sched_deadlock_fatal;

enum { REPORTED = 1, CYCLE_MAX = 32, STEPS_MAX = 10000, OWN_TRIES = 1000, STACK_TEXT = 16384 };

static struct spinlock walk_lock = SPINLOCK_INIT(RANK_DEADLOCK); /* one walk at a time; guards REPORTED */
static _Atomic bool walking;
static _Atomic uint32_t found;

struct link {
	struct g *g;
	uint64_t id, holder; /* of g, and of who holds what it waits for */
	const struct mutex *wants;
};

uint32_t deadlocks_found(void)
{
	return atomic_load_explicit(&found, memory_order_relaxed);
}

static const struct mutex *wanted(const struct g *g)
{
	/* pairs with the release in deadlock_wait() */
	return (const struct mutex *)(atomic_load_explicit(&g->wanted, memory_order_acquire) &
				      ~(uintptr_t)REPORTED);
}

/* From self along the arrows: how many goroutines there are until self comes again; 0: it does not. */
static uint32_t walk_locked(const struct g *self)
{
	const struct g *g = self, *mark = NULL;
	for (uint32_t n = 1, next_mark = 1; n <= STEPS_MAX; n++) {
		const struct mutex *m = wanted(g);
		const struct g *owner = m != NULL ? mutex_owner(m) : NULL;
		if (owner == self)
			return n;
		/* nobody waits here; or the mutex was handed to g, which is about to see it; or a cycle that self only leads to */
		if (owner == NULL || owner == g || owner == mark)
			return 0;
#ifdef MUTANT_deadlock_walk
		if (n == 2)
			return 0;
#endif
		if (n == next_mark) {
			mark = owner;
			next_mark *= 2;
		}
		g = owner;
	}
	return 0;
}

/* The same way once more, now that nobody on it can leave (rule 3), into links; false when it is not a cycle or was reported. */
static bool cycle_take_locked(struct g *self, uint32_t n, struct link *links)
{
	struct g *g = self;
	if ((atomic_load_explicit(&self->wanted, memory_order_relaxed) & REPORTED) != 0)
		return false;
	for (uint32_t pass = 0; pass < 2; pass++) {
		for (uint32_t i = 0; i < n; i++) {
			const struct mutex *m = wanted(g);
			struct g *owner = m != NULL ? mutex_owner(m) : NULL;
			if (pass == 0 && (owner == NULL || (owner == self) != (i == n - 1)))
				return false;
			if (pass == 1) {
				uintptr_t word = (uintptr_t)m;
				/* relaxed: REPORTED is read and set under walk_lock; nothing hangs on it but itself */
				atomic_compare_exchange_strong_explicit(&g->wanted, &word, word | REPORTED,
									memory_order_relaxed,
									memory_order_relaxed);
				if (i < CYCLE_MAX)
					links[i] = (struct link){g, g->id, owner != NULL ? owner->id : 0, m};
			}
			if (owner == NULL)
				return false;
			g = owner;
		}
	}
	return true;
}

/* The stack of a goroutine of the cycle, which soon waits if it does not yet. */
static void link_print(const struct link *l, char *buf)
{
	struct report_text t;
	report_text_init(&t, buf, STACK_TEXT);
	report_line(&t.report, "%s", "");
	report_line(&t.report,
		    "goroutine %lu waits for mutex %p, held by goroutine %lu:", (unsigned long)l->id,
		    (const void *)l->wants, (unsigned long)l->holder);
	for (int i = 0; i < OWN_TRIES && wanted(l->g) == l->wants; i++) {
		preempt_disable();
		bool mine = g_own(l->g);
		if (mine) {
			if (l->g->id == l->id)
				goroutine_report(&t.report, l->g);
			g_disown(l->g);
		}
		preempt_enable();
		if (mine)
			break;
		go_yield();
	}
	report_console.line(&report_console, t.buf, t.n);
}

static void self_print(const struct link *l, char *buf)
{
	struct report_text t;
	struct arch_unwind u;
	traceback_here(&u);
	report_text_init(&t, buf, STACK_TEXT);
	report_line(&t.report, "%s", "");
	report_line(&t.report,
		    "goroutine %lu waits for mutex %p, held by goroutine %lu:", (unsigned long)l->id,
		    (const void *)l->wants, (unsigned long)l->holder);
	traceback_header(&t.report, l->g, "running", 0);
	traceback_frames(&t.report, &u, NULL, l->g, 1);
	traceback_created_by(&t.report, l->g);
	report_console.line(&report_console, t.buf, t.n);
}

static void report(const struct link *links, uint32_t n)
{
	char *buf = heap_alloc(STACK_TEXT);
	if (n == 1)
		print_line("deadlock: a goroutine waits for a mutex that it holds");
	else
		print_line("deadlock: %u goroutines wait for each other's mutexes", n);
	if (buf != NULL) {
		self_print(&links[0], buf);
		for (uint32_t i = 1; i < n && i < CYCLE_MAX; i++)
			link_print(&links[i], buf);
		heap_free(buf);
	}
	if (n > CYCLE_MAX)
		print_line("...and %u more goroutines", n - CYCLE_MAX);
	print_line("%s", "");
	atomic_fetch_add_explicit(&found, 1, memory_order_relaxed);
	if (sched_deadlock_fatal)
		fatal_goroutines("goroutines wait for each other's mutexes - deadlock!");
}

__attribute__((noinline)) static void search(struct g *self)
{
	struct link links[CYCLE_MAX];
	spin_lock(&walk_lock);
	atomic_store_explicit(&walking, true, memory_order_relaxed);
	atomic_thread_fence(memory_order_seq_cst); /* pairs with the fence in deadlock_done() */
	uint32_t n = walk_locked(self);
	bool cycle = n > 0 && cycle_take_locked(self, n, links);
	/* pairs with the acquire in deadlock_done(): the walk has looked before the mutex may be freed */
	atomic_store_explicit(&walking, false, memory_order_release);
	spin_unlock(&walk_lock);
	if (cycle)
		report(links, n);
}

void deadlock_wait(const struct mutex *m)
{
	struct g *self = g_self();
	/* pairs with the acquire in wanted() */
	atomic_store_explicit(&self->wanted, (uintptr_t)m, memory_order_release);
	atomic_thread_fence(memory_order_seq_cst); /* rule 1; pairs with itself on another hart */
	const struct g *owner = mutex_owner(m);
	if (owner != NULL && wanted(owner) != NULL)
		search(self);
}

void deadlock_done(void)
{
	atomic_store_explicit(&g_self()->wanted, 0, memory_order_relaxed);
	atomic_thread_fence(memory_order_seq_cst); /* rule 2; pairs with the fence in search() */
	/* pairs with the release in search() */
	if (__builtin_expect(atomic_load_explicit(&walking, memory_order_acquire), 0)) {
		spin_lock(&walk_lock);
		spin_unlock(&walk_lock);
	}
}

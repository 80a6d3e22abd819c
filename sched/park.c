/*
 * Parking and waking (the transitions of a goroutine that waits).
 *
 *	RUNNING --park_prepare--> PARKING --who arrives, off the stack--> WAITING --ready--> RUNNABLE
 *	        <--park_cancel---    \--ready--> READIED --who arrives, off the stack--> RUNNABLE
 *
 * 1. A goroutine becomes WAITING only after its hart has left its stack. Otherwise whoever readies it could run it on two harts.
 * 2. The waiter is visible to wakers before it is PARKING only under the primitive's lock. Otherwise a wake-up gets lost.
 * 3. A goroutine whose stack is owned changes its status beneath the bit, and its owner queues it (sched/own.c). Otherwise a hart would wait
 *    for the owner.
 */
#include "kernel/assert.h"
#include "sched/park.h"

const uintptr_t wait_no_pcs[1];

/* For a wake-up that was written down before a profile was turned off. */
static void drop(struct g *g, uintptr_t pc, uintptr_t fp)
{
	(void)g;
	(void)pc;
	(void)fp;
}

sched_wait_fn *sched_wait_hook = drop;
static sched_late_fn *late_hook;

void sched_late(struct g *g, uint32_t why, uint64_t ticks)
{
	/* pairs with the release in sched_waits() */
	sched_late_fn *fn = __atomic_load_n(&late_hook, __ATOMIC_ACQUIRE);
	if (fn == NULL)
		return;
	struct hart *h = arch_hart();
	struct g *left = h->left;
	h->left = g; /* nobody else runs or owns it */
	fn(g, why, ticks);
	h->left = left;
}

void sched_waits(sched_wait_fn *fn, sched_late_fn *late)
{
	/* pairs with the acquire in sched_late() */
	__atomic_store_n(&late_hook, late, __ATOMIC_RELEASE);
	/* pairs with the acquire in wait_told(): whoever is woken from now on finds it */
	__atomic_store_n(&sched_wait_hook, fn != NULL ? fn : drop, __ATOMIC_RELEASE);
	/* pairs with the acquire in wake_noted() and ready_watched_inline(): who is woken because of it finds the hook */
	__atomic_store_n(&watched.waits, fn != NULL, __ATOMIC_RELEASE);
}

void park_prepare(enum wait_reason reason)
{
	preempt_disable();
	if (trace_active())
		park_prepare_traced(g_self(), reason);
	else
		park_prepare_raised(g_self(), reason);
}

void park_commit_out(void)
{
	park_commit_short(g_self(), MAYBE_TRACED);
}

void park_cancel(void)
{
	struct g *g = g_self();
	ASSERT(atomic_load_explicit(&g->status, memory_order_relaxed) == G_PARKING,
	       "a park is cancelled before anybody makes ready");
	atomic_store_explicit(&g->status, G_RUNNING, memory_order_relaxed);
	TRACE(go_on(g));
	preempt_enable();
}

/* g had the status `was` when it was made ready, and is not simply to be queued. True: it is. */
static bool ready_queues(struct g *g, uint32_t was)
{
	if (was == G_WAITING)
		return true;
	if (was == G_PARKING)
		return false; /* whoever sees that it has left its stack queues it */
	ASSERT(was == (G_WAITING | G_OWNED), "a goroutine that is made ready was waiting");
	uint32_t s = G_RUNNABLE | G_OWNED;
	while ((s & G_OWNED) != 0)
		/* pairs with the operation in g_disown(): the owner queues it, behind what the waker did */
		if (atomic_compare_exchange_weak(&g->status, &s, s | G_DEFERRED))
			return false;
	return true; /* its owner gave it back meanwhile */
}

__attribute__((noinline)) static void ready_watched(struct g *g)
{
	ready_watched_inline(g);
}

void ready_rest(struct g *g, uint32_t left)
{
	if (left == READY_ALL) {
		ready_watched(g);
	} else if (left == READY_QUEUED) {
		if (g != NULL)
			runq_put_tail(&arch_hart()->sched->q, g);
		wake_one();
	} else if (ready_queues(g, left)) {
		if (g->pinned != NULL) {
			pin_put(g);
		} else {
			runq_put_next(&arch_hart()->sched->q, g);
			wake_one();
		}
	}
}

void ready(struct g *g)
{
	preempt_disable();
	uint32_t left = ready_short(&g);
	if (__builtin_expect(left != READY_DONE, 0))
		ready_rest(g, left);
	preempt_enable();
}

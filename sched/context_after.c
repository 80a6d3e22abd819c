/*
 * Functions that start when a context is cancelled.
 *
 *	WAITING ---the context is cancelled---> STARTED          by one compare-and-swap each
 *	   \------context_after_stop()--------> STOPPED
 *
 * 1. What has been STARTED gets its goroutine: without memory for one, a timer whose place is reserved tries again each millisecond, and
 *    holds a reference. Otherwise a function that somebody counts on would not run.
 */
#include "sched/context.h"

#include <stddef.h>

#include <hartbeat/go.h>

#include "kernel/assert.h"
#include "kernel/clock.h"
#include "kernel/heap.h"
#include "sched/sched.h"

enum { WAITING, STARTED, STOPPED, RETRY_NS = 1000000 };

struct context_after {
	struct context_link link; /* link.of: a reference is held */
	void (*fn)(void *);
	void *arg;
	struct ktimer retry;
	/* Of those that change the state from WAITING one wins, and does what follows; what it looks at was written before l was listed, under
	 * the context's lock. So the state is relaxed. */
	_Atomic uint32_t state;
	_Atomic uint32_t refs;
};

static struct context_after *of_link(struct context_link *l)
{
	return (struct context_after *)((char *)l - offsetof(struct context_after, link));
}

static void put(struct context_after *a)
{
	/* pairs with itself: what others did with it comes before it is freed */
	if (atomic_fetch_sub_explicit(&a->refs, 1, memory_order_acq_rel) != 1)
		return;
	ktimer_cancel_wait(&a->retry);
	ktimer_unreserve(&a->retry);
	context_release(a->link.of);
	heap_free(a);
}

static void start(struct context_after *a)
{
	if (go(a->fn, a->arg) != 0)
		put(a);
	else
		ktimer_set(&a->retry, clock_deadline(RETRY_NS));
}

static void start_again(struct ktimer *t)
{
	start(t->arg);
}

/* Under the lock of the context, out of whose list it was taken just now: its owner's reference is there, for freeing takes the lock. */
bool context_after_keep(struct context_link *l)
{
	atomic_fetch_add_explicit(&of_link(l)->refs, 1, memory_order_relaxed);
	return true;
}

void context_after_start(struct context_link *l)
{
	struct context_after *a = of_link(l);
	uint32_t waiting = WAITING;
	if (atomic_compare_exchange_strong_explicit(&a->state, &waiting, STARTED, memory_order_relaxed,
						    memory_order_relaxed))
		start(a);
	else
		put(a);
}

struct context_after *context_after_func(struct context *c, void (*fn)(void *), void *arg)
{
	ASSERT(fn != NULL, "context_after_func needs a function");
	struct context_after *a = heap_alloc_zero(sizeof *a);
	if (a == NULL)
		return NULL;
	a->fn = fn;
	a->arg = arg;
	a->retry = (struct ktimer){.fn = start_again, .arg = a, .system = g_self()->system};
	if (!ktimer_reserve(&a->retry)) {
		heap_free(a);
		return NULL;
	}
	atomic_init(&a->refs, 1);
	a->link.after = true;
	if (c->source == NULL)
		return a;
	a->link.of = context_retain(c->source);
	if (!context_link_in(&a->link)) {
		context_after_keep(&a->link);
		context_after_start(&a->link);
	}
	return a;
}

bool context_after_stop(struct context_after *a)
{
	uint32_t waiting = WAITING;
	bool stopped = atomic_compare_exchange_strong_explicit(&a->state, &waiting, STOPPED,
							       memory_order_relaxed, memory_order_relaxed);
	context_link_out(&a->link);
	return stopped;
}

void context_after_free(struct context_after *a)
{
	if (a == NULL)
		return;
	context_after_stop(a);
	put(a);
}

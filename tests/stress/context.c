/* Contexts: a cancellation or deadline reaches everybody below, once, and nobody beside. */
#include "tests/stress/stress.h"

#include <hartbeat/chan.h>
#include <hartbeat/context.h>

enum { DEPTH_MAX = 5, WAITERS_MAX = 10 };

struct waiter {
	struct context *c;
	struct waitgroup *left;
	_Atomic uint32_t *woken;
	struct rng r;
};

static void wait_done(void *arg)
{
	struct waiter *w = arg;
	stress_pause(&w->r);
	CHECK(!chan_recv(context_done(w->c), NULL));
	CHECK(context_err(w->c) != NULL);
	context_release(w->c);
	atomic_fetch_add(w->woken, 1);
	waitgroup_done(w->left);
}

static struct context *child(struct rng *r, struct context *parent)
{
	switch (stress_below(r, 3)) {
	case 0:
		return context_with_timeout(parent, stress_below(r, 2000000));
	case 1:
		return context_with_value(parent, r, r);
	default:
		return context_with_cancel(parent);
	}
}

/* A chain of contexts, waiters on random links; the top is cancelled while deadlines of the lower ones may pass. */
static void context(struct rng *r)
{
	struct context *chain[DEPTH_MAX + 1];
	uint32_t depth = stress_between(r, 1, DEPTH_MAX), waiters = stress_between(r, 1, WAITERS_MAX);
	struct waiter w[WAITERS_MAX];
	struct waitgroup left = {0};
	_Atomic uint32_t woken = 0;
	struct context *aside = context_with_cancel(context_background());
	chain[0] = context_with_cancel(context_background());
	for (uint32_t i = 1; i <= depth; i++)
		chain[i] = chain[i - 1] == NULL ? NULL : child(r, chain[i - 1]);
	bool whole = aside != NULL && chain[depth] != NULL;
	for (uint32_t i = 0; whole && i < waiters; i++) {
		w[i] = (struct waiter){context_retain(chain[stress_below(r, depth + 1)]), &left, &woken,
				       stress_split(r)};
		stress_go(&left, wait_done, &w[i]);
	}
	stress_pause(r);
	/* Whoever made a context may give it back before it is done. */
	for (uint32_t i = 1; i <= depth; i++)
		if (stress_below(r, 2) == 0) {
			context_release(chain[i]);
			chain[i] = NULL;
		}
	if (whole) {
		context_cancel(chain[0]);
		for (uint32_t i = 0; i <= depth; i++)
			CHECK(chain[i] == NULL ||
			      context_err(chain[i]) != NULL); /* all of them, before it returns */
		waitgroup_wait(&left);
		CHECK_EQ(woken, waiters);
		CHECK(context_err(chain[0]) == context_canceled);
		CHECK(context_err(aside) == NULL);
	}
	for (uint32_t i = 0; i <= depth; i++)
		context_release(chain[i]);
	context_release(aside);
}

const struct actor stress_context[] = {
	{"context", "a cancellation reaches all below, and nobody beside", context},
	{0},
};

/* What the tests of contexts share. */
#ifndef TESTS_GUEST_CONTEXTS_H
#define TESTS_GUEST_CONTEXTS_H

#include <hartbeat/context.h>

#include "kernel/assert.h"
#include "timers.h"

#define SHORT (2 * TIME_MILLISECOND)

static inline struct context *made(struct context *c)
{
	if (c == NULL)
		panic("out of memory: no context for a test");
	return c;
}

static inline bool closed(struct chan *c)
{
	bool ok = true;
	return chan_try_recv(c, NULL, &ok) && !ok;
}

/* Waits until c is cancelled; what it answers afterwards. */
static inline void check_cancelled(struct context *c, const char *err, const char *cause)
{
	struct chan *done = context_done(c);
	for (uint64_t end = time_now() + PATIENCE; !closed(done) && time_now() < end;)
		time_sleep(100 * TIME_MICROSECOND);
	CHECK(closed(done));
	CHECK(context_err(c) == err);
	CHECK(context_cause(c) == cause);
}

static inline void check_open(struct context *c)
{
	CHECK(context_done(c) != NULL && !closed(context_done(c)));
	CHECK(context_err(c) == NULL && context_cause(c) == NULL);
}

static inline void check_cancelled_now(struct context *c, const char *err)
{
	CHECK(closed(context_done(c)));
	CHECK(context_err(c) == err);
}

static inline struct context_after *after(struct context *c, void (*fn)(void *), void *arg)
{
	struct context_after *a = context_after_func(c, fn, arg);
	if (a == NULL)
		panic("out of memory: no context_after for a test");
	return a;
}

#endif

/*
 * Contexts: deadlines, cancellation and values that go down a tree of calls and goroutines. Semantics as Go's package context.
 *
 *	struct context *c = context_with_timeout(context_background(), 2 * TIME_SECOND);
 *	work(c);                       looks at context_err(c), or selects on context_done(c)
 *	context_cancel(c);
 *	context_release(c);
 *
 * Ownership: the functions context_with_..., context_without_cancel() and context_retain() give the caller a reference, to be given back with
 * context_release(), from any goroutine. A context holds a reference to its parent. When the last one is gone, the context is freed, with
 * its deadline and channel; its children live on. Releasing does not cancel.
 *
 * A context is cancelled once: by itself, its deadline, or its parent, whichever comes first; err and cause keep what came first. Cancelling
 * reaches all descendants before it returns. Functions return NULL when memory is out: then nothing was made. All are called from a
 * goroutine.
 */
#ifndef HARTBEAT_CONTEXT_H
#define HARTBEAT_CONTEXT_H

#include <stdbool.h>
#include <stdint.h>

#include <hartbeat/chan.h>

#ifdef __cplusplus
extern "C" {
#endif

struct context;

/* What context_err() returns; compare the addresses. */
extern const char context_canceled[];          /* "context canceled" */
extern const char context_deadline_exceeded[]; /* "context deadline exceeded" */

/* The root: never cancelled, no deadline, no values. Retaining and releasing it does nothing. */
struct context *context_background(void);

struct context *context_with_cancel(struct context *parent) __attribute__((warn_unused_result));
/* Cancelled with context_deadline_exceeded at `deadline` (time_now()), or as the parent is. With a cause for that, or NULL. */
struct context *context_with_deadline(struct context *parent, uint64_t deadline)
	__attribute__((warn_unused_result));
struct context *context_with_deadline_cause(struct context *parent, uint64_t deadline, const char *cause)
	__attribute__((warn_unused_result));
/* The same, ns from now; not positive: cancelled already. */
struct context *context_with_timeout(struct context *parent, uint64_t ns) __attribute__((warn_unused_result));
struct context *context_with_timeout_cause(struct context *parent, uint64_t ns, const char *cause)
	__attribute__((warn_unused_result));
/* Finds `value` under `key`, an address of the caller's that is nobody else's. Panics when key is NULL: nil key */
struct context *context_with_value(struct context *parent, const void *key, void *value)
	__attribute__((warn_unused_result));
/* Has the parent's values, and is not cancelled with it. */
struct context *context_without_cancel(struct context *parent) __attribute__((warn_unused_result));

/* Cancels c and its descendants: err is context_canceled. Does nothing when it is cancelled already. c was made by context_with_cancel(),
 * _deadline() or _timeout(). */
void context_cancel(struct context *c);
/* The same with a cause: text that lives as long as any of the contexts; NULL: context_canceled. */
void context_cancel_cause(struct context *c, const char *cause);

/* A channel that is closed when c is cancelled; to be received from, not closed or freed; it lives as long as c. NULL when c never is. */
struct chan *context_done(struct context *c);
/* NULL, or why c was cancelled. Once it is not NULL, the channel is closed. */
const char *context_err(struct context *c);
/* NULL, or the cause given with it, by whoever came first; without one, what context_err() returns. */
const char *context_cause(struct context *c);
/* Whether c has a deadline, its own or an ancestor's; the earliest in *deadline, which may be NULL. */
bool context_deadline(struct context *c, uint64_t *deadline);
/* The value under key, of c or its nearest ancestor that has one; NULL without. */
void *context_value(struct context *c, const void *key);

struct context *context_retain(struct context *c);
void context_release(struct context *c); /* NULL is allowed */

/* Starts fn(arg) in a goroutine when c is cancelled, at once if it is already. The caller gives the result back with
 * context_after_free(). NULL when memory is out. */
struct context_after *context_after_func(struct context *c, void (*fn)(void *), void *arg)
	__attribute__((warn_unused_result));
/* True: fn will not run. False: its goroutine was started, or it was stopped already. Does not wait for fn. */
bool context_after_stop(struct context_after *a);
/* Stops and frees it. NULL is allowed. */
void context_after_free(struct context_after *a);

#ifdef __cplusplus
}
#endif

#endif

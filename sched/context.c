/*
 * Contexts: a tree of what is cancelled together, with deadlines and values.
 *
 *	background <-parent- A (cancel) <-parent- V (value) <-parent- B (deadline) <-parent- W (without cancel)
 *	                     A.children: B                            B.children: none; W.source is NULL
 *
 * `parent` holds a reference and serves values; `source` is who cancels; only contexts that can be cancelled themselves are in a list of
 * children, that of their parent's source. A list holds no references: a context that is freed takes itself out.
 *
 * Cancelling goes down the tree without recursion and with one lock at a time: mark a context (err, cause, channel closed), do the same with the
 * first of its children, first child first, and take out of its list who has no children left; link.of is the way back. Several may go down one
 * tree at once: they help each other. Locks of contexts have one rank, and two are never held together, so there is no order to keep between
 * parent and child.
 *
 * 1. err is written once, under the lock, with the channel closed before the lock is given back. Otherwise two causes would mix.
 * 2. No child enters the list of a context with err set: link_in() looks under the lock, and says so. Otherwise the child would not hear.
 * 3. Who finds a child in a list takes a reference under the same lock, if the child has any left: one without is being freed and waits
 *    for the lock. Otherwise the walk would use freed memory.
 * 4. A context is freed after its deadline's function is running nowhere, and that function uses the context only with a reference.
 *    Otherwise the same.
 * 5. A context that is cancelled stays in the list until all below it are. Otherwise its parent's cancellation, while a deadline's is still on
 *    its way down, would not find them, and return before they are cancelled.
 */
#include "sched/context.h"

#include <stddef.h>

#include <hartbeat/go.h>
#include <hartbeat/panic.h>

#include "kernel/assert.h"
#include "kernel/clock.h"
#include "kernel/heap.h"
#include "sched/sched.h"

enum { STEPS_IN_TIMER = 64 };

const char context_canceled[] = "context canceled";
const char context_deadline_exceeded[] = "context deadline exceeded";

static struct context background = {.deadline = UINT64_MAX};

struct context *context_background(void)
{
	return &background;
}

/* ---- references ---- */

struct context *context_retain(struct context *c)
{
	if (c != &background)
		atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
	return c;
}

/* False: c is being freed. */
static bool keep(struct context *c)
{
	uint32_t n = atomic_load_explicit(&c->refs, memory_order_relaxed);
	/* pairs with the subtraction in context_release() */
	while (n != 0 && !atomic_compare_exchange_weak_explicit(&c->refs, &n, n + 1, memory_order_acquire,
								memory_order_relaxed))
		;
	return n != 0;
}

static void destroy(struct context *c)
{
	context_link_out(&c->link);
	if (c->timed)
		ktimer_cancel_wait(&c->timer);
	chan_free(c->done);
	heap_free(c);
}

void context_release(struct context *c)
{
	/* both ways: pairs with itself, what others did with c comes before it is freed, and with keep() */
	while (c != NULL && c != &background &&
	       atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) == 1) {
		struct context *parent = c->parent;
		destroy(c);
		c = parent; /* its reference is given back next */
	}
}

/* ---- the tree ---- */

bool context_link_in(struct context_link *l)
{
	struct context *c = l->of;
	spin_lock(&c->lock);
	bool open = atomic_load_explicit(&c->err, memory_order_relaxed) == NULL;
	if (open) {
		l->linked = true;
		l->prev = NULL;
		l->next = c->children;
		if (c->children != NULL)
			c->children->prev = l;
		c->children = l;
	}
	spin_unlock(&c->lock);
	return open;
}

static void unlink_locked(struct context *c, struct context_link *l)
{
	*(l->prev != NULL ? &l->prev->next : &c->children) = l->next;
	if (l->next != NULL)
		l->next->prev = l->prev;
	l->linked = false;
}

void context_link_out(struct context_link *l)
{
	struct context *c = l->of;
	if (c == NULL)
		return;
	spin_lock(&c->lock);
	if (l->linked)
		unlink_locked(c, l);
	spin_unlock(&c->lock);
}

static struct context *of_link(struct context_link *l)
{
	return (struct context *)((char *)l - offsetof(struct context, link));
}

/* ---- cancelling ---- */

/* True: c was not cancelled, and is now. A reference is held. */
static bool mark(struct context *c, const char *err, const char *cause)
{
	spin_lock(&c->lock);
	bool first = atomic_load_explicit(&c->err, memory_order_relaxed) == NULL;
	if (first) {
		c->cause = cause;
		/* pairs with the acquire in context_err() */
		atomic_store_explicit(&c->err, err, memory_order_release);
		chan_close(c->done);
		/* pairs with the acquire in context_err(): the channel is closed */
		atomic_store_explicit(&c->closed, true, memory_order_release);
	}
	spin_unlock(&c->lock);
#ifdef MUTANT_context_early
	context_link_out(&c->link); /* though those below it are not cancelled yet */
#endif
	if (first && c->timed)
		ktimer_cancel(&c->timer);
	return first;
}

/*
 * One step down or up from c, which is marked, in the tree of top. Of each context from top down to c a reference is held; that to c is given back
 * on the way up. Returns where to go on; NULL: nobody is left below top.
 */
static struct context *step(struct context *top, struct context *c)
{
	spin_lock(&c->lock);
	struct context_link *l = c->children;
	bool kept = l != NULL && (l->after ? context_after_keep(l) : keep(of_link(l))); /* rule 3 */
	if (l != NULL && (l->after || !kept))
		unlink_locked(c, l);
	spin_unlock(&c->lock);
	if (l == NULL && c == top)
		return NULL;
	if (l == NULL) {
		struct context *up = c->link.of;
		context_link_out(&c->link); /* rule 5 */
		context_release(c);
		return up;
	}
	if (!kept)
		return c;
	if (l->after) {
		context_after_start(l);
		return c;
	}
	(void)mark(of_link(l), atomic_load_explicit(&c->err, memory_order_relaxed), c->cause);
	return of_link(l);
}

/* Cancels all below top, which is marked; a reference to it is given back. */
static void walk(void *top)
{
	for (struct context *c = top; c != NULL;)
		c = step(top, c);
	context_link_out(&((struct context *)top)->link); /* rule 5 */
	context_release(top);
}

/* A reference to c is held. */
static void cancel(struct context *c, const char *err, const char *cause)
{
	(void)mark(c, err, cause != NULL ? cause : err);
	walk(context_retain(c)); /* also if somebody else marked it: he may still be on his way */
}

/* System context. A large tree is gone through by a goroutine, if there is memory for one: from the top again, where those that are left are. */
static void deadline_passed(struct ktimer *t)
{
	struct context *top = t->arg, *c = top;
	if (!keep(top))
		return;
	const char *err = context_deadline_exceeded;
	if (!mark(top, err, top->deadline_cause != NULL ? top->deadline_cause : err)) {
		context_release(top);
		return;
	}
	for (int i = 0; i < STEPS_IN_TIMER && c != NULL; i++)
		c = step(top, c);
	while (c != NULL && c != top) {
		struct context *up = c->link.of;
		context_release(c);
		c = up;
	}
	if (c == NULL || go_system(walk, top, "context") == 0)
		walk(top);
}

void context_cancel_cause(struct context *c, const char *cause)
{
	ASSERT(c->source == c,
	       "a context that is cancelled was made by with_cancel, with_deadline or with_timeout");
	cancel(c, context_canceled, cause);
}

void context_cancel(struct context *c)
{
	context_cancel_cause(c, NULL);
}

/* ---- making ---- */

/* A child with the parent's values, deadline and source. */
static struct context *make(struct context *parent)
{
	if (parent == NULL)
		go_panic("cannot create context from nil parent");
	struct context *c = heap_alloc_zero(sizeof *c);
	if (c == NULL)
		return NULL;
	c->lock = (struct spinlock)SPINLOCK_INIT(RANK_CONTEXT);
	c->parent = context_retain(parent);
	c->source = parent->source;
	c->deadline = parent->deadline;
	atomic_init(&c->refs, 1);
	return c;
}

/* One that can be cancelled itself, not yet in the tree. */
static struct context *make_source(struct context *parent)
{
	struct context *c = make(parent);
	if (c == NULL)
		return NULL;
	c->done = chan_make(0, 0);
	if (c->done == NULL) {
		context_release(c);
		return NULL;
	}
	c->link.of = parent->source;
	c->source = c;
	return c;
}

/* From here on c is cancelled with its parent. */
static struct context *join(struct context *c)
{
	struct context *above = c->link.of;
	if (above != NULL && !context_link_in(&c->link))
		cancel(c, atomic_load_explicit(&above->err, memory_order_relaxed), above->cause);
	return c;
}

struct context *context_with_cancel(struct context *parent)
{
	struct context *c = make_source(parent);
	return c == NULL ? NULL : join(c);
}

struct context *context_with_deadline_cause(struct context *parent, uint64_t deadline, const char *cause)
{
	struct context *c = make_source(parent);
	if (c == NULL)
		return NULL;
	if (c->deadline <= deadline)
		return join(c); /* the parent's comes first */
	c->deadline = deadline;
	c->deadline_cause = cause;
	if (deadline <= clock_ns()) {
		join(c);
		cancel(c, context_deadline_exceeded, cause);
		return c;
	}
	c->timer = (struct ktimer){.fn = deadline_passed, .arg = c, .system = g_self()->system};
	c->timed = true;
	if (!ktimer_add(&c->timer, clock_ticks_at(deadline))) {
		context_release(c);
		return NULL;
	}
	return join(c);
}

struct context *context_with_deadline(struct context *parent, uint64_t deadline)
{
	return context_with_deadline_cause(parent, deadline, NULL);
}

struct context *context_with_timeout_cause(struct context *parent, uint64_t ns, const char *cause)
{
	uint64_t now = clock_ns();
	return context_with_deadline_cause(parent, ns > INT64_MAX ? now : now + ns, cause);
}

struct context *context_with_timeout(struct context *parent, uint64_t ns)
{
	return context_with_timeout_cause(parent, ns, NULL);
}

struct context *context_with_value(struct context *parent, const void *key, void *value)
{
	if (key == NULL)
		go_panic("nil key");
	struct context *c = make(parent);
	if (c != NULL) {
		c->key = key;
		c->value = value;
	}
	return c;
}

struct context *context_without_cancel(struct context *parent)
{
	struct context *c = make(parent);
	if (c != NULL) {
		c->source = NULL;
		c->deadline = UINT64_MAX;
	}
	return c;
}

/* ---- asking ---- */

struct chan *context_done(struct context *c)
{
	return c->source == NULL ? NULL : c->source->done;
}

const char *context_err(struct context *c)
{
	struct context *s = c->source;
	if (s == NULL)
		return NULL;
	/* pairs with the release in mark() */
	const char *err = atomic_load_explicit(&s->err, memory_order_acquire);
	if (err != NULL && !atomic_load_explicit(&s->closed, memory_order_acquire)) {
		spin_lock(&s->lock); /* until the channel is closed */
		spin_unlock(&s->lock);
	}
	return err;
}

const char *context_cause(struct context *c)
{
	return context_err(c) == NULL ? NULL : c->source->cause;
}

bool context_deadline(struct context *c, uint64_t *deadline)
{
	if (c->deadline == UINT64_MAX)
		return false;
	if (deadline != NULL)
		*deadline = c->deadline;
	return true;
}

void *context_value(struct context *c, const void *key)
{
	for (; c != NULL && key != NULL; c = c->parent)
		if (c->key == key)
			return c->value;
	return NULL;
}

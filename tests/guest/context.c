/* <hartbeat/context.h>, by the names of Go's tests. What is waited for may take the host's time; what must not happen is checked at once. */
#include "contexts.h"

#include <stdatomic.h>
#include <string.h>

#include <hartbeat/go.h>
#include <hartbeat/panic.h>
#include <hartbeat/sync.h>

#include "kernel/hart.h"
#include "kernel/ktimer.h"

GUEST_TEST(context, background, "the root is never cancelled, has no deadline and no values")
{
	struct context *c = context_background();
	CHECK(context_done(c) == NULL && context_err(c) == NULL && context_cause(c) == NULL);
	CHECK(!context_deadline(c, NULL) && context_value(c, &c) == NULL);
	context_release(context_retain(c));
	context_release(NULL);
}

GUEST_TEST(context, with_cancel, "cancelling reaches the descendants, also over a value, before it returns")
{
	struct context *c1 = made(context_with_cancel(context_background()));
	struct context *o = made(context_with_value(c1, &c1, &c1)), *c2 = made(context_with_cancel(o));
	struct context *all[] = {c1, o, c2};
	for (int i = 0; i < 3; i++)
		check_open(all[i]);
	context_cancel(c1);
	for (int i = 0; i < 3; i++)
		check_cancelled_now(all[i], context_canceled);
	CHECK(strcmp(context_err(c2), "context canceled") == 0);
	context_cancel(c1);
	context_cancel(c2);
	for (int i = 0; i < 3; i++)
		context_release(all[i]);
}

GUEST_TEST(context, child_finishes_first,
	   "a child that is cancelled leaves its parent and its siblings alone")
{
	struct context *parent = made(context_with_cancel(context_background()));
	struct context *child = made(context_with_cancel(parent)), *other = made(context_with_cancel(parent));
	context_cancel(child);
	check_cancelled_now(child, context_canceled);
	check_open(parent);
	check_open(other);
	context_release(child);
	context_release(other);
	context_release(parent);
}

GUEST_TEST(context, parent_finishes_child,
	   "a child may outlive the last reference to its parent, and is still cancelled by its grandparent")
{
	struct context *root = made(context_with_cancel(context_background()));
	struct context *middle = made(context_with_cancel(root)), *child = made(context_with_cancel(middle));
	context_release(middle);
	check_open(child);
	context_cancel(root);
	check_cancelled_now(child, context_canceled);
	context_release(root);
	context_release(child);
}

static void check_deadline(struct context *c)
{
	check_cancelled(c, context_deadline_exceeded, context_deadline_exceeded);
	uint64_t deadline;
	CHECK(context_deadline(c, &deadline) && deadline <= time_now());
	context_release(c);
}

GUEST_TEST(context, deadline,
	   "a context is cancelled at its deadline or its parent's, whichever is earlier, and at once if it "
	   "has passed")
{
	struct context *b = context_background();
	CHECK(strcmp(context_deadline_exceeded, "context deadline exceeded") == 0);
	check_deadline(made(context_with_deadline(b, time_now() + SHORT)));
	struct context *parent = made(context_with_deadline(b, time_now() + SHORT));
	struct context *late = made(context_with_deadline(parent, time_now() + HOUR));
	struct context *early = made(context_with_deadline(b, time_now() + HOUR));
	check_deadline(made(context_with_deadline(early, time_now() + SHORT)));
	check_open(early);
	check_deadline(late);
	context_release(parent);
	context_release(early);
	struct context *past = made(context_with_deadline(b, time_now() - 1));
	check_cancelled_now(past, context_deadline_exceeded);
	check_deadline(past);
	past = made(context_with_deadline(b, time_now()));
	check_cancelled_now(past, context_deadline_exceeded);
	check_deadline(past);
}

GUEST_TEST(context, timeout,
	   "a context is cancelled when its time is over, not before; negative time is over")
{
	struct context *b = context_background();
	uint64_t start = time_now();
	struct context *c = made(context_with_timeout(b, SHORT)),
		       *child = made(context_with_timeout(c, HOUR));
	check_cancelled(c, context_deadline_exceeded, context_deadline_exceeded);
	CHECK(time_now() >= start + SHORT);
	check_deadline(child);
	context_release(c);
	c = made(context_with_timeout(b, (uint64_t)-5));
	check_cancelled_now(c, context_deadline_exceeded);
	context_release(c);
	c = made(context_with_timeout(b, INT64_MAX));
	check_open(c);
	context_release(c);
}

GUEST_TEST(context, canceled_timeout,
	   "a context with a deadline can be cancelled before; its deadline is taken out")
{
	uint32_t armed = timers_armed();
	struct context *c = made(context_with_timeout(context_background(), HOUR));
	struct context *child = made(context_with_timeout(c, HOUR / 2));
	CHECK_EQ(timers_armed(), armed + 2);
	context_cancel(child);
	check_cancelled_now(child, context_canceled);
	check_open(c);
	CHECK_EQ(timers_armed(), armed + 1);
	context_release(child);
	context_release(c);
	CHECK_EQ(timers_armed(), armed);
}

static int keys[4];

GUEST_TEST(context, values,
	   "a value is found by its key from below, the nearest first, and lives with the tree")
{
	int v[3];
	struct context *b = context_background(), *c1 = made(context_with_value(b, &keys[0], &v[0]));
	struct context *c2 = made(context_with_value(c1, &keys[1], &v[1])),
		       *c3 = made(context_with_cancel(c2));
	struct context *c4 = made(context_with_value(c3, &keys[0], &v[2]));
	CHECK(context_value(c1, &keys[0]) == &v[0] && context_value(c1, &keys[1]) == NULL);
	CHECK(context_value(c3, &keys[0]) == &v[0] && context_value(c3, &keys[1]) == &v[1]);
	context_release(c1);
	context_release(c2);
	context_release(c3);
	CHECK(context_value(c4, &keys[0]) == &v[2] && context_value(c4, &keys[1]) == &v[1]);
	CHECK(context_value(c4, &keys[2]) == NULL && context_value(c4, NULL) == NULL);
	context_release(c4);
}

/* ---- concurrently ---- */

enum { TREE = 101 };

static void cancel_it(void *c)
{
	context_cancel(c);
}

GUEST_TEST(context, simultaneous_cancels,
	   "a tree of contexts all cancelled at once, in any order: each is, and each call returns")
{
	struct guest_group all = {0};
	struct context *tree[TREE] = {made(context_with_cancel(context_background()))};
	for (int i = 1; i < TREE; i++)
		tree[i] = made(context_with_cancel(tree[(i - 1) / 4]));
	for (int i = 0; i < TREE; i++)
		guest_go(&all, cancel_it, tree[i * 37 % TREE]);
	for (int i = 0; i < TREE; i++)
		check_cancelled(tree[i * 53 % TREE], context_canceled, context_canceled);
	guest_wait(&all);
	for (int i = 0; i < TREE; i++)
		context_release(tree[i * 11 % TREE]);
}

static struct {
	struct context *parent, *child;
} lock;

static void cancel_child_after(void *arg)
{
	(void)arg;
	chan_recv(context_done(lock.parent), NULL);
	context_cancel(lock.child);
}

GUEST_TEST(context, interlocked_cancels, "a child may be cancelled by who waits for its parent")
{
	for (uint32_t i = 0; i < guest_count(100, 5000); i++) {
		struct guest_group all = {0};
		lock.parent = made(context_with_cancel(context_background()));
		lock.child = made(context_with_cancel(lock.parent));
		guest_go(&all, cancel_child_after, NULL);
		context_cancel(lock.parent);
		chan_recv(context_done(lock.child), NULL);
		guest_wait(&all);
		context_release(lock.parent);
		context_release(lock.child);
	}
}

enum { LAYERS = 40 };

static void layers(bool timeout, uint64_t seed)
{
	struct context *c[LAYERS + 1] = {context_background()}, *last = NULL;
	static const char values[LAYERS + 1];
	bool valued[LAYERS + 1] = {false};
	uint32_t n_cancel = 0;
	for (int i = 1; i <= LAYERS; i++) {
		uint32_t what = i <= 3 ? (uint32_t)i - 1 : guest_random(&seed) % 3;
		if (what == 0)
			c[i] = context_with_value(c[i - 1], &values[i], (void *)&values[i]);
		else if (what == 1)
			c[i] = context_with_cancel(c[i - 1]);
		else
			c[i] = context_with_timeout(c[i - 1], timeout ? SHORT : HOUR);
		made(c[i]);
		valued[i] = what == 0;
		if (what != 0 && guest_random(&seed) % ++n_cancel == 0)
			last = c[i];
	}
	if (!timeout) {
		check_open(c[LAYERS]);
		context_cancel(last);
		check_cancelled_now(c[LAYERS], context_canceled);
	} else {
		check_cancelled(c[LAYERS], context_deadline_exceeded, context_deadline_exceeded);
	}
	for (int i = 1; i <= LAYERS; i++)
		CHECK(context_value(c[LAYERS], &values[i]) == (valued[i] ? &values[i] : NULL));
	for (int i = 1; i <= LAYERS; i++)
		context_release(c[i]);
}

GUEST_TEST(context, layers_cancel,
	   "forty layers of values, cancels and deadlines: cancelling any one reaches the last")
{
	for (uint64_t seed = 1; seed <= guest_count(20, 1000); seed++)
		layers(false, seed);
}

GUEST_TEST(context, layers_timeout, "forty layers with short deadlines: the last is cancelled by one of them")
{
	for (uint64_t seed = 1; seed <= guest_count(10, 200); seed++)
		layers(true, seed);
}

GUEST_TEST(context, with_cancel_canceled_parent,
	   "a child of a cancelled parent is cancelled from the start, with its cause")
{
	struct context *p = made(context_with_cancel(context_background()));
	context_cancel_cause(p, "because");
	struct context *c = made(context_with_cancel(p)), *d = made(context_with_timeout(p, HOUR));
	check_cancelled_now(c, context_canceled);
	check_cancelled_now(d, context_canceled);
	CHECK(strcmp(context_cause(c), "because") == 0 && context_cause(d) == context_cause(p));
	context_release(p);
	context_release(c);
	context_release(d);
}

static const char cause_text[] = "because";

static void cancel_because(void *c)
{
	context_cancel_cause(c, cause_text);
	context_release(c);
}

GUEST_TEST(context, with_cancel_simultaneously_canceled_parent,
	   "a child that is made while its parent is cancelled hears of it")
{
	for (uint32_t i = 0; i < guest_count(200, 10000); i++) {
		struct guest_group all = {0};
		struct context *p = made(context_with_cancel(context_background()));
		guest_go(&all, cancel_because, context_retain(p));
		if (i % 2)
			go_yield();
		struct context *c = made(context_with_cancel(p));
		check_cancelled(c, context_canceled, cause_text);
		guest_wait(&all);
		context_release(p);
		context_release(c);
	}
}

/* ---- causes ---- */

GUEST_TEST(context, cause, "the first cause wins, from above or below, cancelled or timed out")
{
	static const char one[] = "one", two[] = "two";
	struct context *b = context_background();
	struct context *p = made(context_with_cancel(b)), *c = made(context_with_cancel(p));
	context_cancel_cause(p, one);
	context_cancel_cause(c, two);
	CHECK(context_cause(p) == one && context_cause(c) == one && context_err(c) == context_canceled);
	context_release(c);
	context_release(p);

	p = made(context_with_cancel(b));
	c = made(context_with_cancel(p));
	context_cancel_cause(c, two);
	context_cancel_cause(p, one);
	context_cancel_cause(p, two);
	CHECK(context_cause(p) == one && context_cause(c) == two);
	context_release(c);
	context_release(p);

	c = made(context_with_cancel(b));
	context_cancel_cause(c, NULL);
	CHECK(context_cause(c) == context_canceled);
	context_release(c);

	c = made(context_with_timeout_cause(b, SHORT, one));
	p = made(context_with_cancel(c));
	check_cancelled(p, context_deadline_exceeded, one);
	context_cancel_cause(c, two);
	CHECK(context_cause(c) == one && context_err(c) == context_deadline_exceeded);
	context_release(c);
	context_release(p);

	c = made(context_with_timeout_cause(b, HOUR, one));
	context_cancel(c);
	CHECK(context_cause(c) == context_canceled);
	context_release(c);

	c = made(context_with_timeout_cause(b, 0, one));
	CHECK(context_cause(c) == one && context_err(c) == context_deadline_exceeded);
	context_release(c);
}

GUEST_TEST(context, cause_race, "who polls the cause while it is set sees none or the right one")
{
	for (uint32_t i = 0; i < guest_count(100, 5000); i++) {
		struct guest_group all = {0};
		struct context *c = made(context_with_cancel(context_background()));
		const char *cause;
		guest_go(&all, cancel_because, context_retain(c));
		for (int n = 1; (cause = context_cause(c)) == NULL; n++)
			if (n % 1000 == 0)
				go_yield();
		CHECK(cause == cause_text);
		CHECK(closed(context_done(c))); /* err is not seen before the channel is closed */
		guest_wait(&all);
		context_release(c);
	}
}

GUEST_TEST(context, without_cancel, "without_cancel keeps values and nothing else")
{
	struct context *p = made(context_with_timeout(context_background(), HOUR));
	struct context *v = made(context_with_value(p, &keys[0], &keys[1]));
	struct context *c = made(context_without_cancel(v)), *below = made(context_with_cancel(c));
	CHECK(!context_deadline(c, NULL) && context_done(c) == NULL);
	context_cancel(p);
	CHECK(context_err(c) == NULL && context_cause(c) == NULL);
	check_open(below);
	CHECK(context_value(below, &keys[0]) == &keys[1]);
	context_release(p);
	context_release(v);
	context_release(c);
	context_release(below);
}

GUEST_TEST(context, with_value_checks_key, "a value without a key and a child without a parent panic")
{
	volatile int panics = 0;
	RECOVER_SCOPE (key) {
		(void)!context_with_value(context_background(), NULL, NULL);
	} else {
		panics += strcmp(key.message, "nil key") == 0;
	}
	RECOVER_SCOPE (parent) {
		(void)!context_with_cancel(NULL);
	} else {
		panics += strcmp(parent.message, "cannot create context from nil parent") == 0;
	}
	CHECK_EQ(panics, 2);
}

/* ---- size and memory ---- */

static _Atomic uint32_t ran;

static void run_once(void *arg)
{
	(void)arg;
	atomic_fetch_add(&ran, 1);
}

GUEST_TEST(context, deep, "ten thousand generations are cancelled and freed without recursion")
{
	enum { DEEP = 10000 };
	struct context *root = made(context_with_cancel(context_background())), *c = context_retain(root);
	for (int i = 0; i < DEEP; i++) {
		struct context *child = made(context_with_cancel(c));
		context_release(c);
		c = child;
	}
	context_cancel(root);
	check_cancelled_now(c, context_canceled);
	context_release(root);
	context_release(c);
}

GUEST_TEST(context, wide,
	   "a deadline reaches a thousand children, though they are more than a timer may take the time for")
{
	enum { WIDE = 1000 };
	static struct context *c[WIDE];
	struct context *p = made(context_with_timeout(context_background(), 5 * TIME_MILLISECOND));
	for (int i = 0; i < WIDE; i++)
		c[i] = made(i % 2 || i == 0 ? context_with_cancel(p) : context_with_timeout(c[i / 2], HOUR));
	for (int i = 0; i < WIDE; i++) {
		check_cancelled(c[i], context_deadline_exceeded, context_deadline_exceeded);
		context_release(c[i]);
	}
	context_release(p);
}

enum { MET = 10000 };

static struct {
	struct context *root, *p, *c[MET];
} met;

/* On another hart than the deadline's, if there is one: cancels amid what that does. */
static void cancel_amid(void *done)
{
	while (context_err(met.p) == NULL)
		guest_spin(TIME_MICROSECOND);
	context_cancel(met.root);
	for (int i = 0; i < MET; i++)
		check_cancelled_now(met.c[i], context_deadline_exceeded);
	waitgroup_done(done);
}

GUEST_TEST(context, cancel_meets_deadline,
	   "who cancels a tree returns when all in it are cancelled, also those that a deadline is on its "
	   "way to")
{
	enum { TIMES = 5 };
	go_pin();
	struct go_options other = {.pinned = true, .hart = (hart_index() + 1) % go_harts()};
	for (int k = 0; k < TIMES; k++) {
		struct waitgroup done = {0};
		waitgroup_add(&done, 1);
		met.root = made(context_with_cancel(context_background()));
		met.p = made(context_with_timeout(met.root, 100 * TIME_MILLISECOND));
		for (int i = 0; i < MET; i++)
			met.c[i] = made(context_with_cancel(i % 3 ? met.c[i / 3] : met.p));
		CHECK(go_with(cancel_amid, &done, &other) != 0);
		waitgroup_wait(&done);
		for (int i = 0; i < MET; i++)
			context_release(met.c[i]);
		context_release(met.p);
		context_release(met.root);
	}
	go_unpin();
}

/* Everything at once: made, cancelled from above and below, timed out, given back in any order. */
static void hammer(void *arg)
{
	struct context *above = arg;
	uint64_t seed = time_now() | 1;
	for (uint32_t i = 0; i < guest_count(300, 10000); i++) {
		uint64_t ns = guest_random(&seed) % (40 * TIME_MICROSECOND);
		struct context *p = made(context_with_timeout(above, guest_random(&seed) % 4 ? ns : HOUR));
		struct context *v = made(context_with_value(p, &keys[1], &keys[2]));
		struct context *c = made(context_with_timeout(v, ns / 2 + 1));
		struct context_after *a = after(c, run_once, NULL);
		if (guest_random(&seed) % 2)
			context_release(p), p = NULL;
		guest_spin(guest_random(&seed) % (20 * TIME_MICROSECOND));
		if (guest_random(&seed) % 3 == 0)
			context_cancel(c);
		context_release(c);
		if (p != NULL && guest_random(&seed) % 2)
			context_cancel(p);
		context_release(v);
		context_after_free(a);
		context_release(p);
	}
	context_release(above);
}

static void wait_closed(void *c)
{
	chan_recv(c, NULL);
}

GUEST_TEST(context, no_leak,
	   "contexts made, cancelled, timed out and released from all harts at once give everything back")
{
	struct guest_group crowd = {0};
	struct chan *go_home = chan_make(0, 0);
	uint32_t armed = timers_armed();
	size_t before = 0;
	/* more goroutines at once than the passes below have: descriptors are kept for the next ones */
	for (int i = 0; i < 1000; i++)
		guest_go(&crowd, wait_closed, go_home);
	chan_close(go_home);
	guest_wait(&crowd);
	chan_free(go_home);
	for (int pass = 0; pass < 3; pass++) {
		struct guest_group all = {0};
		struct context *root = made(context_with_cancel(context_background()));
		for (unsigned i = 0; i < 2 * go_harts(); i++)
			guest_go(&all, hammer, context_retain(root));
		time_sleep(TIME_MILLISECOND);
		if (pass % 2)
			context_cancel(root);
		guest_wait(&all);
		context_release(root);
		CHECK(guest_count_settles(1));
		if (pass > 0 && !heap_comes_to(before))
			guest_fail(__FILE__, __LINE__, "%zu objects before, %zu after", before,
				   heap_objects());
		before = heap_objects();
	}
	CHECK_EQ(timers_armed(), armed);
}

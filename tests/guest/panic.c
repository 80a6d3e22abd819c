/* Defer, panic and recover. */
#include "suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hartbeat/chan.h>
#include <hartbeat/go.h>
#include <hartbeat/panic.h>
#include <hartbeat/time.h>

/* What happened, in order: one letter each. */
static _Thread_local char trail[128];

static void note(void *letter)
{
	size_t n = strlen(trail);
	CHECK(n + 1 < sizeof trail);
	trail[n] = *(const char *)letter;
	trail[n + 1] = '\0';
}

#define NOTE(letter) ((void *)(uintptr_t)(letter))

static void trail_start(void)
{
	trail[0] = '\0';
}

#define CHECK_TRAIL(wanted)                                                                           \
	do {                                                                                          \
		if (strcmp(trail, wanted) != 0)                                                       \
			guest_fail(__FILE__, __LINE__, "trail \"%s\", wanted \"%s\"", trail, wanted); \
	} while (0)

/* ---- defer ---- */

static int leave_early(int how)
{
	DEFER(note, NOTE("a"));
	for (int i = 0; i < 3; i++) {
		DEFER(note, NOTE("b"));
		if (i == how)
			return i;
		if (i == how - 10)
			goto out;
		if (i == how - 20)
			break;
	}
	note(NOTE("c"));
out:
	return -1;
}

GUEST_TEST(panic, defer_scopes,
	   "deferred functions run when their block is left, whichever way, last in first out")
{
	trail_start();
	CHECK_EQ(leave_early(0), 0);
	CHECK_TRAIL("ba");
	trail_start();
	CHECK_EQ(leave_early(11), -1);
	CHECK_TRAIL("bba");
	trail_start();
	CHECK_EQ(leave_early(22), -1);
	CHECK_TRAIL("bbbca");
	trail_start();
	CHECK_EQ(leave_early(99), -1);
	CHECK_TRAIL("bbbca");
}

__attribute__((noipa)) static void raise_deep(int depth)
{
	DEFER(note, NOTE("d"));
	if (depth < 0)
		return;
	if (depth == 0)
		go_panic("deep %d %s", 42, "words");
	raise_deep(depth - 1);
	note(NOTE("x"));
}

GUEST_TEST(panic, recover_scope,
	   "a panic runs what was deferred inside the scope, and lands in its else part with the message")
{
	volatile int changed = 0;
	trail_start();
	DEFER(note, NOTE("z"));
	RECOVER_SCOPE (r) {
		changed = 1;
		raise_deep(3);
		changed = 2;
	} else {
		note(NOTE("l"));
		CHECK(strcmp(r.message, "deep 42 words") == 0);
	}
	CHECK_EQ(changed, 1);
	CHECK_TRAIL("ddddl");
	RECOVER_SCOPE (second) {
		note(NOTE("n"));
	} else {
		CHECK(false);
	}
	CHECK_TRAIL("ddddln");
	trail_start();
}

static int nested(int depth)
{
	volatile int landed = 0;
	RECOVER_SCOPE (r) {
		if (depth > 0)
			landed = nested(depth - 1);
		go_panic("level %d", depth);
	} else {
		char wanted[32];
		snprintf(wanted, sizeof wanted, "level %d", depth);
		CHECK(strcmp(r.message, wanted) == 0);
		landed++;
	}
	return landed;
}

GUEST_TEST(panic, nested_scopes, "each scope gets its own panic, and one after its block is not its")
{
	CHECK_EQ(nested(50), 51);
	RECOVER_SCOPE (outer) {
		RECOVER_SCOPE (inner) {
			note(NOTE("i"));
		} else {
			CHECK(false);
		}
		RECOVER_SCOPE (third) {
			go_panic("first");
		} else {
			go_panic("second");
		}
	} else {
		CHECK(strcmp(outer.message, "second") == 0);
	}
	for (volatile int i = 0; i < 3; i++) {
		RECOVER_SCOPE (loop) {
			if (i == 1)
				continue;
			break;
		} else {
			CHECK(false);
		}
	}
	RECOVER_SCOPE (last) {
		go_panic("%0300d", 1);
	} else {
		CHECK_EQ(strlen(last.message), PANIC_MESSAGE_MAX - 1);
	}
}

/* ---- recover in a deferred function ---- */

static const char *volatile seen;

static void recovering(void *arg)
{
	static char kept[PANIC_MESSAGE_MAX];
	const char *m = go_panicking(), *again = go_recover();
	CHECK(m == again);
	CHECK(go_recover() == NULL);
	if (again != NULL)
		snprintf(kept, sizeof kept, "%s", again);
	seen = again != NULL ? kept : NULL;
	note(arg);
}

static void expect_none(void *arg)
{
	CHECK(go_recover() == NULL);
	CHECK(go_panicking() == NULL);
	note(arg);
}

static void deferring(void)
{
	DEFER(expect_none, NOTE("3"));
	DEFER(recovering, NOTE("2"));
	DEFER(note, NOTE("1"));
	go_panic("for the deferred");
}

GUEST_TEST(panic, recover_deferred,
	   "a deferred function ends the panic; those after it find none, and the scope goes on (defer_test)")
{
	trail_start();
	CHECK(go_recover() == NULL);
	RECOVER_SCOPE (r) {
		deferring();
	} else {
		note(NOTE("l"));
		CHECK(strcmp(r.message, "for the deferred") == 0);
	}
	CHECK_TRAIL("123l");
	CHECK(seen != NULL && strcmp(seen, "for the deferred") == 0);
	CHECK(go_recover() == NULL);
}

/* Runs in the panic, and has a block of its own with a deferred function: that one is not the panic's. */
static void inner_defer(void *arg)
{
	{
		DEFER(expect_none, NOTE("i"));
	}
	RECOVER_SCOPE (r) {
		DEFER(expect_none, NOTE("j"));
		CHECK(go_panicking() != NULL);
	} else {
		CHECK(false);
	}
	RECOVER_SCOPE (s) {
		go_panic("inside");
	} else {
		CHECK(strcmp(s.message, "inside") == 0);
	}
	CHECK(go_panicking() != NULL && strcmp(go_panicking(), "outside") == 0);
	note(arg);
}

GUEST_TEST(panic, panic_in_deferred,
	   "a panic inside a deferred function is its own: caught there, it leaves the outer one alone")
{
	trail_start();
	RECOVER_SCOPE (r) {
		DEFER(inner_defer, NOTE("d"));
		go_panic("outside");
	} else {
		CHECK(strcmp(r.message, "outside") == 0);
	}
	CHECK_TRAIL("ijd");
}

static void raise_again(void *text)
{
	go_recover();
	go_panic("%s", (const char *)text);
}

GUEST_TEST(panic, panic_replaces, "a panic that leaves a deferred function takes the place of the first")
{
	trail_start();
	RECOVER_SCOPE (r) {
		DEFER(note, NOTE("2"));
		DEFER(raise_again, (void *)(uintptr_t) "B");
		DEFER(note, NOTE("1"));
		go_panic("A");
	} else {
		CHECK(strcmp(r.message, "B") == 0);
	}
	CHECK_TRAIL("12");
}

/* ---- the end of a goroutine ---- */

static struct {
	struct chan *done;
	char trail[128];
} ended;

static void tell(void *arg)
{
	(void)arg;
	strcpy(ended.trail, trail);
	chan_send(ended.done, NULL);
}

static void run(void (*fn)(void *))
{
	ended.done = chan_make(0, 0);
	CHECK(ended.done != NULL && go(fn, NULL) != 0);
	chan_recv(ended.done, NULL);
	chan_free(ended.done);
}

static void ends_deep(void *arg)
{
	(void)arg;
	DEFER(tell, NULL);
	DEFER(expect_none, NOTE("2"));
	RECOVER_SCOPE (r) {
		DEFER(expect_none, NOTE("1"));
		go_exit();
	} else {
		note(NOTE("x"));
	}
	note(NOTE("y"));
}

GUEST_TEST(panic, exit_runs_deferred,
	   "go_exit runs every deferred function, which find no panic, and no scope stops it (Goexit)")
{
	run(ends_deep);
	CHECK(strcmp(ended.trail, "12") == 0);
}

static void raising(void *arg)
{
	note(arg);
	go_panic("while it ends");
}

static void ends_with_panic(void *arg)
{
	(void)arg;
	DEFER(tell, NULL);
	DEFER(note, NOTE("3"));
	RECOVER_SCOPE (r) {
		DEFER(recovering, NOTE("2"));
		DEFER(raising, NOTE("1"));
		go_exit();
	} else {
		note(NOTE("x"));
	}
	note(NOTE("y"));
}

static void ends_with_panic_in_scope(void *arg)
{
	(void)arg;
	DEFER(tell, NULL);
	DEFER(note, NOTE("3"));
	RECOVER_SCOPE (r) {
		DEFER(raising, NOTE("1"));
		go_exit();
	} else {
		note(NOTE("x"));
	}
	note(NOTE("y"));
}

GUEST_TEST(panic, exit_survives_panic,
	   "a panic while go_exit runs is recovered from, and the goroutine still ends "
	   "(RecoverBeforePanicAfterGoexit)")
{
	run(ends_with_panic);
	CHECK(strcmp(ended.trail, "123") == 0);
	run(ends_with_panic_in_scope);
	CHECK(strcmp(ended.trail, "13") == 0);
}

static void exits(void *arg)
{
	note(arg);
	go_exit();
}

static void exits_in_panic(void *arg)
{
	(void)arg;
	DEFER(tell, NULL);
	RECOVER_SCOPE (r) {
		DEFER(expect_none, NOTE("2"));
		DEFER(exits, NOTE("1"));
		go_panic("forgotten");
	} else {
		note(NOTE("x"));
	}
}

GUEST_TEST(panic, exit_in_panic,
	   "go_exit in a deferred function ends the panic with the goroutine (GoexitInPanic)")
{
	run(exits_in_panic);
	CHECK(strcmp(ended.trail, "12") == 0);
}

static void without_scope(void *arg)
{
	(void)arg;
	DEFER(tell, NULL);
	DEFER(recovering, NOTE("1"));
	raise_deep(2);
	note(NOTE("x"));
}

GUEST_TEST(
	panic, recover_without_scope,
	"without a scope a recovered panic ends the goroutine, as a deferred recover at its top does in Go")
{
	run(without_scope);
	CHECK(strcmp(ended.trail, "ddd1") == 0);
}

/* ---- what is kept ---- */

static double scale(double x, int how)
{
	/* values in callee-saved floating-point registers across the scope */
	double a = x * 3, b = x * 5, c = x * 7;
	volatile double d = 0;
	RECOVER_SCOPE (r) {
		double e = x;
		for (int i = 0; i < how; i++)
			e = e * 1.5 + (double)(i + trail[0]);
		d = e;
		raise_deep(how % 7);
	} else {
		return a + b + c + (d > 0 ? 1 : 2);
	}
	return 0;
}

static void scale_many(void *arg)
{
	for (int i = 1; i < 300; i++) {
		trail_start();
		double x = (double)i + (double)(uintptr_t)arg;
		double got = scale(x, i);
		if (got != x * 15 + 1)
			guest_fail(__FILE__, __LINE__, "%f for %f", got, x);
		if (i % 16 == 0)
			go_yield();
	}
}

GUEST_TEST(
	panic, registers,
	"callee-saved registers, floating point too, are those of the scope; each goroutine has its own list")
{
	struct guest_group all = {0};
	for (uintptr_t i = 0; i < 8; i++)
		guest_go(&all, scale_many, (void *)i);
	guest_wait(&all);
}

static void parks(void *arg)
{
	time_sleep(TIME_MILLISECOND);
	note(arg);
}

GUEST_TEST(
	panic, park_in_deferred,
	"a deferred function may wait, and the goroutine change its hart, in a panic (PanicDeadlockGosched)")
{
	trail_start();
	RECOVER_SCOPE (r) {
		DEFER(parks, NOTE("2"));
		DEFER(parks, NOTE("1"));
		go_panic("waits");
	} else {
		note(NOTE("l"));
	}
	CHECK_TRAIL("12l");
}

/* ---- misuse that is recovered from ---- */

static void misuse(int which)
{
	struct chan *c = chan_make(sizeof(int), 1);
	struct waitgroup w = {0};
	int v = 1;
	DEFER((void (*)(void *))chan_free, c);
	chan_close(which == 3 ? NULL : c);
	if (which == 0)
		chan_send(c, &v);
	if (which == 1)
		chan_close(c);
	if (which == 2) {
		waitgroup_add(&w, 2);
		waitgroup_add(&w, -3);
	}
}

GUEST_TEST(panic, misuse, "what Go panics for is a panic that can be recovered, and nothing stays locked")
{
	static const char *const wanted[] = {"send on closed channel", "close of closed channel",
					     "sync: negative WaitGroup counter", "close of nil channel"};
	for (volatile int i = 0; i < 4; i++) {
		RECOVER_SCOPE (r) {
			misuse(i);
			CHECK(false);
		} else {
			if (strcmp(r.message, wanted[i]) != 0)
				guest_fail(__FILE__, __LINE__, "%s, wanted %s", r.message, wanted[i]);
		}
	}
}

/* ---- the C library ---- */

static int compare(const void *a, const void *b)
{
	static _Thread_local int calls;
	if (++calls % 1000 == 0)
		go_panic("call %d", calls);
	return *(const int *)a < *(const int *)b ? -1 : *(const int *)a > *(const int *)b;
}

GUEST_TEST(panic, qsort_comparator,
	   "a panic leaves qsort from its comparator: the array holds the same elements, and sorts again")
{
	enum { N = 500 };
	static int values[N];
	volatile int landed = 0;
	for (int i = 0; i < N; i++)
		values[i] = (i * 7919 + 13) % N;
	for (volatile int round = 0; round < 6; round++) {
		RECOVER_SCOPE (r) {
			qsort(values, N, sizeof values[0], compare);
		} else {
			landed++;
			long sum = 0, squares = 0;
			for (int i = 0; i < N; i++) {
				sum += values[i];
				squares += (long)values[i] * values[i];
			}
			CHECK_EQ(sum, (long)N * (N - 1) / 2);
			CHECK_EQ(squares, (long)(N - 1) * N * (2 * N - 1) / 6);
		}
	}
	CHECK(landed > 0);
}

static int put_panics(char c, FILE *f)
{
	(void)f;
	if (c == '!')
		go_panic("in the middle of a stream");
	if (c == '(') {
		/* inside the lock of the stream, held twice for a while */
		RECOVER_SCOPE (r) {
			fprintf(f, "!");
		} else {
			CHECK(strcmp(r.message, "in the middle of a stream") == 0);
		}
	}
	return (unsigned char)c;
}

static FILE panicking = FDEV_SETUP_STREAM(put_panics, NULL, NULL, _FDEV_SETUP_WRITE);

static void use_stream(void *arg)
{
	fprintf(&panicking, "fine %p\n", arg);
}

GUEST_TEST(panic, stdio_stream,
	   "a panic out of a stdio function gives the lock of the stream back, as often as it was taken")
{
	for (volatile int i = 0; i < 3; i++) {
		RECOVER_SCOPE (r) {
			fprintf(&panicking, "a ( b %d!\n", i);
			CHECK(false);
		} else {
			CHECK(strcmp(r.message, "in the middle of a stream") == 0);
		}
		struct guest_group other = {0};
		guest_go(&other, use_stream, NULL); /* waits for ever if the lock is still taken */
		guest_wait(&other);
	}
}

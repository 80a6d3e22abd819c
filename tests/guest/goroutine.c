/* The goroutine profile. What has a counterpart among Go's tests bears its name (docs/go-tests.md). */
#include "profiles.h"
#include "suite.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hartbeat/chan.h>
#include <hartbeat/cleanup.h>
#include <hartbeat/go.h>
#include <hartbeat/labels.h>
#include <hartbeat/prof.h>
#include <hartbeat/profile.h>
#include <hartbeat/time.h>

#include "kernel/g.h"
#include "sched/sched.h"

/* ---- helpers ---- */

static bool in_order(const char *text, const char *const *what, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const char *at = strstr(text, what[i]);
		if (at == NULL) {
			guest_note("'%s' is not there, or not in its place", what[i]);
			return false;
		}
		text = at + strlen(what[i]) - 1; /* a newline may end one and begin the next */
	}
	return true;
}

#define IN_ORDER(text, ...)                                \
	in_order(text, (const char *const[]){__VA_ARGS__}, \
		 sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

static struct chan *gate;
static struct guest_group waiters;

#define WAITER(name)                                          \
	static __attribute__((noinline)) void name(void *arg) \
	{                                                     \
		(void)arg;                                    \
		chan_recv(gate, NULL);                        \
		__asm__ volatile("");                         \
	}

WAITER(func1)
WAITER(func2)
WAITER(func3)
WAITER(func4)

static void gate_open(void)
{
	chan_close(gate);
	guest_wait(&waiters);
	chan_free(gate);
}

static void yield_some(void)
{
	for (int i = 0; i < 5; i++)
		go_yield();
}

/* Until so many goroutines wait at the gate. */
static void gate_settles(uint32_t n)
{
	uint64_t until = time_now() + 10 * TIME_SECOND;
	for (;;) {
		uint32_t waiting = 0;
		char *text = goroutine_text(2);
		for (const char *at = text; (at = strstr(at, "[chan receive")) != NULL; at++)
			waiting++;
		free(text);
		if (waiting >= n || time_now() > until)
			return;
		time_sleep(TIME_MILLISECOND);
	}
}

static void start_some(int n)
{
	for (int i = 0; i < n; i++) {
		guest_go(&waiters, i % 10 == 0 ? func1 : i % 2 == 0 ? func2 : func3, NULL);
		yield_some();
	}
}

static void start_labelled(void *arg)
{
	(void)arg;
	start_some(89);
}

/* ---- Go's tests ---- */

GUEST_TEST(goroutine, goroutine_counts, "goroutines are grouped by stack and labels, the most first, in text")
{
	gate = chan_make(0, 0);
	start_some(100);
	CHECK_EQ(labels_do(&(struct label){"label", "value"}, 1, start_labelled, NULL), 0);
	LABELS_SCOPE({"self-label", "self-value"});
	void *garbage = object_new(8);
	CHECK_EQ(finalizer_set(garbage, func4), 0); /* its labels are not the caller's */
	object_release(garbage);
	gate_settles(190);
	char *text = goroutine_text(1);
	CHECK(IN_ORDER(text, "goroutine profile: total ", "\n50 @ ", "\tfunc3+0x", "\n44 @ ",
		       "\n# labels: {\"label\":\"value\"}\n", "\tfunc3+0x", "\n40 @ ", "\tfunc2+0x",
		       "\n36 @ ", "\n# labels: {\"label\":\"value\"}\n", "\tfunc2+0x", "\n10 @ ",
		       "\tfunc1+0x", "\n9 @ ", "\n# labels: {\"label\":\"value\"}\n", "\tfunc1+0x",
		       "\n1 @ "));
	CHECK(strstr(text, "\n# labels: {\"self-label\":\"self-value\"}\n") != NULL);
	CHECK(strstr(text, "\tfunc4+0x") != NULL); /* the finalizer */
	CHECK_EQ(profile_total(text), go_count());
	CHECK_EQ(profile_sum(text), profile_total(text));
	free(text);
	gate_open();
	cleanup_wait();
}

static void profile_some(void *arg)
{
	for (uintptr_t i = 0; i < (uintptr_t)arg; i++) {
		char *text = goroutine_text(i % 3 == 2 ? 2 : 1);
		if (i % 3 != 2)
			CHECK_EQ(profile_sum(text), profile_total(text));
		free(text);
	}
}

static void wait_for_gate(void *arg)
{
	(void)arg;
	chan_recv(gate, NULL);
}

GUEST_TEST(goroutine, goroutine_profile_concurrency,
	   "requests overlap; the cleanup goroutine is not in it while it waits, and is while it runs a "
	   "function")
{
	struct guest_group all = {0};
	gate = chan_make(0, 0);
	for (int i = 0; i < 10; i++)
		guest_go(&all, profile_some, (void *)6);
	guest_wait(&all);
	void *o = object_new(8);
	CHECK(cleanup_add(o, wait_for_gate, NULL) != 0);
	char *text = goroutine_text(2);
	CHECK(strstr(text, "(cleanup)") == NULL);
	free(text);
	object_release(o);
	bool seen = false;
	for (int i = 0; i < 1000 && !seen; i++) {
		text = goroutine_text(1);
		seen = strstr(text, "\twait_for_gate+0x") != NULL;
		CHECK_EQ(profile_sum(text), profile_total(text));
		free(text);
		time_sleep(TIME_MILLISECOND);
	}
	CHECK(seen);
	gate_open();
	cleanup_wait();
}

static struct {
	_Atomic uint32_t begun, started; /* launches */
	_Atomic bool stop;
} order;

enum { LAUNCHES = 100 };

static void launched(void *arg)
{
	(void)arg;
	chan_recv(gate, NULL);
}

/* Each has its number as a label; so has who starts it, meanwhile. */
static void launch(void *arg)
{
	(void)arg;
	for (uint32_t i = 0; i < LAUNCHES && !atomic_load(&order.stop); i++) {
		char number[12];
		snprintf(number, sizeof number, "%u", (unsigned)i);
		LABELS_SCOPE({"launch", number});
		atomic_store(&order.begun, i + 1);
		guest_go(&waiters, launched, NULL);
		atomic_store(&order.started, i + 1);
		for (uint32_t k = 0; k < i / 4; k++) /* the profiles come while it goes on */
			go_yield();
	}
}

/* How many launches a profile holds: the first ones, each once. */
static uint32_t launches_in(const char *text)
{
	static const char label[] = "\n# labels: {\"launch\":\"";
	static uint32_t seen[LAUNCHES];
	uint32_t n = 0;
	memset(seen, 0, sizeof seen);
	for (const char *at = text; (at = strstr(at, label)) != NULL; at++) {
		const char *head = at, *starter = strstr(at, "\tlaunch+0x"), *end = strstr(at, "\n\n");
		unsigned long number = strtoul(at + sizeof label - 1, NULL, 10);
		if (starter != NULL && starter < end)
			continue;
		while (head > text && head[-1] != '\n')
			head--;
		CHECK(number < LAUNCHES);
		seen[number % LAUNCHES] += strtoul(head, NULL, 10);
		n++;
	}
	for (uint32_t i = 0; i < LAUNCHES; i++)
		if (seen[i] != (i < n))
			guest_fail(__FILE__, __LINE__, "launch %u of %u is there %u times", (unsigned)i,
				   (unsigned)n, (unsigned)seen[i]);
	return n;
}

/* Those that run after the moment of the profile are not seen to have run: their number is at most what had been started when it was
 * there, and at least what had been before it was asked for. */
GUEST_TEST(goroutine, launch_order,
	   "a profile holds the goroutines of one moment, while others are started: with one all before it")
{
	uint32_t alive = go_count();
	for (uint32_t i = 0; i < guest_count(10, 100); i++) {
		struct guest_group all = {0};
		CHECK(guest_count_settles(alive));
		gate = chan_make(0, 0);
		atomic_store(&order.begun, 0);
		atomic_store(&order.started, 0);
		atomic_store(&order.stop, false);
		guest_go(&all, launch, NULL);
		while (atomic_load(&order.started) == 0)
			go_yield();
		for (int k = 0; k < 3; k++) {
			uint32_t before = go_count(), least = atomic_load(&order.started);
			char *text = goroutine_text(1);
			uint32_t most = atomic_load(&order.begun), n = launches_in(text);
			CHECK(profile_total(text) + 1 >= before); /* one may have ended: who starts them */
			CHECK_EQ(profile_sum(text), profile_total(text));
			if (n < least || n > most)
				guest_fail(__FILE__, __LINE__, "%u launches of %u before and %u after",
					   (unsigned)n, (unsigned)least, (unsigned)most);
			free(text);
		}
		atomic_store(&order.stop, true);
		guest_wait(&all);
		gate_open();
	}
}

/* ---- direct hand-over: Go's test of coroutines ---- */

static struct chan *ping, *pong;

static void echo(void *arg)
{
	int v;
	(void)arg;
	while (chan_recv(ping, &v))
		chan_send(pong, &v);
}

static void drive(void *arg)
{
	int v = 0;
	(void)arg;
	while (!atomic_load(&order.stop)) {
		chan_send(ping, &v);
		chan_recv(pong, &v);
		atomic_fetch_add(&order.started, 1);
	}
	chan_close(ping);
}

GUEST_TEST(goroutine, goroutine_profile_coro, "goroutines that switch to each other directly pass, too")
{
	struct guest_group all = {0};
	ping = chan_make(sizeof(int), 0);
	pong = chan_make(sizeof(int), 0);
	atomic_store(&order.stop, false);
	guest_go(&all, echo, NULL);
	atomic_store(&order.started, 0);
	guest_go(&all, drive, NULL);
	uint32_t n = go_count();
	while (atomic_load(&order.started) < 100) /* both have run */
		go_yield();
	for (uint32_t i = 0; i < guest_count(15, 2000); i++) {
		char *text = goroutine_text(1);
		CHECK_EQ(profile_total(text), n);
		CHECK_EQ(profile_sum(text), n);
		CHECK(strstr(text, "\techo+0x") != NULL && strstr(text, "\tdrive+0x") != NULL);
		free(text);
	}
	atomic_store(&order.stop, true);
	guest_wait(&all);
	chan_free(ping);
	chan_free(pong);
}

/* ---- the class change, by brute force ---- */

static _Atomic uint32_t finalized;

static void finalize(void *o)
{
	(void)o;
	atomic_fetch_add_explicit(&finalized, 1, memory_order_relaxed);
}

GUEST_TEST(goroutine, issue_74090, "profiles while the cleanup goroutine runs functions, one after the other")
{
	uint32_t rounds = guest_count(3, 100), n = guest_count(1000, 10000);
	void **objects = malloc(n * sizeof *objects);
	uint32_t idle = go_count();
	CHECK(objects != NULL);
	for (uint32_t round = 0; objects != NULL && round < rounds; round++) {
		atomic_store(&finalized, 0);
		for (uint32_t i = 0; i < n; i++) {
			objects[i] = object_new(8);
			CHECK(objects[i] != NULL && finalizer_set(objects[i], finalize) == 0);
		}
		for (uint32_t i = 0; i < n; i++)
			object_release(objects[i]);
		do {
			char *text = goroutine_text(1);
			unsigned long total = profile_total(text);
			CHECK_EQ(profile_sum(text), total);
			CHECK(total == idle || total == idle + 1);
			free(text);
		} while (atomic_load(&finalized) < n);
		cleanup_wait();
	}
	free(objects);
}

/* ---- labels ---- */

static void label_churn(void *arg)
{
	uintptr_t seed = (uintptr_t)arg;
	char value[8];
	for (uint32_t i = 0; !atomic_load(&order.stop); i++) {
		snprintf(value, sizeof value, "v%u", (unsigned)((i + seed) % 100));
		LABELS_SCOPE({"loop", value});
		go_yield();
	}
}

static void short_lived(void *arg)
{
	(void)arg;
}

static void born_labelled(void *arg)
{
	(void)arg;
	while (!atomic_load(&order.stop)) {
		struct guest_group some = {0};
		LABELS_SCOPE({"born", "labelled"});
		for (int i = 0; i < 10; i++)
			guest_go(&some, short_lived, NULL);
		guest_wait(&some);
	}
}

GUEST_TEST(goroutine, goroutine_profile_label_race,
	   "labels are set, reset and inherited while profiles name them")
{
	struct guest_group all = {0};
	atomic_store(&order.stop, false);
	uint32_t sets = labels_count(), alive = go_count();
	for (uintptr_t i = 0; i < 4; i++)
		guest_go(&all, label_churn, (void *)(i * 25));
	guest_go(&all, born_labelled, NULL);
	guest_go(&all, born_labelled, NULL);
	for (uint32_t i = 0; i < guest_count(10, 1000); i++) {
		char *text = goroutine_text(1);
		CHECK_EQ(profile_sum(text), profile_total(text));
		for (const char *at = text; (at = strstr(at, "# labels: {")) != NULL; at++)
			CHECK(strncmp(at, "# labels: {\"loop\":\"v", 20) == 0 ||
			      strncmp(at, "# labels: {\"born\":\"labelled\"}", 28) == 0);
		free(text);
	}
	atomic_store(&order.stop, true);
	guest_wait(&all);
	CHECK(guest_count_settles(alive));
	CHECK_EQ(labels_count(), sets);
}

GUEST_TEST(goroutine, goroutine_profile_trivial, "the count is what the profile holds, on a quiet machine")
{
	struct profile *p = profile_lookup("goroutine");
	CHECK(p != NULL && profile_count(p) == go_count());
	for (int i = 0; i < 10; i++) {
		char *text = goroutine_text(1);
		CHECK_EQ(profile_total(text), go_count());
		free(text);
	}
}

static __attribute__((noinline)) void deeper(uintptr_t n)
{
	if (n > 0)
		deeper(n - 1);
	else
		chan_recv(gate, NULL);
	__asm__ volatile("");
}

static void deep(void *n)
{
	deeper((uintptr_t)n);
}

GUEST_TEST(goroutine, profiler_stack_depth,
	   "128 frames of a stack, a deeper one is cut at the root and says so")
{
	gate = chan_make(0, 0);
	guest_go(&waiters, deep, (void *)500);
	gate_settles(1);
	char *text = goroutine_text(1);
	char *at = strstr(text, "\tdeeper+0x");
	CHECK(at != NULL);
	while (at != NULL && at > text && !(at[-1] == '\n' && at[0] == '1'))
		at--;
	unsigned pcs = 0;
	char *end = at != NULL ? strchr(at, '\n') : NULL;
	for (char *p = at; end != NULL && p < end; p++)
		pcs += strncmp(p, " 0x", 3) == 0;
	CHECK(pcs >= 120 && pcs <= 129); /* what lies below the call that waits is cut off */
	CHECK(end != NULL && strncmp(end - 4, " 0x5", 4) == 0);
	CHECK(strstr(text, "\t[truncated]\n") != NULL);
	free(text);
	gate_open();
}

static void burn(void *arg)
{
	(void)arg;
	atomic_fetch_add(&order.started, 1);
	while (!atomic_load(&order.stop))
		go_yield();
}

GUEST_TEST(goroutine, traceback_all, "tracebacks of all goroutines, under the CPU profiler")
{
	struct guest_group all = {0};
	guest_profile_off();
	atomic_store(&order.stop, false);
	atomic_store(&order.started, 0);
	CHECK_EQ(prof_start(1000), 0);
	for (int i = 0; i < 4; i++)
		guest_go(&all, burn, NULL);
	while (atomic_load(&order.started) < 4)
		go_yield();
	for (uint32_t i = 0; i < guest_count(20, 10000); i++) {
		char *text = goroutine_text(2);
		CHECK(strncmp(text, "goroutine 1 [running]:\n", 23) == 0);
		unsigned n = 0;
		for (const char *at = text; (at = strstr(at, "\nburn(...)\n")) != NULL; at++)
			n++;
		CHECK_EQ(n, 4);
		free(text);
	}
	atomic_store(&order.stop, true);
	guest_wait(&all);
	prof_stop(NULL);
}

/* ---- goroutines that come and go ---- */

static void spawn(void *arg)
{
	(void)arg;
	while (!atomic_load(&order.stop)) {
		struct guest_group some = {0};
		for (int i = 0; i < 20; i++)
			guest_go(&some, short_lived, NULL);
		guest_wait(&some);
	}
}

GUEST_TEST(goroutine, churn,
	   "goroutines that are started while a profile is taken are not in it, those that end are, once")
{
	struct guest_group all = {0};
	gate = chan_make(0, 0);
	atomic_store(&order.stop, false);
	start_some((int)guest_count(200, 5000));
	for (int i = 0; i < 4; i++)
		guest_go(&all, spawn, NULL);
	for (uint32_t i = 0; i < guest_count(10, 1000); i++) {
		char *text = goroutine_text(1);
		CHECK_EQ(profile_sum(text), profile_total(text));
		free(text);
	}
	atomic_store(&order.stop, true);
	guest_wait(&all);
	gate_open();
}

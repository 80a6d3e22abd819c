/* The block and mutex profiles as programs get them: Go's tests of them. Texts are compared by the functions of a stack, in order. */
#include "profiles.h"
#include "suite.h"
#include "waits.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hartbeat/chan.h>
#include <hartbeat/cond.h>
#include <hartbeat/go.h>
#include <hartbeat/prof_rates.h>
#include <hartbeat/profile.h>
#include <hartbeat/select.h>
#include <hartbeat/time.h>

#include "kernel/clock.h"
#include "kernel/lock.h"
#include "kernel/preempt.h"
#include "prof/heap_stacks.h"
#include "prof/wait.h"
#include "sched/sched.h"

#define NOINLINE __attribute__((noipa)) /* nor merged with one that does the same */

/* ---- each way to block ---- */

enum { BLOCK_NS = 3 * TIME_MILLISECOND };

static struct mutex lock;
static struct cond cond;
static struct chan *c;
static struct g *_Atomic blocker; /* who blocks next */

/* The blocker has waited for BLOCK_NS. */
static void until_it_has_waited(void)
{
	until_waits(&blocker);
	time_sleep(BLOCK_NS);
}

static void send_later(void *arg)
{
	(void)arg;
	until_it_has_waited();
	chan_send(c, NULL);
}

static void receive_later(void *arg)
{
	(void)arg;
	until_it_has_waited();
	chan_recv(c, NULL);
}

static void close_later(void *arg)
{
	(void)arg;
	until_it_has_waited();
	chan_close(c);
}

static void lock_for_a_while(void *arg)
{
	mutex_lock(&lock);
	chan_send(arg, NULL);
	until_it_has_waited();
	mutex_unlock(&lock);
}

static void signal_later(void *arg)
{
	(void)arg;
	until_it_has_waited();
	cond_signal(&cond); /* without the mutex: else who wakes may have to wait for that, too */
}

static NOINLINE void block_chan_recv(struct guest_group *g)
{
	c = chan_make(0, 0);
	guest_go(g, send_later, NULL);
	atomic_store(&blocker, g_self());
	chan_recv(c, NULL);
	chan_free(c);
}

static NOINLINE void block_chan_send(struct guest_group *g)
{
	c = chan_make(0, 0);
	guest_go(g, receive_later, NULL);
	atomic_store(&blocker, g_self());
	chan_send(c, NULL);
	chan_free(c);
}

static NOINLINE void block_chan_close(struct guest_group *g)
{
	c = chan_make(0, 0);
	guest_go(g, close_later, NULL);
	atomic_store(&blocker, g_self());
	chan_recv(c, NULL);
	guest_wait(g);
	chan_free(c);
}

static NOINLINE void block_select_recv_async(struct guest_group *g)
{
	struct chan *other = chan_make(0, 1);
	c = chan_make(0, 1);
	struct chan_case cases[] = {CHAN_CASE_RECV(c, NULL), CHAN_CASE_RECV(other, NULL)};
	guest_go(g, send_later, NULL);
	atomic_store(&blocker, g_self());
	chan_select(cases, 2, false);
	guest_wait(g);
	chan_free(c);
	chan_free(other);
}

static NOINLINE void block_select_send_sync(struct guest_group *g)
{
	struct chan *other = chan_make(0, 0);
	c = chan_make(0, 0);
	struct chan_case cases[] = {CHAN_CASE_SEND(c, NULL), CHAN_CASE_SEND(other, NULL)};
	guest_go(g, receive_later, NULL);
	atomic_store(&blocker, g_self());
	chan_select(cases, 2, false);
	guest_wait(g);
	chan_free(c);
	chan_free(other);
}

static NOINLINE void block_mutex(struct guest_group *g)
{
	struct chan *locked = chan_make(0, 0);
	guest_go(g, lock_for_a_while, locked);
	chan_recv(locked, NULL);
	atomic_store(&blocker, g_self());
	mutex_lock(&lock);
	mutex_unlock(&lock);
	guest_wait(g);
	chan_free(locked);
}

static NOINLINE void block_cond(struct guest_group *g)
{
	mutex_lock(&lock);
	guest_go(g, signal_later, NULL);
	atomic_store(&blocker, g_self());
	cond_wait(&cond, &lock);
	mutex_unlock(&lock);
	guest_wait(g);
}

/* Go: TestBlockProfile. */
GUEST_TEST(block_profile, block_profile,
	   "each way to block is in the block profile, with its stack and its time")
{
	static const struct {
		const char *name;
		void (*block)(struct guest_group *);
		const char *stack[3];
	} cases[] = {
		{"chan recv", block_chan_recv, {"block_chan_recv"}},
		{"chan send", block_chan_send, {"block_chan_send"}},
		{"chan close", block_chan_close, {"block_chan_close"}},
		{"select recv async", block_select_recv_async, {"block_select_recv_async"}},
		{"select send sync", block_select_send_sync, {"block_select_send_sync"}},
		{"mutex", block_mutex, {"mutex_lock", "block_mutex"}},
		{"cond", block_cond, {"block_cond"}},
	};
	enum { CASES = sizeof cases / sizeof cases[0] };
	uint64_t rate = prof_block_rate();
	static const char head[] = "--- contention:\ncycles/second=1000000000\n";
	uint64_t ns[2][CASES], n[2][CASES];
	for (unsigned after = 0; after < 2; after++) {
		char *text = profile_text("block", 1);
		CHECK(strncmp(text, head, sizeof head - 1) == 0);
		for (unsigned i = 0; i < CASES; i++)
			profile_stack(text, cases[i].stack, &ns[after][i], &n[after][i]);
		free(text);
		if (after == 1)
			break;
		CHECK_EQ(prof_block_rate_set(1), 0);
		for (unsigned i = 0; i < CASES; i++) {
			struct guest_group g = {0};
			atomic_store(&blocker, NULL);
			cases[i].block(&g);
			guest_wait(&g);
		}
		CHECK_EQ(prof_block_rate_set(rate), 0);
	}
	for (unsigned i = 0; i < CASES; i++) {
		ns[1][i] -= ns[0][i];
		n[1][i] -= n[0][i];
		if (n[1][i] != 1 || ns[1][i] < BLOCK_NS)
			guest_fail(__FILE__, __LINE__, "%s: %llu ns in %llu waits", cases[i].name,
				   (unsigned long long)ns[1][i], (unsigned long long)n[1][i]);
	}
}

/* ---- sampling ---- */

/* As if this goroutine had just waited for so many ticks. */
static inline __attribute__((always_inline)) void made_up_wait(uint64_t ticks)
{
	struct g *g = g_self();
	preempt_disable();
	uint64_t run = g->run_since, since = g->wait_since;
	enum wait_reason reason = g->wait_reason;
	g->wait_reason = WAIT_CHAN_RECEIVE;
	g->wait_since = run - ticks - 10;
	g->woken_at = run - 10;
	sched_wait_hook(g, arch_pc(), (uintptr_t)__builtin_frame_address(0));
	g->wait_since = since;
	g->wait_reason = reason;
	preempt_enable();
}

__attribute__((noipa)) static void infrequent_long(uint64_t ticks)
{
	made_up_wait(ticks);
	__asm__ volatile("");
}

__attribute__((noipa)) static void frequent_short(uint64_t ticks)
{
	made_up_wait(ticks);
	__asm__ volatile("");
}

static void waited(const char *function, uint64_t *ns, uint64_t *n)
{
	const char *const stack[] = {"made_up_wait", function, NULL};
	char *text = profile_text("block", 1);
	*ns = *n = 0;
	if (text != NULL)
		profile_stack(text, stack, ns, n);
	free(text);
}

static bool near(uint64_t a, uint64_t b, unsigned percent)
{
	return (a > b ? a - b : b - a) * 100 <= b * percent;
}

/* Go: TestBlockProfileBias. */
GUEST_TEST(block_profile, block_profile_bias,
	   "short waits, sampled, have the same sums as long ones of the same time")
{
	enum { RATE_TICKS = 1000, LONG = 2000, SHORT = 20000 };
	uint64_t rate = prof_block_rate(), ns[2], n[2], ns_was[2], n_was[2];
	waited("infrequent_long", &ns_was[0], &n_was[0]);
	waited("frequent_short", &ns_was[1], &n_was[1]);
	CHECK_EQ(prof_block_rate_set(clock_from_ticks(RATE_TICKS)), 0);
	for (int i = 0; i < LONG; i++)
		infrequent_long(RATE_TICKS);
	for (int i = 0; i < SHORT; i++)
		frequent_short(RATE_TICKS / 10);
	CHECK_EQ(prof_block_rate_set(rate), 0);
	waited("infrequent_long", &ns[0], &n[0]);
	waited("frequent_short", &ns[1], &n[1]);
	for (int i = 0; i < 2; i++) {
		ns[i] -= ns_was[i];
		n[i] -= n_was[i];
	}
	guest_note("long: %llu ns in %llu waits, short: %llu ns in %llu", (unsigned long long)ns[0],
		   (unsigned long long)n[0], (unsigned long long)ns[1], (unsigned long long)n[1]);
	CHECK_EQ(n[0], LONG);
	CHECK(near(ns[0], clock_from_ticks((uint64_t)LONG * RATE_TICKS), 1));
	if (!near(ns[1], ns[0], 20) || !near(n[1], SHORT, 20))
		guest_fail(__FILE__, __LINE__, "a sampled profile is biased against short waits");
}

/* ---- mutexes ---- */

enum { WAITERS = 20, HELD_NS = 20 * TIME_MILLISECOND };

static struct g *_Atomic waiter[WAITERS];

static void wait_for_lock(void *arg)
{
	atomic_store((struct g * _Atomic *)arg, g_self());
	mutex_lock(&lock);
	mutex_unlock(&lock);
}

/* The unlock that everybody waits for. */
static NOINLINE void give_back(void)
{
	mutex_unlock(&lock);
	__asm__ volatile("");
}

struct bounds {
	uint64_t least, most; /* ns that each has waited */
};

/* Who came first waits twice as long as who came last, at most. */
static struct bounds contend(void)
{
	struct guest_group g = {0};
	uint64_t start = time_now();
	mutex_lock(&lock);
	for (int i = 0; i < WAITERS; i++) {
		atomic_store(&waiter[i], NULL);
		guest_go(&g, wait_for_lock, &waiter[i]);
	}
	for (int i = 0; i < WAITERS; i++)
		while (atomic_load(&waiter[i]) == NULL || g_status(atomic_load(&waiter[i])) != G_WAITING)
			go_yield();
	uint64_t all_wait = time_now(), took = all_wait - start;
	time_sleep(took > HELD_NS ? took : HELD_NS);
	uint64_t least = time_now() - all_wait;
	give_back();
	uint64_t most = time_now() - start;
	guest_wait(&g);
	return (struct bounds){least, most};
}

static char *contended(uint64_t *ns, uint64_t *n)
{
	static const char *const stack[] = {"mutex_unlock", "give_back", NULL};
	char *text = profile_text("mutex", 1);
	*ns = *n = 0;
	if (text != NULL)
		profile_stack(text, stack, ns, n);
	return text;
}

/* Go: TestMutexProfile. */
GUEST_TEST(block_profile, mutex_profile, "an unlock is charged with what all that wait have waited")
{
	static const char head[] = "--- mutex:\ncycles/second=1000000000\nsampling period=1\n";
	uint64_t fraction = prof_mutex_fraction(), ns, n, ns_before, n_before;
	CHECK_EQ(prof_mutex_fraction_set(1), 0);
	free(contended(&ns_before, &n_before));
	struct bounds each = contend();
	char *text = contended(&ns, &n);
	CHECK(text != NULL && strncmp(text, head, sizeof head - 1) == 0);
	free(text);
	ns -= ns_before;
	n -= n_before;
	guest_note("%llu ns in %llu contentions; %u waited for %llu to %llu ns each", (unsigned long long)ns,
		   (unsigned long long)n, WAITERS, (unsigned long long)each.least,
		   (unsigned long long)each.most);
	CHECK_EQ(n, 1);
	CHECK(ns >= WAITERS * each.least / 100 * 99);
	CHECK(ns <= WAITERS * each.most);

	/* Go: TestMutexProfileRateAdjust. */
	free(contended(&ns_before, &n_before));
	CHECK_EQ(prof_mutex_fraction_set(0), 0);
	contend();
	free(contended(&ns, &n));
	CHECK_EQ(ns, ns_before);
	CHECK_EQ(n, n_before);
	CHECK_EQ(prof_mutex_fraction_set(fraction), 0);
}

GUEST_TEST(block_profile, spinlocks,
	   "harts that wait for a spinlock of the kernel are in the mutex profile, by its rank")
{
	static struct spinlock l = SPINLOCK_INIT(RANK_PROFILE);
	struct contention c;
	uint64_t fraction = prof_mutex_fraction(), before = 0, after = 0, ticks = 0;
	CHECK_EQ(prof_mutex_fraction_set(1), 0);
	for (uint32_t i = 0; i < CONTENTION_MAX; i++)
		before += locks_contention(0, i, &c) && c.rank == RANK_PROFILE ? c.count : 0;
	preempt_disable();
	for (int i = 0; i < 3; i++) {
		uint64_t since = contention_begin();
		contention_end(l.rank, (uintptr_t)guest_block_profile_spinlocks, since);
	}
	preempt_enable();
	for (uint32_t h = 0; h < hart_count; h++)
		for (uint32_t i = 0; i < CONTENTION_MAX; i++)
			if (locks_contention(h, i, &c) && c.rank == RANK_PROFILE) {
				after += c.count;
				ticks += c.ticks;
			}
	CHECK(after >= before + 3);
	CHECK_EQ(prof_mutex_fraction_set(fraction), 0);
	char *text = profile_text("mutex", 1);
	CHECK(text != NULL && strstr(text, "# labels: {\"spinlock\":\"profile\"}") != NULL);
	free(text);
}

/* ---- stacks ---- */

/* Go: TestMutexBlockFullAggregation. */
GUEST_TEST(block_profile, mutex_block_full_aggregation, "no two records of a profile have one stack")
{
	uint64_t rate = prof_block_rate(), fraction = prof_mutex_fraction();
	CHECK_EQ(prof_block_rate_set(1), 0);
	CHECK_EQ(prof_mutex_fraction_set(1), 0);
	for (int i = 0; i < 5; i++)
		contend();
	CHECK_EQ(prof_mutex_fraction_set(fraction), 0);
	CHECK_EQ(prof_block_rate_set(rate), 0);
	static const char *const profiles[] = {"block", "mutex"};
	for (unsigned k = 0; k < 2; k++) {
		char *text = profile_text(profiles[k], 1);
		/* a line of values for each record: the part from " @ " on is the stack */
		for (char *a = text; a != NULL && (a = strstr(a, " @ ")) != NULL; a++) {
			size_t n = strcspn(a, "\n") + 1;
			for (char *b = a + 1; (b = strstr(b, " @ ")) != NULL; b++)
				if (strncmp(a, b, n) == 0 && strncmp(a + n, "# labels", 8) != 0)
					guest_fail(__FILE__, __LINE__, "%s: twice %.*s", profiles[k], (int)n,
						   a);
		}
		free(text);
	}
}

/* ---- time off the harts ---- */

static NOINLINE void sleep_here(void)
{
	time_sleep(5 * TIME_MILLISECOND);
	__asm__ volatile("");
}

static void slept(const char *profile, uint64_t *ns, uint64_t *n)
{
	static const char *const stack[] = {"sleep_here", NULL};
	char *text = profile_text(profile, 1);
	*ns = *n = 0;
	if (text != NULL)
		profile_stack(text, stack, ns, n);
	free(text);
}

/* How often a tick came between: that is in `runnable`, too. */
static uint64_t preempted(void)
{
	void (*fn)(void *) = (void (*)(void *))(uintptr_t)sleep_here;
	return waits_sum(&wait_stacks, fn, WAIT_LATE_PREEMPT).count / WAIT_ONE;
}

GUEST_TEST(block_profile, off_the_harts,
	   "every wait is in `parked` by its reason, and how long the goroutine then waited for a hart in "
	   "`runnable`")
{
	static const char *const profiles[] = {"parked", "runnable", "block"};
	uint64_t rate = prof_block_rate(), ns[3] = {0}, n[3] = {0}, ns_was, n_was;
	/* Who is held up by the host between arming its timer and parking is parked for less: again. */
	for (int attempt = 0; attempt < guest_attempts() && ns[0] < 4 * TIME_MILLISECOND; attempt++) {
		uint64_t preempted_was = preempted();
		for (int after = 0; after < 2; after++) {
			if (after == 1) {
				CHECK_EQ(prof_block_rate_set(1), 0);
				sleep_here();
				CHECK_EQ(prof_block_rate_set(rate), 0);
			}
			for (int k = 0; k < 3; k++) {
				ns_was = ns[k];
				n_was = n[k];
				slept(profiles[k], &ns[k], &n[k]);
				if (after == 1) {
					ns[k] -= ns_was;
					n[k] -= n_was;
				}
			}
		}
		CHECK_EQ(n[0], 1);
		CHECK_EQ(n[1], 1 + preempted() - preempted_was);
		CHECK_EQ(n[2], 0);
	}
	CHECK(ns[0] >= 4 * TIME_MILLISECOND);
	char *text = profile_text("parked", 1);
	CHECK(text != NULL && strstr(text, "# labels: {\"wait\":\"sleep\"}") != NULL);
	free(text);
}

/*
 * The wall-clock profile: who waits, for what and how long, who could run and who runs, and what the harts did meanwhile.
 */
#include "suite.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <hartbeat/chan.h>
#include <hartbeat/go.h>
#include <hartbeat/labels.h>
#include <hartbeat/prof.h>
#include <hartbeat/sync.h>
#include <hartbeat/time.h>

#include "kernel/clock.h"
#include "prof/builder.h"
#include "prof/prof.h"
#include "prof/wall.h"
#include "record.h"
#include "sched/sched.h"

#define OWN_FRAME      __attribute__((noipa))
#define NO_TAIL_CALL() __asm__ volatile("" ::: "memory")

/* What a profile says about the stacks with one function. */
struct seen {
	const char *function;
	uint64_t ns[256]; /* by state */
	uint64_t labelled;
	uint64_t all;      /* of any function, without idle */
	uint64_t duration; /* ns */
};

static void look(void *ctx, const struct builder *b, uint64_t duration_ns)
{
	struct label l;
	for (struct seen *s = ctx; s->function != NULL; s++) {
		s->duration = duration_ns;
		for (const struct prof_record *r = builder_first(b); r != NULL; r = builder_next(b, r)) {
			if (r->labels == wall_label(WALL_IDLE))
				continue;
			s->all += r->weight_ns;
			if (record_find(r, s->function) == r->depth)
				continue;
			s->ns[wall_state_of(r->labels)] += r->weight_ns;
			if (labels_of(r->labels & LABELS_ID_MASK, 0, &l))
				s->labelled += r->weight_ns;
		}
	}
}

static void start(unsigned hz)
{
	guest_profile_off();
	CHECK_EQ(prof_wall_start(hz), 0);
}

/* Whether the last profile looked at every goroutine in every round: else a few among many descriptors are there by chance. */
static bool looked_at_all(void)
{
	struct wall_rounds r;
	wall_rounds(&r);
	if (r.cut > 0)
		guest_skip("earlier tests have left more descriptors than a round looks at");
	return r.cut == 0;
}

/* ns is truth, within a hundredth of it and `slack`. */
static void expect(const char *what, uint64_t ns, uint64_t truth, uint64_t slack)
{
	uint64_t most = truth / 100 + slack;
	if (ns + most < truth || ns > truth + most)
		guest_fail(__FILE__, __LINE__, "%s: %llu us, expected %llu us, give or take %llu", what,
			   (unsigned long long)ns / 1000, (unsigned long long)truth / 1000,
			   (unsigned long long)most / 1000);
}

GUEST_TEST(wall, arguments, "a wall-clock profile starts once, within 1 to 1000 Hz, and stops once")
{
	static const unsigned bad[] = {0, 1001, 1000000};
	guest_profile_off();
	for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		errno = 0;
		CHECK_EQ(prof_wall_start(bad[i]), -1);
		CHECK_EQ(errno, EINVAL);
	}
	CHECK_EQ(prof_wall_stop(NULL), -1);
	for (int i = 0; i < 5; i++) {
		CHECK_EQ(prof_wall_start(1000), 0);
		CHECK_EQ(prof_start(1000), 0); /* beside it */
		errno = 0;
		CHECK_EQ(prof_wall_start(10), -1);
		CHECK_EQ(errno, EBUSY);
		guest_spin(3 * TIME_MILLISECOND);
		CHECK_EQ(i % 2 ? prof_wall_stop(NULL) : prof_stop(NULL), 0);
		guest_spin(3 * TIME_MILLISECOND);
		CHECK_EQ(i % 2 ? prof_stop(NULL) : prof_wall_stop(NULL), 0);
	}
	CHECK_EQ(prof_wall_stop(NULL), -1);
}

/* As its goroutine may, which looks whether the profile runs before it waits for its turn. */
GUEST_TEST(wall, stale, "a round that comes after its profile has ended, or in the next one, counts nothing")
{
	struct wall_rounds first, before, after;
	start(1);
	wall_rounds(&first);
	wall_round(first.number);
	wall_rounds(&before);
	CHECK(before.rounds > first.rounds);
	CHECK_EQ(prof_wall_stop(NULL), 0);
	wall_rounds(&before);
	wall_round(first.number);
	wall_rounds(&after);
	CHECK_EQ(after.rounds, before.rounds);
	start(1);
	wall_rounds(&before);
	wall_round(first.number);
	wall_rounds(&after);
	CHECK_EQ(after.rounds, before.rounds);
	CHECK_EQ(prof_wall_stop(NULL), 0);
}

/* ---- waiting ---- */

static struct chan *never;
static struct mutex held;
static _Atomic uint32_t arrived;

OWN_FRAME static void wall_in_chan(void)
{
	atomic_fetch_add(&arrived, 1);
	chan_recv(never, NULL);
	NO_TAIL_CALL();
}

OWN_FRAME static void wall_in_mutex(void)
{
	atomic_fetch_add(&arrived, 1);
	mutex_lock(&held);
	mutex_unlock(&held);
	NO_TAIL_CALL();
}

static _Atomic uint64_t asleep_until; /* time_now() */

OWN_FRAME static void wall_in_sleep(void)
{
	enum { NS = 500 * TIME_MILLISECOND };
	atomic_store(&asleep_until, time_now() + NS);
	atomic_fetch_add(&arrived, 1);
	time_sleep(NS);
	NO_TAIL_CALL();
}

static void wait_chan(void *arg)
{
	(void)arg;
	wall_in_chan();
}

static void wait_mutex(void *arg)
{
	(void)arg;
	LABELS_SCOPE({"who", "waiter"});
	wall_in_mutex();
}

static void wait_sleep(void *arg)
{
	(void)arg;
	wall_in_sleep();
}

/* Whether the sleeper slept until it was over, which a host that stalls can prevent. */
static bool waits_measured(struct seen *s)
{
	enum { NS = 300 * TIME_MILLISECOND };
	struct guest_group all = {0};
	never = chan_make(1, 0);
	mutex_lock(&held);
	atomic_store(&arrived, 0);
	for (int i = 0; i < 3; i++)
		guest_go(&all, wait_chan, NULL);
	guest_go(&all, wait_mutex, NULL);
	guest_go(&all, wait_sleep, NULL);
	while (atomic_load(&arrived) < 5)
		time_sleep(TIME_MILLISECOND);
	start(100);
	uint64_t end = time_now() + NS;
	while (time_now() < end) {
		guest_spin(TIME_MILLISECOND);
		time_sleep(TIME_MILLISECOND);
	}
	CHECK_EQ(prof_wall_stop_with(NULL, look, s), 0);
	bool slept = time_now() < atomic_load(&asleep_until);
	guest_note("%llu us: chan %llu, mutex %llu, sleep %llu", (unsigned long long)s[0].duration / 1000,
		   (unsigned long long)s[0].ns[WALL_WAITING + WAIT_CHAN_RECEIVE] / 1000,
		   (unsigned long long)s[1].ns[WALL_WAITING + WAIT_MUTEX] / 1000,
		   (unsigned long long)s[2].ns[WALL_WAITING + WAIT_SLEEP] / 1000);
	chan_close(never);
	mutex_unlock(&held);
	guest_wait(&all);
	chan_free(never);
	return slept;
}

GUEST_TEST(wall, waits, "who waits has its time, by stack, reason and labels (Wall-clock profile)")
{
	struct seen s[4];
	bool measured = false;
	for (int i = 0; i < GUEST_ATTEMPTS && !measured; i++) {
		memset(s, 0, sizeof s);
		s[0].function = "wall_in_chan";
		s[1].function = "wall_in_mutex";
		s[2].function = "wall_in_sleep";
		measured = waits_measured(s);
	}
	CHECK(measured);
	if (!looked_at_all())
		return;
	/* the profile begins on each hart a little later than it begins */
	expect("chan", s[0].ns[WALL_WAITING + WAIT_CHAN_RECEIVE], 3 * s[0].duration, 3 * TIME_MILLISECOND);
	expect("mutex", s[1].ns[WALL_WAITING + WAIT_MUTEX], s[1].duration, TIME_MILLISECOND);
	expect("sleep", s[2].ns[WALL_WAITING + WAIT_SLEEP], s[2].duration, TIME_MILLISECOND);
	CHECK_EQ(s[0].labelled, 0);
	CHECK_EQ(s[1].labelled, s[1].ns[WALL_WAITING + WAIT_MUTEX]);
}

/* ---- harts, runnable ---- */

OWN_FRAME static void wall_hog(uint64_t end)
{
	while (time_now() < end)
		guest_spin(100 * TIME_MICROSECOND);
	NO_TAIL_CALL();
}

static void hog(void *arg)
{
	wall_hog(*(const uint64_t *)arg);
}

/* Per hart, to the tick; returns idle ns of all. */
static uint64_t harts_idle(void)
{
	uint64_t idle = 0;
	for (unsigned i = 0; i < go_harts(); i++) {
		struct wall_account a;
		wall_account(i, &a);
		CHECK_EQ(a.elapsed, a.recorded + a.idle + a.lost);
		CHECK_EQ(a.lost, 0);
		CHECK(a.elapsed > 0);
		idle += clock_from_ticks(a.idle);
	}
	return idle;
}

/*
 * On several harts the emulator's host takes one away now and then between two goroutines, and -icount ends a hart's turn where a timer is
 * armed: neither goroutine is running or runnable then. One hart has it exactly.
 */
GUEST_TEST(
	wall, runnable,
	"of three times as many busy goroutines as harts a third runs, the others could (Wall-clock profile)")
{
	enum { PERIOD_NS = 5 * TIME_MILLISECOND };
	struct seen s[2];
	struct wall_rounds r;
	bool measured = false; /* once: the drain had its turns, which a host that stalls can prevent */
	int attempts = guest_attempts();
	for (int k = 0; k < attempts; k++) {
		struct guest_group all = {0};
		uint64_t end, hogs = 3 * go_harts();
		memset(s, 0, sizeof s);
		s[0].function = "wall_hog";
		start(TIME_SECOND / PERIOD_NS);
		end = time_now() + (attempts == 1 ? 200 : 600) * TIME_MILLISECOND;
		for (uint64_t i = 0; i < hogs; i++)
			guest_go(&all, hog, &end);
		guest_wait(&all);
		CHECK_EQ(prof_wall_stop_with(NULL, look, s), 0);
		harts_idle();
		wall_rounds(&r);
		measured |= attempts == 1 || r.rounds * PERIOD_NS >= s[0].duration / 10 * 8;
		uint64_t run = s[0].ns[WALL_RUNNING], can = s[0].ns[WALL_RUNNABLE],
			 truth = hogs * s[0].duration;
		guest_note("%u hogs for %llu us, %llu rounds: %llu us running, %llu runnable", (unsigned)hogs,
			   (unsigned long long)s[0].duration / 1000, (unsigned long long)r.rounds,
			   (unsigned long long)run / 1000, (unsigned long long)can / 1000);
		uint64_t least = go_harts() == 1 ? 27 : 20;
		if (run > truth / 100 * least && run < truth / 100 * 35 && can > truth / 100 * 2 * least &&
		    can < truth / 100 * 75)
			return;
	}
	if (!looked_at_all())
		return;
	if (!measured) {
		guest_skip("the host let no profile have its rounds");
		return;
	}
	CHECK(!"a third runs and two thirds could");
}

GUEST_TEST(wall, idle, "a machine that waits is idle, to the tick (Conservation)")
{
	struct seen s[2];
	bool idle = false, slept = false;
	/* a host that stalls has the sleeper woken already when it is looked at, and a hart not yet asleep */
	for (int i = 0; i < GUEST_ATTEMPTS && !(idle && slept); i++) {
		memset(s, 0, sizeof s);
		s[0].function = "guest_wall_idle";
		start(100);
		time_sleep(300 * TIME_MILLISECOND);
		CHECK_EQ(prof_wall_stop_with(NULL, look, s), 0);
		uint64_t ns = harts_idle();
		guest_note("%u harts idle for %llu us of %llu each", go_harts(),
			   (unsigned long long)ns / 1000, (unsigned long long)s[0].duration / 1000);
		idle = ns > go_harts() * s[0].duration / 2;
		slept = s[0].ns[WALL_WAITING + WAIT_SLEEP] > 250 * TIME_MILLISECOND;
		if (!looked_at_all())
			return;
	}
	CHECK(idle);
	CHECK(slept);
}

/* ---- beside a CPU profile ---- */

static struct {
	_Atomic uint32_t here;
	int cpu, wall;
} both;

static void at_once(void)
{
	atomic_fetch_add(&both.here, 1);
	for (uint32_t n = 0; go_harts() > 1 && atomic_load(&both.here) < 2 && n < 1000000; n++)
		;
}

static void cpu_begins(void *arg)
{
	(void)arg;
	at_once();
	both.cpu = prof_start(1000);
}

static void wall_begins(void *arg)
{
	(void)arg;
	at_once();
	both.wall = prof_wall_start(100);
}

/* Of all that a profile needs, a sampler of each hart is made by the first of a boot: make run ARGS=wall.both */
GUEST_TEST(wall, both, "a CPU profile and a wall-clock profile that begin at once both count")
{
	struct guest_group all = {0};
	struct seen s[] = {{0}};
	guest_profile_off();
	atomic_store(&both.here, 0);
	guest_go(&all, cpu_begins, NULL);
	guest_go(&all, wall_begins, NULL);
	guest_wait(&all);
	CHECK_EQ(both.cpu, 0);
	CHECK_EQ(both.wall, 0);
	time_sleep(50 * TIME_MILLISECOND);
	CHECK_EQ(prof_wall_stop_with(NULL, look, s), 0);
	CHECK_EQ(prof_stop(NULL), 0);
	for (uint32_t i = 0; i < go_harts(); i++) {
		struct sampler_account c;
		struct wall_account w;
		sampler_account(i, &c);
		wall_account(i, &w);
		CHECK(c.elapsed > 0 && c.elapsed == c.recorded + c.idle + c.lost);
		CHECK(w.elapsed > 0 && w.elapsed == w.recorded + w.idle + w.lost);
	}
}

/* ---- many ---- */

GUEST_TEST(wall, many,
	   "of a hundred thousand goroutines a round looks at five hundred, and their time is right all the "
	   "same "
	   "(Wall-clock profile)")
{
	uint64_t n = guest_count(20000, 100000);
	struct seen s[] = {{.function = "wall_in_chan"}, {0}};
	struct guest_group all = {0};
	never = chan_make(1, 0);
	atomic_store(&arrived, 0);
	for (uint64_t i = 0; i < n; i++)
		guest_go(&all, wait_chan, NULL);
	while (atomic_load(&arrived) < n)
		time_sleep(TIME_MILLISECOND);
	start(100);
	time_sleep(300 * TIME_MILLISECOND);
	CHECK_EQ(prof_wall_stop_with(NULL, look, s), 0);
	struct wall_rounds r;
	wall_rounds(&r);
	guest_note("%llu rounds, %llu stacks, %llu ns a round; time right to %lld in 1000",
		   (unsigned long long)r.rounds, (unsigned long long)r.visits,
		   (unsigned long long)(r.ns / r.rounds),
		   (long long)(s[0].ns[WALL_WAITING + WAIT_CHAN_RECEIVE] * 1000 / (n * s[0].duration)) -
			   1000);
	CHECK(r.visits <= r.rounds * 512);
	CHECK_EQ(r.cut, r.rounds);
	/* not every run of descriptors is passed over, and some are not in use */
	uint64_t seen = s[0].ns[WALL_WAITING + WAIT_CHAN_RECEIVE], truth = n * s[0].duration;
	CHECK(seen > truth / 100 * 95 && seen < truth / 100 * 105);
	chan_close(never);
	guest_wait(&all);
	chan_free(never);
}

/* ---- ownership ---- */

static struct chan *ball;

OWN_FRAME static void wall_apple(uint64_t end)
{
	int v = 1;
	while (time_now() < end) {
		chan_send(ball, &v);
		go_yield();
	}
	NO_TAIL_CALL();
}

OWN_FRAME static void wall_berry(uint64_t end)
{
	volatile char frame[200];
	int v;
	frame[1] = 1;
	while (time_now() < end + 5 * TIME_MILLISECOND && chan_recv(ball, &v))
		v += frame[v % 100];
	NO_TAIL_CALL();
}

static void apple(void *arg)
{
	wall_apple(*(const uint64_t *)arg);
}

static void berry(void *arg)
{
	wall_berry(*(const uint64_t *)arg);
}

static void look_mixed(void *ctx, const struct builder *b, uint64_t duration_ns)
{
	uint64_t *n = ctx;
	(void)duration_ns;
	for (const struct prof_record *r = builder_first(b); r != NULL; r = builder_next(b, r)) {
		bool a = record_find(r, "wall_apple") < r->depth, c = record_find(r, "wall_berry") < r->depth;
		if (!a && !c)
			continue;
		*n += r->count;
		if (a && c)
			record_wrong("a stack mixes two goroutines", r);
		if (!record_is_at(r, r->depth - 1, "context_start") && !record_synthetic(r))
			record_wrong("not a whole stack", r);
	}
}

/* Counts the stacks that were looked at. */
static void move_about(uint64_t *n)
{
	struct guest_group all = {0};
	uint64_t end;
	ball = chan_make(sizeof(int), 0);
	start(1000);
	end = time_now() + guest_count(200, 3000) * TIME_MILLISECOND;
	for (unsigned i = 0; i < 20; i++)
		guest_go(&all, berry, &end);
	for (unsigned i = 0; i < 10; i++)
		guest_go(&all, apple, &end);
	while (time_now() < end)
		time_sleep(TIME_MILLISECOND);
	CHECK_EQ(prof_wall_stop_with(NULL, look_mixed, n), 0);
	time_sleep(5 * TIME_MILLISECOND);
	int v;
	for (int i = 0; i < 20; i++)
		chan_try_recv(ball, &v, NULL);
	chan_close(ball);
	guest_wait(&all);
	chan_free(ball);
}

GUEST_TEST(wall, moving, "stacks of goroutines that are sent about are their own (Stack ownership)")
{
	enum { ENOUGH = 30 };
	uint64_t n = 0;
	for (int i = 0; i < GUEST_ATTEMPTS && n <= ENOUGH; i++) {
		move_about(&n);
		guest_note("%llu stacks", (unsigned long long)n);
		if (!looked_at_all())
			return;
	}
	CHECK(n > ENOUGH);
}

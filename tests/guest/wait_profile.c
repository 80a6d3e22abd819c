/* Waits by where they wait, and contention by who gave the lock back: sums against the scheduler's own clocks, sampling, stacks. */
#include "suite.h"
#include "waits.h"

#include <errno.h>
#include <string.h>

#include <hartbeat/chan.h>
#include <hartbeat/go.h>
#include <hartbeat/prof_rates.h>
#include <hartbeat/rwmutex.h>
#include <hartbeat/sync.h>
#include <hartbeat/time.h>

#include "kernel/clock.h"
#include "kernel/g.h"
#include "kernel/hart.h"
#include "kernel/preempt.h"
#include "kernel/symtab.h"
#include "prof/image.h"
#include "prof/profile.h"
#include "prof/wait.h"
#include "sched/mutex.h"
#include "sched/sched.h"

/* The same as waits_sum(), of those that waited for something. */
static struct sums waits(const struct stack_table *t, void (*fn)(void *))
{
	struct sums s = waits_sum(t, fn, -1);
	for (int why = WAIT_LATE_START; why <= WAIT_LATE_PREEMPT; why++)
		s = sums_less(s, waits_sum(t, fn, why));
	return s;
}

static bool within(uint64_t a, uint64_t b, uint64_t percent)
{
	uint64_t d = a > b ? a - b : b - a;
	return d * 100 <= b * percent;
}

/* ---- sums ---- */

/* What the running goroutine has had of a hart, and the time, both at one moment; with preemption off. */
static uint64_t on_cpu(uint64_t *now)
{
	const struct g *g = g_self();
	*now = arch_ticks();
	return g->run_ticks + *now - g->run_since;
}

struct sleepers {
	struct chan *turn;
	struct mutex lock;
	uint32_t rounds;
	_Atomic uint64_t off; /* ticks that they were not on a hart, by the scheduler's own clock */
};

static __attribute__((noinline)) void sleeper(void *arg)
{
	struct sleepers *s = arg;
	uint64_t from, to;
	preempt_disable();
	uint64_t ran = on_cpu(&from);
	preempt_enable();
	for (uint32_t i = 0; i < s->rounds; i++) {
		chan_send(s->turn, NULL);
		mutex_lock(&s->lock);
		time_sleep(TIME_MILLISECOND);
		mutex_unlock(&s->lock);
		chan_recv(s->turn, NULL);
	}
	preempt_disable();
	uint64_t on = on_cpu(&to) - ran;
	preempt_enable();
	atomic_fetch_add(&s->off, to - from - on);
}

/* A wait begins and ends with the time off the hart, at one look at the clock, so that of waits alone there is never more. Who yields, or is
 * preempted, is off the hart from a moment later or earlier on, and a host may make that long: then it is tried again. */
GUEST_TEST(wait_profile, conservation,
	   "at rate 1 the waits counted are the time that goroutines were off the harts, within 1 %")
{
	uint64_t rate = prof_block_rate(), off = 0;
	struct sums d = {0};
	guest_profile_off();
	for (int attempt = 0; attempt < guest_attempts() && (off == 0 || !within(d.parked + d.late, off, 1));
	     attempt++) {
		struct guest_group group = {0};
		struct sleepers s = {.turn = chan_make(0, 2), .rounds = guest_count(5, 50)};
		CHECK_EQ(prof_block_rate_set(1), 0);
		struct sums before = waits_sum(&wait_stacks, sleeper, -1);
		struct sums waited = waits(&wait_stacks, sleeper);
		for (int i = 0; i < 6; i++)
			guest_go(&group, sleeper, &s);
		guest_wait(&group);
		d = sums_less(waits_sum(&wait_stacks, sleeper, -1), before);
		waited = sums_less(waits(&wait_stacks, sleeper), waited);
		CHECK_EQ(prof_block_rate_set(rate), 0);
		off = atomic_load(&s.off);
		CHECK(waited.parked + waited.late <= off);
		chan_free(s.turn);
	}
	guest_note("off the harts %llu us, parked %llu us, late %llu us",
		   (unsigned long long)clock_from_ticks(off) / 1000,
		   (unsigned long long)clock_from_ticks(d.parked) / 1000,
		   (unsigned long long)clock_from_ticks(d.late) / 1000);
	CHECK(within(d.parked + d.late, off, 1));
	uint64_t all = d.parked + d.late, wrong = all > off ? all - off : off - all;
	CHECK(guest_attempts() > 1 || wrong < off / 10000); /* not one is missed */
	CHECK(d.parked > 0);
}

/* ---- runnable, but not because of a wake-up ---- */

enum { BUSY_MS = 3 };

static struct {
	struct waitgroup left;
	_Atomic bool stop;
	_Atomic uint32_t up;
	_Atomic uint64_t off; /* as of sleepers */
	struct g *_Atomic who;
} late;

static void pinned_go(void (*fn)(void *), void *arg)
{
	CHECK(go_with(fn, arg, &(struct go_options){.pinned = true, .hart = 0}) != 0);
}

static __attribute__((noinline)) void started_late(void *arg)
{
	atomic_store((_Atomic bool *)arg, true);
}

/* On one hart with whom it starts, which goes on for a while. */
static __attribute__((noinline)) void starter(void *arg)
{
	_Atomic bool ran = false;
	(void)arg;
	preempt_disable();
	pinned_go(started_late, (void *)&ran);
	guest_spin(BUSY_MS * TIME_MILLISECOND);
	preempt_enable();
	while (!atomic_load(&ran))
		go_yield();
	waitgroup_done(&late.left);
}

static __attribute__((noinline)) void yielder(void *arg)
{
	(void)arg;
	atomic_fetch_add(&late.up, 1);
	while (!atomic_load(&late.stop))
		go_yield();
	waitgroup_done(&late.left);
}

static __attribute__((noipa)) void computer(void *arg)
{
	(void)arg;
	guest_spin(60 * TIME_MILLISECOND);
	__asm__ volatile("");
}

/* Whoever is preempted as the computer is so in the time that is looked at. */
static void compute(void *arg)
{
	uint64_t from, to;
	preempt_disable();
	uint64_t ran = on_cpu(&from);
	preempt_enable();
	computer(arg);
	preempt_disable();
	uint64_t on = on_cpu(&to) - ran;
	atomic_fetch_add(&late.off, to - from - on);
	waitgroup_done(&late.left);
	preempt_enable();
}

/* fn on the first hart, `n` of them, with every wait counted. */
static struct sums late_run_all(void (*fn)(void *), void (*of)(void *), int key, unsigned n)
{
	uint64_t rate = prof_block_rate();
	guest_profile_off();
	CHECK_EQ(prof_block_rate_set(1), 0);
	struct sums before = waits_sum(&wait_stacks, of, key);
	waitgroup_add(&late.left, (int)n);
	for (unsigned i = 0; i < n; i++)
		pinned_go(fn, NULL);
	waitgroup_wait(&late.left);
	struct sums d = sums_less(waits_sum(&wait_stacks, of, key), before);
	CHECK_EQ(prof_block_rate_set(rate), 0);
	return d;
}

GUEST_TEST(wait_profile, late_start,
	   "who is started and does not run yet is seen to wait for a hart, where it will begin")
{
	struct sums d = late_run_all(starter, started_late, WAIT_LATE_START, 1);
	CHECK_EQ(d.count, WAIT_ONE);
	CHECK_EQ(d.parked, 0);
	CHECK(clock_from_ticks(d.late) >= BUSY_MS * TIME_MILLISECOND);
}

static void goes_on(void *arg)
{
	(void)arg;
	atomic_store(&late.stop, false);
	atomic_store(&late.up, 0);
	waitgroup_add(&late.left, 1);
	pinned_go(yielder, NULL);
	while (atomic_load(&late.up) == 0)
		go_yield();
	for (int i = 0; i < 3; i++) {
		preempt_disable();
		guest_spin(BUSY_MS * TIME_MILLISECOND);
		preempt_enable();
		go_yield();
	}
	atomic_store(&late.stop, true);
	waitgroup_done(&late.left);
}

/* A host that stands still for a slice can make a preemption of one of them. */
GUEST_TEST(wait_profile, late_yield,
	   "who yields to somebody who goes on for long waits for a hart, where it yields")
{
	struct sums before = waits_sum(&wait_stacks, yielder, WAIT_LATE_YIELD);
	struct sums all = late_run_all(goes_on, yielder, -1, 1);
	struct sums yields = sums_less(waits_sum(&wait_stacks, yielder, WAIT_LATE_YIELD), before);
	CHECK(yields.count >= WAIT_ONE);
	CHECK(clock_from_ticks(yields.late) >= BUSY_MS * TIME_MILLISECOND);
	CHECK(clock_from_ticks(all.late) >= 3 * BUSY_MS * TIME_MILLISECOND);
}

/* Who is preempted is off the hart from a moment earlier on than it waits for one, never later; a host may make that long. */
GUEST_TEST(wait_profile, late_preempted,
	   "the time between a preemption and running again is all that goroutines which only compute are "
	   "off the hart")
{
	uint64_t off = 0;
	struct sums d = {0};
	for (int attempt = 0; attempt < guest_attempts() && (off == 0 || !within(d.late, off, 1));
	     attempt++) {
		atomic_store(&late.off, 0);
		d = late_run_all(compute, computer, WAIT_LATE_PREEMPT, 3);
		off = atomic_load(&late.off);
		CHECK(d.late <= off);
	}
	guest_note("off the hart %llu us, late %llu us in %llu times",
		   (unsigned long long)clock_from_ticks(off) / 1000,
		   (unsigned long long)clock_from_ticks(d.late) / 1000,
		   (unsigned long long)(d.count / WAIT_ONE));
	CHECK(within(d.late, off, 1));
	CHECK(d.count >= WAIT_ONE);
	CHECK_EQ(d.parked, 0);
}

static __attribute__((noinline)) void waits_for(void *c)
{
	atomic_store(&late.who, g_self());
	chan_recv(c, NULL);
	__asm__ volatile("");
}

/* Made-up times, as in block_profile_bias, of one that waits. */
GUEST_TEST(wait_profile, late_sampled,
	   "what is drawn stands for what is not: a rate leaves the sum of short times as it is")
{
	uint64_t rate = prof_block_rate(), each = clock_to_ticks(20 * TIME_MICROSECOND);
	struct guest_group one = {0};
	struct chan *c = chan_make(0, 0);
	guest_profile_off();
	atomic_store(&late.who, NULL);
	guest_go(&one, waits_for, c);
	until_waits(&late.who);
	CHECK_EQ(prof_block_rate_set(TIME_MILLISECOND), 0);
	struct sums before = waits_sum(&wait_stacks, waits_for, WAIT_LATE_YIELD);
	preempt_disable();
	for (int i = 0; i < 50000; i++)
		sched_late(atomic_load(&late.who), G_LATE_YIELD, each);
	preempt_enable();
	struct sums d = sums_less(waits_sum(&wait_stacks, waits_for, WAIT_LATE_YIELD), before);
	CHECK_EQ(prof_block_rate_set(rate), 0);
	chan_close(c);
	guest_wait(&one);
	chan_free(c);
	CHECK(within(d.late, 50000 * each, 20));
	CHECK(within(d.count, (uint64_t)50000 * WAIT_ONE, 20));
}

/* ---- the same place again ---- */

enum { TRIPS = 100 };

static struct chan *ping, *pong;

static __attribute__((noinline)) void ponger(void *arg)
{
	(void)arg;
	while (chan_recv(ping, NULL))
		chan_send(pong, NULL);
}

static __attribute__((noinline)) void pinger(uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		chan_send(ping, NULL);
		chan_recv(pong, NULL);
	}
}

static __attribute__((noipa)) void deep_rate_set(unsigned n)
{
	if (n > 0)
		deep_rate_set(n - 1);
	else
		CHECK_EQ(prof_block_rate_set(1), 0);
	__asm__ volatile("");
}

GUEST_TEST(
	wait_profile, deep_caller,
	"who sets the rate may stand deeper than a stack is kept, while others wait where they waited before")
{
	uint64_t rate = prof_block_rate();
	struct guest_group one = {0};
	guest_profile_off();
	ping = chan_make(0, 0);
	pong = chan_make(0, 0);
	CHECK_EQ(prof_block_rate_set(1), 0);
	guest_go(&one, ponger, NULL);
	pinger(TRIPS);
	deep_rate_set(200);
	struct sums before = waits_sum(&wait_stacks, ponger, -1);
	pinger(TRIPS);
	CHECK(waits_sum(&wait_stacks, ponger, -1).count > before.count);
	CHECK_EQ(prof_block_rate_set(rate), 0);
	chan_close(ping);
	guest_wait(&one);
	chan_free(ping);
	chan_free(pong);
}

static struct rwmutex rw;
static void (*const taken[])(struct rwmutex *) = {rwmutex_lock, rwmutex_rlock};
static void (*const given[])(struct rwmutex *) = {rwmutex_unlock, rwmutex_runlock};

static _Atomic uint32_t begun, over;

/* Waits for the one and the other in turn, at one place, and nowhere else. */
static __attribute__((noinline)) void waits_both_ways(void *arg)
{
	(void)arg;
	atomic_store(&late.who, g_self());
	for (uint32_t i = 0; i < 2 * TRIPS; i++) {
		while (atomic_load(&begun) == i)
			go_yield();
		taken[i % 2](&rw);
		given[i % 2](&rw);
		atomic_store(&over, i + 1);
	}
}

GUEST_TEST(wait_profile, reasons, "waits at one place for different reasons are counted apart")
{
	static const int reasons[] = {WAIT_RWMUTEX_WRITE, WAIT_RWMUTEX_READ};
	uint64_t rate = prof_block_rate();
	struct guest_group one = {0};
	struct sums before[2], d[2];
	atomic_store(&begun, 0);
	atomic_store(&over, 0);
	atomic_store(&late.who, NULL);
	guest_profile_off();
	CHECK_EQ(prof_block_rate_set(1), 0);
	for (int i = 0; i < 2; i++)
		before[i] = waits_sum(&wait_stacks, waits_both_ways, reasons[i]);
	taken[1](&rw);
	guest_go(&one, waits_both_ways, NULL);
	for (uint32_t i = 0; i < 2 * TRIPS; i++) {
		atomic_store(&begun, i + 1);
		until_waits(&late.who);
		given[1 - i % 2](&rw); /* a reader held up a writer, or the other way about */
		while (atomic_load(&over) == i)
			go_yield();
		if (i < 2 * TRIPS - 1)
			taken[i % 2](&rw);
	}
	guest_wait(&one);
	CHECK_EQ(prof_block_rate_set(rate), 0);
	for (int i = 0; i < 2; i++) {
		d[i] = sums_less(waits_sum(&wait_stacks, waits_both_ways, reasons[i]), before[i]);
		CHECK_EQ(d[i].count, TRIPS * WAIT_ONE);
	}
}

/* ---- numbers that are large ---- */

static __attribute__((noipa)) void made_up_wait(uint64_t parked, uint64_t ran_late)
{
	struct g *g = g_self();
	preempt_disable();
	uint64_t since = g->wait_since, woken = g->woken_at, run = g->run_since;
	enum wait_reason reason = g->wait_reason;
	g->wait_reason = WAIT_CHAN_RECEIVE;
	g->wait_since = 10;
	g->woken_at = g->wait_since + parked;
	g->run_since = g->woken_at + ran_late;
	sched_wait_hook(g, arch_pc(), (uintptr_t)__builtin_frame_address(0));
	g->wait_reason = reason;
	g->wait_since = since;
	g->woken_at = woken;
	g->run_since = run;
	preempt_enable();
}

static __attribute__((noinline)) void waits_for_half_an_hour(void *arg)
{
	uint64_t half = *(uint64_t *)arg;
	for (int i = 0; i < TRIPS; i++)
		made_up_wait(half, half);
	__asm__ volatile("");
}

GUEST_TEST(wait_profile, rate_of_an_hour, "what is drawn at the lowest rate is scaled without an overflow")
{
	uint64_t rate = prof_block_rate(), hour = 3600 * (uint64_t)TIME_SECOND,
		 half = clock_to_ticks(hour) / 2;
	struct guest_group one = {0};
	guest_profile_off();
	CHECK_EQ(prof_block_rate_set(hour), 0);
	struct sums before = waits_sum(&wait_stacks, waits_for_half_an_hour, WAIT_CHAN_RECEIVE);
	guest_go(&one, waits_for_half_an_hour, &half);
	guest_wait(&one);
	struct sums d = sums_less(waits_sum(&wait_stacks, waits_for_half_an_hour, WAIT_CHAN_RECEIVE), before);
	CHECK_EQ(prof_block_rate_set(rate), 0);
	CHECK(d.count >= 2 * WAIT_ONE);
	CHECK(within(d.parked, d.count / WAIT_ONE * half, 1));
	CHECK(within(d.late, d.count / WAIT_ONE * half, 1));
}

/* ---- what found no room ---- */

/* What a profile has in [lost], and in all. */
static struct builder collected(struct profile *p)
{
	static struct snapshot s;
	builder_init(&s.records, &prof_mem_spare, SNAPSHOT_LIMIT);
	CHECK_EQ(p->collect(p, &s), 0);
	struct builder b = s.records;
	builder_free(&s.records);
	return b;
}

static __attribute__((noipa)) void sleeps_without_room(void)
{
	time_sleep(TIME_MILLISECOND);
	__asm__ volatile("");
}

static __attribute__((noipa)) void receives_without_room(struct chan *c)
{
	chan_recv(c, NULL);
	__asm__ volatile("");
}

static void closes_later(void *c)
{
	until_waits(&late.who);
	chan_close(c);
	waitgroup_done(&late.left);
}

enum { LOST_COUNT, LOST_DELAY };

GUEST_TEST(wait_profile, lost, "what found no room is in the profiles that it would be in, and no others")
{
	static struct profile *const profiles[] = {&profile_block, &profile_parked, &profile_runnable};
	uint64_t rate = prof_block_rate();
	struct builder before[3], after;
	struct chan *c = chan_make(0, 0);
	guest_profile_off();
	for (int i = 0; i < 3; i++)
		before[i] = collected(profiles[i]);
	struct stacks_room room = stacks_fill(&wait_stacks);
	CHECK_EQ(prof_block_rate_set(1), 0);
	sleeps_without_room();
	atomic_store(&late.who, g_self()); /* waits next in its receive */
	waitgroup_add(&late.left, 1);
	CHECK(go(closes_later, c) != 0);
	receives_without_room(c);
	CHECK_EQ(prof_block_rate_set(rate), 0);
	stacks_unfill(&wait_stacks, room);
	waitgroup_wait(&late.left);
	uint64_t lost[3];
	for (int i = 0; i < 3; i++) {
		after = collected(profiles[i]);
		lost[i] = after.lost.values[LOST_COUNT] - before[i].lost.values[LOST_COUNT];
		if (after.values[LOST_DELAY] - before[i].values[LOST_DELAY] <
		    after.lost.values[LOST_DELAY] - before[i].lost.values[LOST_DELAY])
			guest_fail(__FILE__, __LINE__, "less in all than in [lost]");
	}
	CHECK_EQ(lost[0], 1);     /* the receive */
	CHECK(lost[1] >= 2);      /* and the sleep */
	CHECK(lost[2] > lost[1]); /* and the start */
	chan_free(c);
}

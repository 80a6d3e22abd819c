/* Waits by where they wait, and contention by who gave the lock back: sums against the scheduler's own clocks, sampling, stacks. */
#include "suite.h"

#include <errno.h>
#include <string.h>

#include <hartbeat/chan.h>
#include <hartbeat/go.h>
#include <hartbeat/prof_rates.h>
#include <hartbeat/time.h>

#include "kernel/clock.h"
#include "kernel/g.h"
#include "kernel/hart.h"
#include "kernel/lock.h"
#include "kernel/preempt.h"
#include "kernel/symtab.h"
#include "prof/wait.h"
#include "sched/mutex.h"
#include "sched/sched.h"

/* Whether the function that begins at fn is on the stack of r. */
static bool stack_has(const struct stack_record *r, void (*fn)(void *))
{
	struct symtab_function f;
	for (uint32_t i = 0; i < r->depth; i++)
		if (symtab_function(r->pcs[i] - 1, &f) && f.start == (uintptr_t)fn)
			return true;
	return false;
}

struct sums {
	uint64_t count, parked, late; /* events in WAIT_ONE, ticks */
};

/* Of the records whose stack has fn, or all (NULL), with this reason (or any, -1). */
static struct sums sum(const struct stack_table *t, void (*fn)(void *), int reason)
{
	struct sums s = {0};
	for (const struct stack_record *r = NULL; (r = stack_next(t, r)) != NULL;) {
		if ((reason >= 0 && r->key != (uint64_t)reason) || (fn != NULL && !stack_has(r, fn)))
			continue;
		s.count += stack_value(r, WAIT_COUNT);
		s.parked += stack_value(r, WAIT_PARKED);
		s.late += stack_value(r, WAIT_LATE);
	}
	return s;
}

static struct sums less(struct sums a, struct sums b)
{
	return (struct sums){a.count - b.count, a.parked - b.parked, a.late - b.late};
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

GUEST_TEST(wait_profile, conservation,
	   "at rate 1 the waits counted are the time that goroutines were off the harts, within 1 %")
{
	uint64_t rate = prof_block_rate(), off = 0;
	struct sums d = {0};
	guest_profile_off();
	for (int attempt = 0; attempt < GUEST_ATTEMPTS && (off == 0 || !within(d.parked + d.late, off, 1));
	     attempt++) {
		struct guest_group group = {0};
		struct sleepers s = {.turn = chan_make(0, 2), .rounds = guest_count(5, 50)};
		CHECK_EQ(prof_block_rate_set(1), 0);
		struct sums before = sum(&wait_stacks, sleeper, -1);
		for (int i = 0; i < 6; i++)
			guest_go(&group, sleeper, &s);
		guest_wait(&group);
		d = less(sum(&wait_stacks, sleeper, -1), before);
		CHECK_EQ(prof_block_rate_set(rate), 0);
		off = atomic_load(&s.off);
		chan_free(s.turn);
	}
	guest_note("off the harts %llu us, parked %llu us, late %llu us",
		   (unsigned long long)clock_from_ticks(off) / 1000,
		   (unsigned long long)clock_from_ticks(d.parked) / 1000,
		   (unsigned long long)clock_from_ticks(d.late) / 1000);
	CHECK(within(d.parked + d.late, off, 1));
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

static __attribute__((noinline)) void computer(void *arg)
{
	(void)arg;
	uint64_t from, to;
	preempt_disable();
	uint64_t ran = on_cpu(&from);
	preempt_enable();
	guest_spin(60 * TIME_MILLISECOND);
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
	struct sums before = sum(&wait_stacks, of, key);
	waitgroup_add(&late.left, (int)n);
	for (unsigned i = 0; i < n; i++)
		pinned_go(fn, NULL);
	waitgroup_wait(&late.left);
	struct sums d = less(sum(&wait_stacks, of, key), before);
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
	struct sums before = sum(&wait_stacks, yielder, WAIT_LATE_YIELD);
	struct sums all = late_run_all(goes_on, yielder, -1, 1);
	struct sums yields = less(sum(&wait_stacks, yielder, WAIT_LATE_YIELD), before);
	CHECK(yields.count >= WAIT_ONE);
	CHECK(clock_from_ticks(yields.late) >= BUSY_MS * TIME_MILLISECOND);
	CHECK(clock_from_ticks(all.late) >= 3 * BUSY_MS * TIME_MILLISECOND);
}

GUEST_TEST(wait_profile, late_preempted,
	   "the time between a preemption and running again is all that goroutines which only compute are "
	   "off the hart")
{
	uint64_t off = 0;
	struct sums d = {0};
	for (int attempt = 0; attempt < GUEST_ATTEMPTS && (off == 0 || !within(d.late, off, 1)); attempt++) {
		atomic_store(&late.off, 0);
		d = late_run_all(computer, computer, WAIT_LATE_PREEMPT, 3);
		off = atomic_load(&late.off);
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
	while (atomic_load(&late.who) == NULL || g_status(atomic_load(&late.who)) != G_WAITING)
		go_yield();
	CHECK_EQ(prof_block_rate_set(TIME_MILLISECOND), 0);
	struct sums before = sum(&wait_stacks, waits_for, WAIT_LATE_YIELD);
	preempt_disable();
	for (int i = 0; i < 50000; i++)
		sched_late(atomic_load(&late.who), G_LATE_YIELD, each);
	preempt_enable();
	struct sums d = less(sum(&wait_stacks, waits_for, WAIT_LATE_YIELD), before);
	CHECK_EQ(prof_block_rate_set(rate), 0);
	chan_close(c);
	guest_wait(&one);
	chan_free(c);
	CHECK(within(d.late, 50000 * each, 20));
	CHECK(within(d.count, (uint64_t)50000 * WAIT_ONE, 20));
}

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
#include "kernel/symtab.h"
#include "prof/wait.h"
#include "sched/mutex.h"

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

struct sleepers {
	struct chan *turn;
	struct mutex lock;
	uint32_t rounds;
	_Atomic uint64_t off; /* ticks that they were not on a hart, by the scheduler's own clock */
};

static __attribute__((noinline)) void sleeper(void *arg)
{
	struct sleepers *s = arg;
	const struct g *g = g_self();
	uint64_t from = arch_ticks(), ran = g->run_ticks + from - g->run_since;
	for (uint32_t i = 0; i < s->rounds; i++) {
		chan_send(s->turn, NULL);
		mutex_lock(&s->lock);
		time_sleep(TIME_MILLISECOND);
		mutex_unlock(&s->lock);
		chan_recv(s->turn, NULL);
	}
	uint64_t to = arch_ticks(), on = g->run_ticks + to - g->run_since - ran;
	atomic_fetch_add(&s->off, to - from - on);
}

/* What a goroutine waits for a hart after it was preempted is not a wait, and there is some when the host is busy: then it is tried again. */
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

/*
 * sched/shrink.c, the goroutine itself: what is wanted just while it lies down is heard (rule 4). One thread plays all: whatever the shrinker
 * does next to its falling asleep is a call of a function here, and there a hart comes by.
 */
#include "sched/shrink.h"

#include <setjmp.h>
#include <string.h>

#include <hartbeat/mutex.h>

#include "kernel/clock.h"
#include "kernel/ktimer.h"
#include "kernel/page.h"
#include "kernel/shootdown.h"
#include "kernel/system.h"
#include "sched/impl.h"
#include "sched/own.h"
#include "sched/pool.h"
#include "tests/host/check.h"

enum { SECOND = 1000000000 };

/* ---- what it stands on ---- */

static struct hart hart;
static struct g main_g;
_Thread_local struct g *g_tls = &main_g;
_Atomic uint64_t idle_mask;
_Atomic bool stack_grew;

static void (*shrinker)(void *);
static uint64_t now;
static struct ktimer *armed;
static bool readied, leftover;
static uint32_t lying_down; /* times */
static void (*comes_by)(uint32_t n);
static uint64_t dozes[8], dozes_at[8];
static uint32_t n_dozes;
static bool hurries[8];
static uint32_t n_passes;
static jmp_buf out;

struct hart *arch_hart(void)
{
	return &hart;
}

uint64_t arch_ticks(void)
{
	return now;
}

uint64_t clock_deadline(uint64_t ns)
{
	return now + ns;
}

uint64_t clock_to_ticks(uint64_t ns)
{
	return ns;
}

uint64_t go_system(void (*fn)(void *), void *arg, const char *name)
{
	(void)arg;
	(void)name;
	shrinker = fn;
	return 1;
}

/* Here a hart on the way finds the shrinker awake. */
void park_prepare(enum wait_reason reason)
{
	(void)reason;
	comes_by(++lying_down);
}

void ready(struct g *g)
{
	CHECK(g == &main_g && !readied);
	readied = true;
}

bool ktimer_reserve(struct ktimer *t)
{
	(void)t;
	return true;
}

bool ktimer_set(struct ktimer *t, uint64_t deadline)
{
	armed = t;
	t->deadline = deadline;
	dozes_at[n_dozes] = now;
	dozes[n_dozes++] = deadline - now;
	return false;
}

bool ktimer_cancel_wait(struct ktimer *t)
{
	armed = NULL;
	(void)t;
	return false;
}

/* Nobody made it ready: the time passes. With no timer either it sleeps, and the test is over. */
void park_commit_out(void)
{
	if (!readied && armed == NULL)
		longjmp(out, 1);
	if (!readied) {
		struct ktimer *t = armed;
		armed = NULL;
		now = t->deadline;
		t->fn(t);
	}
	CHECK(readied);
	readied = false;
}

void pools_pass(bool hurry)
{
	hurries[n_passes++] = hurry;
}

uint32_t g_dead_idle(bool all, bool *later)
{
	(void)all;
	*later = leftover && n_passes < 3;
	return 0;
}

/* There are no goroutines. */
struct g *g_all(void)
{
	return NULL;
}

struct g *g_dead_take(void)
{
	return NULL;
}

struct g *g_big_take(unsigned class)
{
	(void)class;
	return NULL;
}

void g_dead_put_bare(struct g *m)
{
	(void)m;
}

void g_big_put(struct g *g)
{
	(void)g;
}

bool g_own(struct g *g)
{
	(void)g;
	return false;
}

void g_disown(struct g *g)
{
	(void)g;
}

void g_own_dead(struct g *g)
{
	(void)g;
}

void g_disown_dead(struct g *g)
{
	(void)g;
}

uintptr_t stack_unused(const struct g *g)
{
	return g->stack_lo;
}

size_t stack_uncommit(const struct g *g, uintptr_t *at, uint64_t *frames, size_t max)
{
	(void)g;
	(void)at;
	(void)frames;
	(void)max;
	return 0;
}

uint64_t shootdown_begin(void)
{
	return 0;
}

void shootdown_wait(uint64_t ticket)
{
	(void)ticket;
}

bool shootdown_done(uint64_t ticket)
{
	(void)ticket;
	return true;
}

void page_free(void *p, unsigned order)
{
	(void)p;
	(void)order;
}

void on_system_stack(void (*fn)(void *), void *arg)
{
	fn(arg);
}

void mutex_lock_slow(struct mutex *m)
{
	(void)m;
	CHECK(!"the mutex of passes is free");
}

void mutex_unlock_slow(struct mutex *m)
{
	(void)m;
}

void wake_idle(void)
{
}

/* ---- tests ---- */

/* From a shrinker that is awake until it sleeps. grew: that is wanted from the start. */
static void run(bool grew, void (*hook)(uint32_t n), bool later)
{
	shrink_want();
	shrink_poll(); /* it slept, but for the first time */
	readied = false;
	atomic_store(&stack_grew, grew);
	now += 3600 * (uint64_t)SECOND;
	lying_down = n_dozes = n_passes = 0;
	comes_by = hook;
	leftover = later;
	CHECK(shrink_start());
	if (setjmp(out) == 0)
		shrinker(NULL);
}

static void nobody(uint32_t n)
{
	(void)n;
}

static void hurry_first(uint32_t n)
{
	if (n == 1)
		shrink_wake(true);
}

static void grows_at_second(uint32_t n)
{
	if (n == 2) {
		shrink_want();
		shrink_poll();
	}
}

TEST(asleep_until_something_is_wanted)
{
	run(false, nobody, false);
	CHECK_EQ(n_dozes, 0);
	CHECK_EQ(n_passes, 0);
	run(true, nobody, false);
	CHECK_EQ(n_dozes, 1);
	CHECK_EQ(dozes[0], SECOND);
	CHECK_EQ(n_passes, 1);
	CHECK(!hurries[0]);
}

TEST(memory_that_is_short_just_while_it_lies_down_is_heard)
{
	uint64_t before = now + 3600 * (uint64_t)SECOND;
	run(true, hurry_first, false);
	CHECK_EQ(n_passes, 1);
	CHECK(hurries[0]);
	CHECK_EQ(now, before); /* it has not waited */
}

TEST(a_stack_that_grows_just_while_it_lies_down_for_long_is_heard)
{
	run(true, grows_at_second, true);
	/* a second for the first pass; then two, for what was left over: but something is new, so one, from then on */
	CHECK_EQ(n_dozes, 4);
	CHECK_EQ(dozes[0], SECOND);
	CHECK_EQ(dozes[1], 2 * (uint64_t)SECOND);
	CHECK_EQ(dozes_at[2], dozes_at[1]);
	CHECK_EQ(dozes[2], SECOND);
	CHECK_EQ(n_passes, 3);
}

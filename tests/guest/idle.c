/*
 * A hart that found nothing to run looks once more before it sleeps (sched/sched.c, rule 1). What happens in between is made to happen: work
 * for it comes when it has looked for the last time and has not said yet that it is idle. Nothing here is judged by time.
 *
 *	target hart    pick: nothing -> no_work(): the goroutine is made ready -> idle: sees it, and runs it; or sleeps, seen by sleeping()
 */
#include "suite.h"

#include <stdatomic.h>

#include <hartbeat/go.h>
#include <hartbeat/time.h>

#include "kernel/hart.h"
#include "kernel/lock.h"
#include "kernel/preempt.h"
#include "sched/impl.h"

enum stage { OFF, PARKED, MADE_READY, RAN };

static struct {
	struct g *g;       /* pinned to the target hart, waiting */
	uint32_t target;   /* index of a hart */
	bool with_spinner; /* another hart is to be looking for work meanwhile */
	_Atomic uint32_t stage;
	_Atomic bool spinner_held, slept;
	_Atomic uint32_t held; /* how often a spinner was held */
	void (*idle_before)(struct hart *h, bool idle);
} t;

/* Waits in system context; false after two seconds. On one hart at a time (EXACT=1) the others go on only at a timer's deadline. */
static bool wait_for(bool (*done)(void))
{
	uint64_t end = time_now() + 2 * TIME_SECOND;
	for (uint32_t n = 1; !done(); n++) {
		bool on = arch_irq_save();
		spin_pause(n);
		arch_irq_restore(on);
		if (time_now() > end)
			return false;
	}
	return true;
}

static bool target_is_through(void)
{
	return atomic_load(&t.stage) != MADE_READY || atomic_load(&t.slept);
}

static bool made_ready(void)
{
	return atomic_load(&t.stage) != PARKED;
}

static void no_work(struct hart *h)
{
	if (atomic_load(&t.stage) == OFF || atomic_load(&t.stage) == RAN)
		return;
	if (h->index != t.target) {
		/* one that spins stays so until it is seen what the target does */
		if (t.with_spinner && h->sched->spinning && !atomic_exchange(&t.spinner_held, true)) {
			atomic_fetch_or(&harts[t.target]->ipi, IPI_ASK);
			arch_ipi_send(harts[t.target]);
			wait_for(made_ready);
			wait_for(target_is_through);
			atomic_store(&t.spinner_held, false);
		}
		return;
	}
	if (atomic_load(&t.stage) != PARKED || atomic_load(&t.g->status) != G_WAITING ||
	    (t.with_spinner && !atomic_load(&t.spinner_held)))
		return;
	atomic_fetch_add(&t.held, t.with_spinner);
	atomic_store(&t.stage, MADE_READY);
	ready(t.g);
}

static void sleeping(struct hart *h, bool idle)
{
	if (idle && h->index == t.target && atomic_load(&t.stage) == MADE_READY)
		atomic_store(&t.slept, true);
	if (t.idle_before != NULL)
		t.idle_before(h, idle);
}

static void wait_for_target(void *left)
{
	t.g = g_self();
	park_prepare(WAIT_SYSTEM);
	atomic_store(&t.stage, PARKED);
	park_commit();
	atomic_store(&t.stage, RAN);
	waitgroup_done(left);
}

static void nothing(void *left)
{
	waitgroup_done(left);
}

static void on_target(void (*fn)(void *), struct waitgroup *left)
{
	waitgroup_add(left, 1);
	CHECK(go_with(fn, left, &(struct go_options){.pinned = true, .hart = t.target}) != 0);
}

/* In a goroutine on another hart, if there is one: it looks for work each time this goroutine sleeps. */
static void once(void *done)
{
	struct waitgroup left = {0};
	on_target(wait_for_target, &left);
	uint64_t end = time_now() + 20 * TIME_SECOND;
	while (atomic_load(&t.stage) != RAN && time_now() < end) {
		on_target(nothing, &left); /* so that it comes to look for work */
		time_sleep(100 * TIME_MICROSECOND);
	}
	if (atomic_load(&t.stage) != RAN) { /* the test is to end */
		guest_fail(__FILE__, __LINE__, "hart %u did not get so far", t.target);
		ready(t.g);
	}
	waitgroup_wait(&left);
	waitgroup_done(done);
}

static void each_hart(bool with_spinner)
{
	t.idle_before = sched_idle_hook;
	t.with_spinner = with_spinner;
	atomic_store(&t.held, 0);
	sched_idle_hook = sleeping;
	sched_no_work_hook = no_work;
	for (uint32_t i = 0; i < go_harts(); i++) {
		struct waitgroup done = {0};
		struct go_options beside = {.pinned = true, .hart = (i + 1) % go_harts()};
		t.target = i;
		atomic_store(&t.slept, false);
		atomic_store(&t.stage, OFF);
		waitgroup_add(&done, 1);
		CHECK(go_with(once, &done, &beside) != 0);
		waitgroup_wait(&done);
		if (atomic_load(&t.slept))
			guest_fail(__FILE__, __LINE__, "hart %u slept with work in its queue", i);
	}
	sched_no_work_hook = NULL;
	sched_idle_hook = t.idle_before;
}

GUEST_TEST(idle, recheck, "work that comes between a hart's last look and its sleep is run, not slept over")
{
	each_hart(false);
}

GUEST_TEST(idle, recheck_beside_spinner,
	   "a hart does not leave what only it can run to another that is looking for work")
{
	if (go_harts() < 2) {
		guest_skip("it takes a hart that looks for work, and another");
		return;
	}
	each_hart(true);
	CHECK_EQ(atomic_load(&t.held), go_harts());
}

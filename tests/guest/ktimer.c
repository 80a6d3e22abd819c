/* kernel/ktimer.h: many deadlines on one hardware timer. */
#include "suite.h"

#include <stdatomic.h>

#include <hartbeat/go.h>
#include <hartbeat/time.h>

#include "kernel/clock.h"
#include "kernel/hart.h"
#include "kernel/lock.h"
#include "kernel/preempt.h"
#include "kernel/ktimer.h"

enum { TIMERS = 600 };

struct shot {
	struct ktimer timer;
	_Atomic uint32_t fired, last;
	uint64_t due, at; /* arch_ticks() */
	uint32_t hart, order;
};

static struct shot shots[TIMERS];
static _Atomic uint32_t n_fired;

static void fire(struct ktimer *t)
{
	struct shot *s = t->arg;
	s->at = arch_ticks();
	s->hart = arch_hart()->index;
	s->order = atomic_fetch_add(&n_fired, 1);
	atomic_fetch_add(&s->fired, 1);
	atomic_store(&s->last, 1); /* from here on the owner may use *s again */
}

static void shot_start(struct shot *s, uint64_t ns)
{
	*s = (struct shot){.timer = {.fn = fire, .arg = s}, .due = clock_deadline(ns)};
	if (!ktimer_add(&s->timer, s->due))
		guest_fail(__FILE__, __LINE__, "no memory for a timer");
}

static void wait_fired(uint32_t n)
{
	uint64_t end = time_now() + 20 * TIME_SECOND;
	while (atomic_load(&n_fired) < n && time_now() < end)
		time_sleep(TIME_MILLISECOND);
	CHECK_EQ(atomic_load(&n_fired), n);
}

GUEST_TEST(ktimer, order, "timers fire once each, not early, on a hart in the order of their deadlines")
{
	uint64_t seed = 11;
	uint32_t armed = timers_armed();
	uint64_t first = UINT64_MAX;
	atomic_store(&n_fired, 0);
	/* this long without a timer pass, so that all of them are in the heap before the first one fires */
	preempt_disable();
	for (int i = 0; i < TIMERS; i++) {
		shot_start(&shots[i], 50 * TIME_MILLISECOND + guest_random(&seed) % (20 * TIME_MILLISECOND));
		if (shots[i].due < first)
			first = shots[i].due;
	}
	CHECK(timers_armed() >= TIMERS);
	preempt_enable();
	wait_fired(TIMERS);
	CHECK_EQ(timers_armed(), armed);
	for (int i = 0; i < TIMERS; i++) {
		CHECK_EQ(atomic_load(&shots[i].fired), 1);
		CHECK(shots[i].at >= shots[i].due);
		for (int k = 0; k < i; k += 7)
			CHECK(shots[i].hart != shots[k].hart || shots[i].due == shots[k].due ||
			      (shots[i].due < shots[k].due) == (shots[i].order < shots[k].order));
	}
}

GUEST_TEST(ktimer, cancel, "a cancelled timer does not fire, whatever its place in the heap; the others do")
{
	uint64_t seed = 12;
	uint32_t cancelled = 0, armed = timers_armed();
	atomic_store(&n_fired, 0);
	for (int i = 0; i < TIMERS; i++)
		shot_start(&shots[i], 100 * TIME_MILLISECOND + guest_random(&seed) % (30 * TIME_MILLISECOND));
	for (int i = 0; i < TIMERS; i++) {
		if (guest_random(&seed) % 2 == 0 && ktimer_cancel(&shots[i].timer)) {
			atomic_store(&shots[i].last, 2);
			cancelled++;
			CHECK(!ktimer_cancel(&shots[i].timer));
		}
	}
	wait_fired(TIMERS - cancelled);
	time_sleep(2 * TIME_MILLISECOND);
	CHECK_EQ(timers_armed(), armed);
	for (int i = 0; i < TIMERS; i++)
		CHECK_EQ(atomic_load(&shots[i].fired), atomic_load(&shots[i].last) == 2 ? 0 : 1);
}

static _Atomic uint32_t races_cancelled, races_fired;

static void race(void *arg)
{
	struct shot s;
	uint64_t seed = (uintptr_t)arg;
	for (uint32_t i = 0; i < guest_count(150, 5000); i++) {
		shot_start(&s, guest_random(&seed) % (60 * TIME_MICROSECOND));
		if (guest_random(&seed) % 2)
			go_yield(); /* so that the cancel may come from another hart */
		guest_spin(guest_random(&seed) % (60 * TIME_MICROSECOND));
		if (ktimer_cancel(&s.timer)) {
			CHECK_EQ(atomic_load(&s.fired), 0);
			atomic_fetch_add(&races_cancelled, 1);
		} else {
			while (atomic_load(&s.last) == 0)
				go_yield();
			CHECK_EQ(atomic_load(&s.fired), 1);
			atomic_fetch_add(&races_fired, 1);
		}
	}
}

GUEST_TEST(ktimer, cancel_race, "cancel says true exactly when the timer does not fire")
{
	struct guest_group all = {0};
	uint32_t armed = timers_armed();
	atomic_store(&n_fired, 0);
	atomic_store(&races_fired, 0);
	atomic_store(&races_cancelled, 0);
	for (uintptr_t i = 0; i < 2 * go_harts(); i++)
		guest_go(&all, race, (void *)(i + 1));
	guest_wait(&all);
	CHECK_EQ(atomic_load(&n_fired), atomic_load(&races_fired));
	CHECK_EQ(timers_armed(), armed);
	guest_note("%u cancelled, %u fired", atomic_load(&races_cancelled), atomic_load(&races_fired));
}

static _Atomic bool stolen_stop;

static void come_and_go(void *arg)
{
	(void)arg;
	while (!atomic_load(&stolen_stop))
		time_sleep(50 * TIME_MICROSECOND);
}

GUEST_TEST(ktimer, stolen, "a timer of a hart that has preemption off is run by a hart that looks for work")
{
	struct guest_group all = {0};
	struct shot s;
	if (go_harts() == 1) {
		guest_skip("one hart: nobody else is there");
		return;
	}
	atomic_store(&stolen_stop, false);
	for (unsigned i = 0; i < 2 * go_harts(); i++)
		guest_go(&all, come_and_go, NULL);
	bool stolen = false;
	for (int i = 0; i < GUEST_ATTEMPTS && !stolen; i++) {
		preempt_disable();
		shot_start(&s, TIME_MILLISECOND);
		for (uint64_t end = time_now() + 300 * TIME_MILLISECOND; time_now() < end && !stolen;)
			stolen = atomic_load(&s.last) != 0;
		if (stolen)
			CHECK(s.hart != hart_index());
		preempt_enable();
		ktimer_cancel_wait(&s.timer);
	}
	atomic_store(&stolen_stop, true);
	guest_wait(&all);
	CHECK(stolen);
}

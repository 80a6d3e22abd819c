/*
 * <hartbeat/time.h>: timers and delayed functions, by the names of Go's tests. A timer may be late by whatever the host likes, so what is
 * checked is order, lower bounds and results; where a test needs the host to be prompt once, it tries GUEST_ATTEMPTS times.
 */
#include "timers.h"

#include <stdatomic.h>
#include <string.h>

#include <hartbeat/go.h>
#include <hartbeat/panic.h>

/* ---- a timer made of a function, to go both ways ---- */

struct func_timer {
	struct chan *c; /* buffered: the function does not wait */
	struct timer *t;
};

static void send_now(void *arg)
{
	uint64_t now = time_now();
	chan_send(arg, &now);
}

static struct func_timer func_timer_new(uint64_t ns)
{
	struct func_timer f = {.c = chan_make(sizeof(uint64_t), 1)};
	f.t = f.c == NULL ? NULL : time_after_func(ns, send_now, f.c);
	if (f.t == NULL)
		guest_fail(__FILE__, __LINE__, "no memory for a timer");
	return f;
}

/* What was to be sent has been received, or the timer was stopped before. */
static void func_timer_free(struct func_timer f)
{
	timer_free(f.t);
	chan_free(f.c);
}

static struct timer *make(uint64_t ns)
{
	struct timer *t = timer_new(ns);
	if (t == NULL)
		panic("out of memory: no timer for a test");
	return t;
}

/* ---- after ---- */

GUEST_TEST(timer, after, "time_after sends the time when it was due, not before")
{
	for (uint64_t ns = 0; ns <= 30 * TIME_MILLISECOND; ns = ns * 3 + 1) {
		uint64_t start = time_now(), when = 0;
		struct chan *c = time_after(ns);
		CHECK(chan_recv(c, &when));
		CHECK(when >= start + ns && time_now() >= when);
		CHECK(nothing_in(c));
		time_after_free(c);
	}
}

static bool after_times_once(void)
{
	uint64_t start = time_now(), when = 0;
	struct chan *c = time_after(10 * TIME_MILLISECOND);
	time_sleep(200 * TIME_MILLISECOND);
	CHECK(chan_recv(c, &when));
	time_after_free(c);
	return when - start < 100 * TIME_MILLISECOND;
}

GUEST_TEST(timer, after_times, "a value received late says when the timer was due")
{
	for (int i = 0; i < GUEST_ATTEMPTS; i++)
		if (after_times_once())
			return;
	CHECK(!"the time of the deadline");
}

GUEST_TEST(timer, after_tick, "ten timers one after the other take ten times as long")
{
	uint64_t start = time_now();
	for (int i = 0; i < 10; i++) {
		struct chan *c = time_after(3 * TIME_MILLISECOND);
		chan_recv(c, NULL);
		time_after_free(c);
	}
	CHECK(time_now() - start >= 30 * TIME_MILLISECOND);
}

static bool after_stop_once(bool func)
{
	struct func_timer none = {NULL, NULL}, f0 = func ? func_timer_new(50 * TIME_MILLISECOND) : none;
	struct timer *t0 = func ? f0.t : make(50 * TIME_MILLISECOND);
	struct func_timer f1 = func_timer_new(60 * TIME_MILLISECOND);
	bool stopped = timer_stop(t0) && timer_stop(f1.t);
	if (stopped) {
		struct chan *c = time_after(100 * TIME_MILLISECOND);
		chan_recv(c, NULL);
		time_after_free(c);
		CHECK(nothing_in(func ? f0.c : t0->c));
		CHECK(nothing_in(f1.c));
		CHECK(!timer_stop(t0) && !timer_stop(f1.t));
	} else {
		time_sleep(200 * TIME_MILLISECOND); /* the functions have run */
	}
	if (func)
		func_timer_free(f0);
	else
		timer_free(t0);
	func_timer_free(f1);
	return stopped;
}

GUEST_TEST(timer, after_stop, "a stopped timer does not fire, nor after a later one has")
{
	for (int func = 0; func <= 1; func++) {
		int i = 0;
		while (i < GUEST_ATTEMPTS && !after_stop_once(func != 0))
			i++;
		CHECK(i < GUEST_ATTEMPTS);
	}
}

enum { SLOTS = 13 };
static const uint64_t slots[SLOTS] = {5, 3, 6, 6, 6, 1, 1, 2, 7, 9, 4, 8, 0};
static uint64_t slot_delta;
static bool slot_func;
static _Atomic uint32_t slot_next;
static uint64_t slot_order[SLOTS];

static void slot_wait(void *arg)
{
	uint64_t slot = slots[(uintptr_t)arg], when;
	if (slot_func) {
		struct func_timer f = func_timer_new(slot * slot_delta);
		chan_recv(f.c, &when);
		slot_order[atomic_fetch_add(&slot_next, 1)] = slot;
		func_timer_free(f);
	} else {
		struct chan *c = time_after(slot * slot_delta);
		chan_recv(c, &when);
		slot_order[atomic_fetch_add(&slot_next, 1)] = slot;
		time_after_free(c);
	}
}

static bool queued_in_order(uint64_t delta)
{
	struct guest_group all = {0};
	bool ok = true;
	slot_delta = delta;
	atomic_store(&slot_next, 0);
	for (uintptr_t i = 0; i < SLOTS; i++)
		guest_go(&all, slot_wait, (void *)i);
	guest_wait(&all);
	for (int i = 1; i < SLOTS; i++)
		ok &= slot_order[i - 1] <= slot_order[i];
	return ok;
}

GUEST_TEST(timer, after_queuing,
	   "timers come in the order of their times, whatever the order they were made in")
{
	for (int func = 0; func <= 1; func++) {
		slot_func = func != 0;
		int i = 0;
		while (i < GUEST_ATTEMPTS && !queued_in_order((10 + 20 * (uint64_t)i) * TIME_MILLISECOND))
			i++;
		CHECK(i < GUEST_ATTEMPTS);
	}
}

/* ---- delayed functions ---- */

static struct {
	int left;
	struct chan *done;
	struct timer *timers[11];
} chain;

static void chain_step(void *arg)
{
	(void)arg;
	if (chain.left == 0) {
		chan_send(chain.done, NULL);
		return;
	}
	int at = --chain.left;
	struct timer *t = time_after_func(0, chain_step, NULL);
	CHECK(t != NULL);
	chain.timers[at] = t;
	time_sleep(100 * TIME_MILLISECOND); /* in a goroutine of its own: the next does not wait for this */
}

GUEST_TEST(timer, after_func, "each delayed function runs in a goroutine of its own, and may delay another")
{
	chain.left = 10;
	chain.done = chan_make(0, 0);
	chain.timers[10] = time_after_func(0, chain_step, NULL);
	chan_recv(chain.done, NULL);
	time_sleep(TIME_MILLISECOND);
	for (int i = 0; i <= 10; i++)
		timer_free(chain.timers[i]);
	chan_free(chain.done);
}

static _Atomic bool stop_flag;
static _Atomic(struct timer *) own;

static void set_stop(void *arg)
{
	(void)arg;
	atomic_store(&stop_flag, true);
}

static void free_own(void *arg)
{
	(void)arg;
	struct timer *t;
	while ((t = atomic_load(&own)) == NULL)
		go_yield();
	timer_free(t);
	atomic_store(&stop_flag, true);
}

GUEST_TEST(timer, freed_by_its_function, "a delayed function may free its timer")
{
	for (int i = 0; i < 100; i++) {
		atomic_store(&stop_flag, false);
		atomic_store(&own, NULL);
		atomic_store(&own, time_after_func(1, free_own, NULL));
		while (!atomic_load(&stop_flag))
			go_yield();
	}
}

static void pump(void *arg)
{
	struct chan *c = arg;
	while (!atomic_load(&stop_flag))
		chan_send(c, NULL);
	chan_close(c);
}

static void drain(void *arg)
{
	while (chan_recv(arg, NULL))
		;
}

GUEST_TEST(timer, after_func_starvation,
	   "a delayed function runs though two goroutines keep handing a channel to each other")
{
	for (uint32_t i = 0; i < guest_count(20, 500); i++) {
		struct guest_group all = {0};
		struct chan *c = chan_make(0, 1);
		atomic_store(&stop_flag, false);
		guest_go(&all, pump, c);
		guest_go(&all, drain, c);
		struct timer *t = time_after_func(TIME_MICROSECOND, set_stop, NULL);
		guest_wait(&all);
		timer_free(t);
		chan_free(c);
	}
}

static _Atomic uint32_t not_stopped, late_stops;

static void count_up(void *arg)
{
	(void)arg;
	atomic_fetch_add(&not_stopped, 1);
}

static void stop_in_time(void *arg)
{
	(void)arg;
	struct timer *t = time_after_func(400 * TIME_MILLISECOND, count_up, NULL);
	time_sleep(20 * TIME_MILLISECOND);
	if (!timer_stop(t))
		atomic_fetch_add(&late_stops, 1); /* the host slept */
	timer_free(t);
}

GUEST_TEST(timer, timer_stop_stress,
	   "a hundred goroutines stop a hundred timers: none fires that was stopped")
{
	struct guest_group all = {0};
	atomic_store(&not_stopped, 0);
	atomic_store(&late_stops, 0);
	for (int i = 0; i < 100; i++)
		guest_go(&all, stop_in_time, NULL);
	guest_wait(&all);
	time_sleep(500 * TIME_MILLISECOND);
	CHECK_EQ(atomic_load(&not_stopped), atomic_load(&late_stops));
}

/* ---- reset ---- */

/* NULL, or what did not hold. */
static const char *reset_once(uint64_t d)
{
	const char *wrong = NULL;
	struct timer *t = make(2 * d);
	time_sleep(d);
	if (!timer_reset(t, 3 * d))
		wrong = "resetting an unfired timer returned false";
	uint64_t set = time_now();
	time_sleep(2 * d);
	if (wrong == NULL && !nothing_in(t->c) && time_now() < set + 3 * d)
		wrong = "the timer fired early";
	time_sleep(2 * d);
	if (wrong == NULL && nothing_in(t->c))
		wrong = "the reset timer did not fire";
	if (wrong == NULL && timer_reset(t, HOUR))
		wrong = "resetting an expired timer returned true";
	timer_free(t);
	return wrong;
}

GUEST_TEST(timer, reset, "a reset timer fires at its new time, and says whether it had been to fire")
{
	const char *wrong = NULL;
	for (uint64_t d = TIME_MILLISECOND; d < 2 * TIME_SECOND; d *= 4)
		if ((wrong = reset_once(d)) == NULL)
			return;
	guest_fail(__FILE__, __LINE__, "%s", wrong);
}

GUEST_TEST(timer, zero_timer, "a timer for now fires at once, new or set again")
{
	struct timer *again = make(HOUR);
	for (uint32_t i = 0; i < guest_count(1000, 100000); i++) {
		struct timer *t = make(i % 2 == 0 ? 0 : (uint64_t)-1000);
		CHECK(recv_patiently(t->c, NULL));
		timer_free(t);
		timer_reset(again, 0);
		CHECK(recv_patiently(again->c, NULL));
	}
	timer_free(again);
}

GUEST_TEST(timer, timer_modified_earlier, "a timer that is moved to the past again and again is not lost")
{
	for (uint32_t i = 0; i < guest_count(200, 1000); i++) {
		struct func_timer f = func_timer_new(HOUR);
		for (int k = 0; k < 10; k++) {
			if (!timer_stop(f.t))
				chan_recv(f.c, NULL);
			timer_reset(f.t, (uint64_t)-1000);
		}
		CHECK(recv_patiently(f.c, NULL));
		func_timer_free(f);
	}
}

enum { ADJUSTED = 100 };

/* One step of a timer's life; false when it is over. */
static bool adjust(struct func_timer *f, int state)
{
	static const uint64_t far[] = {60 * TIME_SECOND, 180 * TIME_SECOND, 120 * TIME_SECOND};
	switch (state) {
	case 0:
		*f = func_timer_new(0);
		return true;
	case 1:
	case 9:
		CHECK(recv_patiently(f->c, NULL));
		return true;
	case 2:
	case 4:
	case 6:
		CHECK(!timer_reset(f->t, far[state / 2 - 1]));
		return true;
	case 3:
	case 5:
	case 7:
		CHECK(timer_stop(f->t));
		return true;
	case 8:
		CHECK(!timer_reset(f->t, 0));
		return true;
	default:
		func_timer_free(*f);
		return false;
	}
}

GUEST_TEST(timer, adjust_timers,
	   "a hundred timers moved back and forth in turn: each fires when it is its time, none is lost")
{
	struct func_timer t[ADJUSTED];
	int state[ADJUSTED] = {0}, left = ADJUSTED;
	uint64_t seed = 47762;
	while (left > 0) {
		uint32_t i = guest_random(&seed) % (uint32_t)left;
		if (!adjust(&t[i], state[i]++)) {
			left--;
			t[i] = t[left];
			state[i] = state[left];
		}
	}
}

static struct timer *shared;

static void wake_shared(void *arg)
{
	uint64_t seed = (uintptr_t)arg, when;
	for (uint32_t i = 0; i < guest_count(2000, 20000); i++) {
		if (chan_try_recv(shared->c, &when, NULL))
			CHECK(when <= time_now());
		timer_reset(shared, i % 4 == 0 ? guest_random(&seed) % (500 * TIME_MICROSECOND) : 1);
	}
}

GUEST_TEST(timer, multi_wakeup_timer,
	   "goroutines of all harts receive from one timer and reset it: what is received has been due")
{
	struct guest_group all = {0};
	shared = make(1);
	for (uintptr_t i = 0; i < go_harts(); i++)
		guest_go(&all, wake_shared, (void *)(i + 1));
	guest_wait(&all);
	timer_reset(shared, 1);
	CHECK(recv_patiently(shared->c, NULL));
	time_sleep(TIME_MILLISECOND);
	CHECK(nothing_in(shared->c));
	timer_free(shared);
}

/* ---- no stale value ---- */

GUEST_TEST(timer, chan,
	   "after a stop or reset no value from before is received; the channel looks unbuffered (TestChan)")
{
	struct timer *t = make(HOUR);
	CHECK(timer_stop(t) && nothing_in(t->c));
	CHECK(!timer_reset(t, HOUR) && nothing_in(t->c));
	for (int i = 0; i < 20; i++) {
		CHECK(timer_reset(t, 1));
		time_sleep(TIME_MILLISECOND);
		CHECK_EQ(chan_len(t->c), 0);
		CHECK_EQ(chan_cap(t->c), 0);
		CHECK(recv_patiently(t->c, NULL));
		CHECK(nothing_in(t->c));
		CHECK(!timer_reset(t, 1));
		time_sleep(TIME_MILLISECOND);
		CHECK(timer_stop(t)); /* it has fired, and nobody has received */
		CHECK(nothing_in(t->c));
		CHECK(!timer_reset(t, 1));
		time_sleep(TIME_MILLISECOND);
		CHECK(timer_reset(t, HOUR));
		CHECK(nothing_in(t->c));
	}
	timer_free(t);
}

/* Stops or resets while the timer fires, on whichever hart: what the result promises is held against what can be received. */
static void race_stale(void *arg)
{
	uint64_t seed = (uintptr_t)arg, when;
	struct timer *t = make(HOUR);
	for (uint32_t i = 0; i < guest_count(2000, 50000); i++) {
		timer_reset(t, guest_random(&seed) % (20 * TIME_MICROSECOND));
		guest_spin(guest_random(&seed) % (20 * TIME_MICROSECOND));
		if (guest_random(&seed) % 8 == 0)
			go_yield();
		bool stop = guest_random(&seed) % 2 != 0;
		uint64_t set = time_now();
		if (stop)
			CHECK(timer_stop(
				t)); /* nobody has received: whether it fired or not, it is taken back */
		else
			CHECK(timer_reset(t, 5 * TIME_MICROSECOND));
		if (guest_random(&seed) % 2)
			guest_spin(guest_random(&seed) % (10 * TIME_MICROSECOND));
		if (chan_try_recv(t->c, &when, NULL) && (stop || when < set + 5 * TIME_MICROSECOND))
			guest_fail(__FILE__, __LINE__, "a stale value was received after %s",
				   stop ? "a stop" : "a reset");
	}
	timer_free(t);
}

GUEST_TEST(timer, stale, "a stop or reset that meets the firing on another hart lets no stale value through")
{
	struct guest_group all = {0};
	for (uintptr_t i = 0; i < 2 * go_harts(); i++)
		guest_go(&all, race_stale, (void *)(i + 1));
	guest_wait(&all);
}

/* ---- ownership ---- */

static void each_kind(void *arg)
{
	(void)arg;
	for (uint64_t i = 0; i < 300; i++) {
		struct timer *t = make(i % 3 == 0 ? HOUR : i % 30 * TIME_MICROSECOND);
		if (i % 4 == 0)
			timer_stop(t);
		timer_free(t);
		time_after_free(time_after(i % 2 ? HOUR : 0));
		ticker_free(ticker_new(1 + i % 2 * HOUR));
		t = time_after_func(i % 2 ? HOUR : 0, count_up, NULL);
		timer_free(t);
	}
}

GUEST_TEST(timer, no_leak, "what timers take is given back, fired or not (TestTimerGC)")
{
	struct guest_group all = {0};
	timer_free(NULL);
	time_after_free(NULL);
	ticker_free(NULL);
	for (int i = 0; i < 4; i++) /* the deepest heaps and the most goroutines that it takes */
		for (int k = 0; k < 4; k++)
			guest_go(&all, each_kind, NULL);
	guest_wait(&all);
	struct guest_group one = {0};
	size_t before = 0;
	for (int pass = 0; pass < 3; pass++) {
		guest_go(&one, each_kind, NULL);
		guest_wait(&one);
		time_sleep(20 * TIME_MILLISECOND);
		if (pass > 0)
			CHECK(heap_comes_to(before));
		before = heap_objects();
	}
}

GUEST_TEST(timer, uninitialized,
	   "stopping or resetting a struct timer that nobody made panics (TestZeroTimerStopPanics)")
{
	struct timer none = {0};
	volatile int panics = 0;
	RECOVER_SCOPE (stop) {
		timer_stop(&none);
	} else {
		CHECK_EQ(strcmp(stop.message, "time: Stop called on uninitialized Timer"), 0);
		panics++;
	}
	RECOVER_SCOPE (reset) {
		timer_reset(&none, 1);
	} else {
		CHECK_EQ(strcmp(reset.message, "time: Reset called on uninitialized Timer"), 0);
		panics++;
	}
	CHECK_EQ(panics, 2);
}

/* <hartbeat/time.h>: tickers, by the names of Go's tests. As in timer.c: order, lower bounds and counts, not promptness. */
#include "timers.h"

#include <stdatomic.h>
#include <string.h>

#include <hartbeat/go.h>
#include <hartbeat/panic.h>

#include "kernel/assert.h"
#include "kernel/ktimer.h"

static struct ticker *make(uint64_t period)
{
	struct ticker *t = ticker_new(period);
	if (t == NULL)
		panic("out of memory: no ticker for a test");
	return t;
}

GUEST_TEST(ticker, ticker, "ticks come a period apart, or the new one after a reset, and none after a stop")
{
	enum { COUNT = 10 };
	const uint64_t delta = 5 * TIME_MILLISECOND;
	uint64_t start = time_now(), when = 0, last;
	struct ticker *t = make(delta);
	for (int i = 0; i < COUNT / 2; i++) {
		last = when;
		CHECK(chan_recv(t->c, &when));
		CHECK(i == 0 || (when > last && (when - last) % delta == 0));
	}
	ticker_reset(t, 2 * delta);
	uint64_t again = time_now();
	for (int i = 0; i < COUNT / 2; i++) {
		last = when;
		chan_recv(t->c, &when);
		CHECK(i == 0 ? when <= again + 2 * delta : (when > last && (when - last) % (2 * delta) == 0));
	}
	CHECK(time_now() - start >= 3 * delta * (COUNT / 2));
	ticker_stop(t);
	time_sleep(4 * delta);
	CHECK(nothing_in(t->c));
	ticker_free(t);
}

static bool tick_times_once(void)
{
	uint64_t start = time_now(), when = 0;
	struct ticker *t = make(10 * TIME_MILLISECOND);
	time_sleep(200 * TIME_MILLISECOND);
	CHECK(chan_recv(t->c, &when));
	ticker_free(t);
	return when - start < 100 * TIME_MILLISECOND;
}

GUEST_TEST(ticker, tick_times, "a tick received late says when it was due")
{
	for (int i = 0; i < GUEST_ATTEMPTS; i++)
		if (tick_times_once())
			return;
	CHECK(!"the time of the first tick");
}

GUEST_TEST(ticker, dropped, "a slow receiver gets one old tick, then the next; ticks in between are dropped")
{
	const uint64_t period = TIME_MILLISECOND;
	struct ticker *t = make(period);
	uint64_t first, second, late;
	time_sleep(50 * TIME_MILLISECOND);
	late = time_now();
	chan_recv(t->c, &first);
	chan_recv(t->c, &second);
	CHECK(first < late - 40 * TIME_MILLISECOND);
	CHECK(second > late - period && (second - first) % period == 0);
	ticker_free(t);
}

/* The kernel's goroutines have timers, too, that come and go. */
static bool armed_patiently(uint32_t most)
{
	for (uint64_t end = time_now() + PATIENCE; time_now() < end; go_yield())
		if (timers_armed() <= most)
			return true;
	return false;
}

GUEST_TEST(ticker, unheard, "a ticker that nobody listens to does not keep the machine busy or alive")
{
	/* one that is out of the way first, so that the count below is of tickers alone */
	uint32_t armed = timers_armed();
	struct ticker *t = make(TIME_MICROSECOND);
	CHECK(armed_patiently(armed));
	CHECK(recv_patiently(t->c, NULL));
	CHECK(recv_patiently(t->c, NULL)); /* armed again by the receive before */
	ticker_free(t);
	CHECK(armed_patiently(armed));
}

static _Atomic bool stop;

static void sleep_much(void *arg)
{
	(void)arg;
	while (!atomic_load(&stop))
		time_sleep(1);
}

GUEST_TEST(ticker, ticker_stress, "a ticker of 1 ns beside a goroutine that sleeps all the time")
{
	struct guest_group all = {0};
	atomic_store(&stop, false);
	guest_go(&all, sleep_much, NULL);
	struct ticker *t = make(1);
	for (int i = 0; i < 100; i++)
		chan_recv(t->c, NULL);
	ticker_stop(t);
	atomic_store(&stop, true);
	guest_wait(&all);
	ticker_free(t);
}

static struct ticker *shared;

static void hundred_ticks(void *arg)
{
	(void)arg;
	uint64_t when, last = 0;
	for (int i = 0; i < 100; i++) {
		CHECK(chan_recv(shared->c, &when));
		CHECK(when > last);
		last = when;
	}
}

GUEST_TEST(ticker, ticker_concurrent_stress,
	   "ten goroutines share a ticker of 1 ns: each gets later and later ticks")
{
	struct guest_group busy = {0}, all = {0};
	atomic_store(&stop, false);
	guest_go(&busy, sleep_much, NULL);
	shared = make(1);
	for (int i = 0; i < 10; i++)
		guest_go(&all, hundred_ticks, NULL);
	guest_wait(&all);
	ticker_stop(shared);
	atomic_store(&stop, true);
	guest_wait(&busy);
	ticker_free(shared);
}

GUEST_TEST(ticker, teardown, "a ticker that is stopped and made anew does not hang")
{
	for (int i = 0; i < 3; i++) {
		struct ticker *t = make(5 * TIME_MILLISECOND);
		chan_recv(t->c, NULL);
		ticker_stop(t);
		ticker_free(t);
	}
}

GUEST_TEST(ticker, manual_ticker, "stopping a struct ticker that ticker_new() did not make does nothing")
{
	struct ticker t = {.c = chan_make(sizeof(uint64_t), 0)};
	ticker_stop(&t);
	ticker_free(&t);
	ticker_free(NULL);
	chan_free(t.c);
}

GUEST_TEST(ticker, overflow_period,
	   "a ticker with a period beyond the clock's range never ticks, nor one that is set to it while it "
	   "ticks")
{
	struct ticker *t = make(INT64_MAX), *quick = make(1);
	CHECK(recv_patiently(quick->c, NULL));
	ticker_reset(quick, INT64_MAX);
	time_sleep(TIME_MILLISECOND);
	CHECK(nothing_in(t->c) && nothing_in(quick->c));
	ticker_reset(t, 1);
	CHECK(recv_patiently(t->c, NULL));
	ticker_free(t);
	ticker_free(quick);
}

GUEST_TEST(ticker, chan,
	   "after a stop or reset no tick from before is received; the channel looks unbuffered (TestChan)")
{
	struct ticker *t = make(HOUR);
	for (int i = 0; i < 20; i++) {
		ticker_reset(t, 1);
		time_sleep(TIME_MILLISECOND);
		CHECK_EQ(chan_len(t->c), 0);
		CHECK_EQ(chan_cap(t->c), 0);
		CHECK(recv_patiently(t->c, NULL));
		CHECK(recv_patiently(t->c, NULL));
		ticker_reset(t, HOUR);
		CHECK(nothing_in(t->c));
		ticker_reset(t, 1);
		time_sleep(TIME_MILLISECOND);
		ticker_stop(t);
		CHECK(nothing_in(t->c));
		time_sleep(TIME_MILLISECOND);
		CHECK(nothing_in(t->c));
	}
	ticker_free(t);
}

/* Resets and stops while it ticks as fast as it can: no tick that was due before the reset comes after it. */
static void race_reset(void *arg)
{
	uint64_t seed = (uintptr_t)arg, when;
	struct ticker *t = make(1);
	for (uint32_t i = 0; i < guest_count(1000, 20000); i++) {
		guest_spin(guest_random(&seed) % (20 * TIME_MICROSECOND));
		if (guest_random(&seed) % 2)
			chan_try_recv(t->c, NULL, NULL);
		uint64_t set = time_now();
		ticker_reset(t, 1 + guest_random(&seed) % (10 * TIME_MICROSECOND));
		if (chan_try_recv(t->c, &when, NULL) && when <= set)
			guest_fail(__FILE__, __LINE__, "a stale tick was received after a reset");
		if (guest_random(&seed) % 4 == 0) {
			ticker_stop(t);
			CHECK(nothing_in(t->c));
			ticker_reset(t, 1);
		}
	}
	ticker_free(t);
}

GUEST_TEST(ticker, stale, "a reset or stop that meets a tick on another hart lets no stale tick through")
{
	struct guest_group all = {0};
	for (uintptr_t i = 0; i < 2 * go_harts(); i++)
		guest_go(&all, race_reset, (void *)(i + 1));
	guest_wait(&all);
}

GUEST_TEST(ticker, new_ticker_lt_zero_duration,
	   "a ticker with a period that is not positive panics, as does a reset to one")
{
	struct ticker *t = make(HOUR), none = {0};
	volatile int panics = 0;
	RECOVER_SCOPE (zero) {
		(void)!ticker_new(0);
	} else {
		panics += strcmp(zero.message, "non-positive interval for NewTicker") == 0;
	}
	RECOVER_SCOPE (negative) {
		(void)!ticker_new((uint64_t)-1);
	} else {
		panics += strcmp(negative.message, "non-positive interval for NewTicker") == 0;
	}
	RECOVER_SCOPE (reset) {
		ticker_reset(t, 0);
	} else {
		panics += strcmp(reset.message, "non-positive interval for Ticker.Reset") == 0;
	}
	RECOVER_SCOPE (unmade) {
		ticker_reset(&none, 1);
	} else {
		panics += strcmp(unmade.message, "time: Reset called on uninitialized Ticker") == 0;
	}
	CHECK_EQ(panics, 4);
	ticker_free(t);
}

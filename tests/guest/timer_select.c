/* Timers, tickers and contexts in selects, by the names of Go's tests. */
#include "timers.h"

#include <stdatomic.h>

#include <hartbeat/context.h>
#include <hartbeat/go.h>
#include <hartbeat/select.h>

#include "kernel/assert.h"

/* ---- one of two ---- */

static bool by_stop;

static void fire_two(void *arg)
{
	(void)arg;
	for (uint32_t i = 0; i < guest_count(20, 100); i++) {
		struct timer *t[2] = {timer_new(TIME_MILLISECOND), timer_new(TIME_MILLISECOND)};
		if (t[0] == NULL || t[1] == NULL)
			panic("out of memory: no timer for a test");
		struct chan_case cases[] = {CHAN_CASE_RECV(t[0]->c, NULL), CHAN_CASE_RECV(t[1]->c, NULL)};
		int first = chan_select(cases, 2, false);
		struct timer *other = t[1 - first];
		bool pending = by_stop ? timer_stop(other) : timer_reset(other, HOUR);
		/* nobody has received from it: whether it has fired or not, the value is taken back */
		CHECK(pending);
		CHECK(nothing_in(other->c) && nothing_in(t[first]->c));
		timer_free(t[0]);
		timer_free(t[1]);
	}
}

static void fire_many(bool stop)
{
	struct guest_group all = {0};
	by_stop = stop;
	for (uint32_t i = 0; i < guest_count(50, 1000); i++)
		guest_go(&all, fire_two, NULL);
	guest_wait(&all);
}

GUEST_TEST(timer, stop_result,
	   "stop says whether a value can still be received, though it races with the firing")
{
	fire_many(true);
}

GUEST_TEST(timer, reset_result, "reset says whether a value could still have been received")
{
	fire_many(false);
}

/* ---- many at one ticker ---- */

static struct ticker *shared;

static void select_ticks(void *arg)
{
	(void)arg;
	for (uint32_t i = 0; i < guest_count(500, 20000); i++) {
		struct chan *after = time_after(TIME_MILLISECOND);
		struct chan_case cases[] = {CHAN_CASE_RECV(shared->c, NULL), CHAN_CASE_RECV(after, NULL)};
		CHECK(after != NULL && chan_select(cases, 2, false) >= 0);
		time_after_free(after);
		CHECK(chan_select_timeout(cases, 1, TIME_MILLISECOND) >= CHAN_SELECT_NONE);
	}
}

GUEST_TEST(ticker, multi_wakeup_ticker,
	   "goroutines of all harts select on one ticker of 1 us and a timer each")
{
	struct guest_group all = {0};
	shared = ticker_new(TIME_MICROSECOND);
	CHECK(shared != NULL);
	for (unsigned i = 0; i < go_harts(); i++)
		guest_go(&all, select_ticks, NULL);
	guest_wait(&all);
	CHECK(recv_patiently(shared->c, NULL));
	ticker_free(shared);
}

/* A waiting receiver is served like one that polls: enqueued, woken once, and not by a stopped timer. */
static struct timer *waited;
static _Atomic uint32_t rung;

static void wait_timer(void *stop)
{
	struct chan_case cases[] = {CHAN_CASE_RECV(waited->c, NULL), CHAN_CASE_RECV(stop, NULL)};
	if (chan_select(cases, 2, false) == 0)
		atomic_fetch_add(&rung, 1);
}

/* Whether it was stopped in time, which a host that stalls can prevent. */
static bool stopped_in_time(void)
{
	struct guest_group all = {0};
	struct chan *stop = chan_make(0, 0);
	waited = timer_new(HOUR);
	atomic_store(&rung, 0);
	for (int i = 0; i < 2; i++)
		guest_go(&all, wait_timer, stop);
	time_sleep(TIME_MILLISECOND);
	CHECK(timer_reset(waited, 5 * TIME_MILLISECOND));
	bool in_time = timer_stop(waited);
	time_sleep(10 * TIME_MILLISECOND);
	chan_close(stop);
	guest_wait(&all);
	CHECK(atomic_load(&rung) <= !in_time);
	CHECK(!timer_reset(waited, 1));
	CHECK(recv_patiently(waited->c, NULL));
	timer_free(waited);
	chan_free(stop);
	return in_time;
}

GUEST_TEST(timer, stopped_while_waited_for,
	   "a timer that is stopped wakes nobody who selects on it; set again, it wakes one (TestChan)")
{
	bool in_time = false;
	for (int i = 0; i < GUEST_ATTEMPTS && !in_time; i++)
		in_time = stopped_in_time();
	CHECK(in_time);
}

/* ---- a long heap ---- */

enum { TRY = 20 };

static void nap(void *arg)
{
	(void)arg;
	time_sleep(10 * TIME_MICROSECOND);
}

static struct {
	struct chan *in, *out;
} queue;

/* A queue without bound between two channels, as far as it is used here. */
static void pass_on(void *arg)
{
	(void)arg;
	uint32_t held = 0;
	for (;;) {
		struct chan_case cases[] = {CHAN_CASE_RECV(queue.in, NULL),
					    CHAN_CASE_SEND(held > 0 ? queue.out : NULL, NULL)};
		if (chan_select(cases, 2, false) == 1)
			held--;
		else if (cases[0].ok)
			held++;
		else
			return;
	}
}

GUEST_TEST(time, long_adjust_timers,
	   "thousands of sleepers, then thousands of timers made and freed beside a busy queue: all are "
	   "served in time")
{
	struct guest_group all = {0};
	uint32_t count = guest_count(1000, 5000);
	for (uint32_t i = 0; i < count; i++)
		guest_go(&all, nap, NULL);
	for (uint32_t i = 0; i < count; i++)
		time_sleep(TIME_MICROSECOND);
	queue.in = chan_make(0, 0);
	queue.out = chan_make(0, 0);
	guest_go(&all, pass_on, NULL);
	for (uint32_t i = 0; i < guest_count(100, 5000); i++) {
		for (int k = 0; k < TRY; k++)
			chan_send(queue.in, NULL);
		for (int k = 0; k < TRY; k++) {
			struct chan *late = time_after(PATIENCE);
			struct chan_case cases[] = {CHAN_CASE_RECV(queue.out, NULL),
						    CHAN_CASE_RECV(late, NULL)};
			CHECK_EQ(chan_select(cases, 2, false), 0);
			time_after_free(late);
		}
	}
	chan_close(queue.in);
	guest_wait(&all);
	chan_free(queue.in);
	chan_free(queue.out);
}

/* ---- contexts ---- */

/* Works until the deadline; returns how often. */
static uint32_t work_until(uint64_t ns)
{
	struct context *c = context_with_timeout(context_background(), ns);
	struct chan *work = chan_make(sizeof(uint32_t), 1);
	uint32_t n = 0, one;
	CHECK(c != NULL && work != NULL);
	for (;;) {
		struct chan_case cases[] = {CHAN_CASE_RECV(context_done(c), NULL), CHAN_CASE_RECV(work, &one),
					    CHAN_CASE_SEND(work, &n)};
		int which = chan_select(cases, 3, false);
		if (which == 0) {
			CHECK(!cases[0].ok);
			break;
		}
		n += which == 1;
	}
	CHECK(context_err(c) == context_deadline_exceeded);
	chan_free(work);
	context_release(c);
	return n;
}

GUEST_TEST(context, select,
	   "a context's channel in a select: work goes on until the deadline, then the select says so")
{
	uint32_t n = 0;
	for (int i = 0; i < GUEST_ATTEMPTS && n == 0; i++)
		n = work_until(5 * TIME_MILLISECOND);
	CHECK(n > 0);
}

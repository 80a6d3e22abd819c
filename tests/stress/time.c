/* Time: nothing fires early, twice or not at all. */
#include "tests/stress/stress.h"

#include <hartbeat/chan.h>

enum { SLEEPERS_MAX = 20 };

struct sleeper {
	struct waitgroup *left;
	struct rng r;
};

static void sleeper(void *arg)
{
	struct sleeper *s = arg;
	for (uint32_t n = stress_between(&s->r, 1, 5); n > 0; n--) {
		uint64_t ns = stress_below(&s->r, 2000000), start = time_now();
		time_sleep(ns);
		CHECK(time_now() - start >= ns);
	}
	waitgroup_done(s->left);
}

static void sleep(struct rng *r)
{
	struct waitgroup left = {0};
	struct sleeper s[SLEEPERS_MAX];
	for (uint32_t i = stress_between(r, 1, SLEEPERS_MAX); i > 0; i--) {
		s[i - 1] = (struct sleeper){&left, stress_split(r)};
		stress_go(&left, sleeper, &s[i - 1]);
	}
	waitgroup_wait(&left);
}

/* Stopped, set again and awaited, while it may be firing. */
static void timer(struct rng *r)
{
	struct timer *t = timer_new(stress_below(r, 300000));
	if (t == NULL)
		return;
	for (uint32_t n = stress_between(r, 1, 12); n > 0; n--) {
		uint64_t ns = stress_below(r, 300000), when, start;
		stress_pause(r);
		CHECK(timer_stop(t)); /* nobody has received what it sent */
		CHECK(!timer_stop(t));
		CHECK(!chan_try_recv(t->c, &when, NULL));
		start = time_now();
		CHECK(!timer_reset(t, ns));
		if (stress_below(r, 2) == 0) {
			CHECK(chan_recv(t->c, &when));
			CHECK(when >= start + ns && when <= time_now());
			CHECK(!timer_stop(t));
			timer_reset(t, stress_below(r, 300000));
		}
	}
	timer_free(t);
}

static void ticker(struct rng *r)
{
	uint64_t period = stress_between(r, 20000, 400000), start = time_now(), last = 0, when;
	struct ticker *t = ticker_new(period);
	if (t == NULL)
		return;
	for (uint32_t n = stress_between(r, 1, 8); n > 0; n--) {
		CHECK(chan_recv(t->c, &when));
		CHECK(when >= start + period && when > last && when <= time_now());
		last = when;
		stress_pause(r);
	}
	ticker_stop(t);
	CHECK(!chan_try_recv(t->c, &when, NULL));
	ticker_free(t);
}

struct late {
	_Atomic uint32_t ran;
	struct waitgroup left;
};

static void late_run(void *arg)
{
	struct late *l = arg;
	atomic_fetch_add(&l->ran, 1);
	waitgroup_done(&l->left);
}

/* A function runs exactly once, or never when stopping it said so. */
static void after(struct rng *r)
{
	struct late l = {0};
	uint32_t expected = 0;
	for (uint32_t n = stress_between(r, 1, 20); n > 0; n--) {
		waitgroup_add(&l.left, 1);
		struct timer *t = time_after_func(stress_below(r, 200000), late_run, &l);
		if (t == NULL) {
			waitgroup_done(&l.left);
			continue;
		}
		stress_pause(r);
		if (stress_below(r, 2) == 0 && timer_stop(t)) {
			waitgroup_done(&l.left);
		} else {
			expected++;
			waitgroup_wait(&l.left);
		}
		timer_free(t);
		CHECK_EQ(atomic_load(&l.ran), expected);
	}
}

const struct actor stress_time[] = {
	{"sleep", "a sleep is never too short", sleep},
	{"timer", "a timer that was stopped is silent, one that was set fires once", timer},
	{"ticker", "ticks come in order and not early", ticker},
	{"after", "a delayed function runs once, or never", after},
	{0},
};

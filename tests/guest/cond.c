/* Condition variables. Names in brackets are those of Go's tests. */
#include "suite.h"

#include <stdatomic.h>

#include <hartbeat/chan.h>
#include <hartbeat/cond.h>
#include <hartbeat/go.h>
#include <hartbeat/time.h>

static struct {
	struct mutex m;
	struct cond c;
	struct chan *running, *awake; /* of uint32_t */
	bool leave;                   /* guarded by m */
} cv;

static void start(void)
{
	cv.running = chan_make(sizeof(uint32_t), 256);
	cv.awake = chan_make(sizeof(uint32_t), 256);
	cv.leave = false;
}

static void end(struct guest_group *all)
{
	guest_wait(all);
	chan_free(cv.running);
	chan_free(cv.awake);
	CHECK_EQ(cv.m.word, 0);
	CHECK(cv.c.waiters.first == NULL);
}

static void sleep_once(void *arg)
{
	uint32_t i = (uint32_t)(uintptr_t)arg;
	mutex_lock(&cv.m);
	chan_send(cv.running, &i);
	cond_wait(&cv.c, &cv.m);
	chan_send(cv.awake, &i);
	mutex_unlock(&cv.m);
}

GUEST_TEST(sync, cond_signal, "one signal wakes one goroutine, and none without (TestCondSignal)")
{
	struct guest_group all = {0};
	enum { N = 2 };
	start();
	for (uintptr_t i = 0; i < N; i++)
		guest_go(&all, sleep_once, (void *)i);
	for (int i = 0; i < N; i++)
		chan_recv(cv.running, NULL);
	for (int n = N; n > 0; n--) {
		CHECK_EQ(chan_len(cv.awake), 0);
		mutex_lock(&cv.m);
		cond_signal(&cv.c);
		mutex_unlock(&cv.m);
		chan_recv(cv.awake, NULL);
		go_yield();
		CHECK_EQ(chan_len(cv.awake), 0);
	}
	cond_signal(&cv.c);
	end(&all);
}

GUEST_TEST(sync, cond_signal_generations,
	   "signals wake goroutines in the order they came (TestCondSignalGenerations)")
{
	struct guest_group all = {0};
	enum { N = 100 };
	start();
	for (uint32_t i = 0; i < N; i++) {
		guest_go(&all, sleep_once, (void *)(uintptr_t)i);
		if (i > 0) {
			uint32_t who;
			chan_recv(cv.awake, &who);
			CHECK_EQ(who, i - 1);
		}
		chan_recv(cv.running, NULL);
		mutex_lock(&cv.m);
		cond_signal(&cv.c);
		mutex_unlock(&cv.m);
	}
	end(&all);
}

static void sleep_often(void *arg)
{
	uint32_t i = (uint32_t)(uintptr_t)arg;
	mutex_lock(&cv.m);
	while (!cv.leave) {
		chan_send(cv.running, &i);
		cond_wait(&cv.c, &cv.m);
		chan_send(cv.awake, &i);
	}
	mutex_unlock(&cv.m);
}

GUEST_TEST(sync, cond_broadcast, "a broadcast wakes all who wait, each once (TestCondBroadcast)")
{
	struct guest_group all = {0};
	enum { N = 200 };
	start();
	for (uintptr_t i = 0; i < N; i++)
		guest_go(&all, sleep_often, (void *)i);
	for (uint32_t round = 0; round < 5; round++) {
		bool seen[N] = {false};
		for (int i = 0; i < N; i++)
			chan_recv(cv.running, NULL);
		CHECK_EQ(chan_len(cv.awake), 0);
		mutex_lock(&cv.m);
		cv.leave = round == 4;
		cond_broadcast(&cv.c);
		mutex_unlock(&cv.m);
		for (int i = 0; i < N; i++) {
			uint32_t who = 0;
			chan_recv(cv.awake, &who);
			CHECK(who < N && !seen[who]);
			seen[who] = true;
		}
	}
	CHECK_EQ(chan_len(cv.running), 0);
	cond_broadcast(&cv.c);
	end(&all);
}

static uint32_t stage; /* guarded by cv.m */

static void race_first(void *arg)
{
	(void)arg;
	mutex_lock(&cv.m);
	stage = 1;
	cond_wait(&cv.c, &cv.m);
	CHECK_EQ(stage, 2);
	stage = 3;
	cond_signal(&cv.c);
	mutex_unlock(&cv.m);
}

static void race_second(void *arg)
{
	(void)arg;
	for (;;) {
		mutex_lock(&cv.m);
		if (stage == 1) {
			stage = 2;
			cond_signal(&cv.c);
			mutex_unlock(&cv.m);
			return;
		}
		mutex_unlock(&cv.m);
		go_yield();
	}
}

static void race_third(void *arg)
{
	(void)arg;
	for (;;) {
		mutex_lock(&cv.m);
		if (stage == 2) {
			cond_wait(&cv.c, &cv.m);
			CHECK_EQ(stage, 3);
			mutex_unlock(&cv.m);
			return;
		}
		if (stage == 3) {
			mutex_unlock(&cv.m);
			return;
		}
		mutex_unlock(&cv.m);
		go_yield();
	}
}

GUEST_TEST(sync, race, "a variable handed on between three goroutines by wait and signal (TestRace)")
{
	for (uint32_t i = 0; i < guest_count(50, 1000); i++) {
		struct guest_group all = {0};
		start();
		stage = 0;
		guest_go(&all, race_first, NULL);
		guest_go(&all, race_second, NULL);
		guest_go(&all, race_third, NULL);
		end(&all);
	}
}

static struct {
	struct cond c;
	struct mutex m;
	bool set; /* guarded by m */
	struct chan *got;
} st;

static void wait_old(void *arg)
{
	uint32_t i = 0;
	(void)arg;
	mutex_lock(&st.m);
	chan_send(cv.running, &i);
	cond_wait(&st.c, &st.m);
	mutex_unlock(&st.m);
	chan_send(cv.awake, &i);
}

static void wait_new(void *arg)
{
	(void)arg;
	mutex_lock(&st.m);
	while (!st.set)
		cond_wait(&st.c, &st.m);
	mutex_unlock(&st.m);
}

GUEST_TEST(sync, cond_signal_stealing,
	   "a goroutine that waits later cannot take an earlier one's signal (TestCondSignalStealing)")
{
	for (uint32_t i = 0; i < guest_count(200, 1000); i++) {
		struct guest_group all = {0};
		start();
		st.set = false;
		guest_go(&all, wait_old, NULL);
		chan_recv(cv.running, NULL);
		mutex_lock(&st.m); /* it waits now */
		mutex_unlock(&st.m);
		guest_go(&all, wait_new, NULL);
		cond_signal(&st.c);
		/* The old one wakes, although the new one comes in between as it likes. */
		uint32_t who = 1;
		chan_recv(cv.awake, &who);
		CHECK_EQ(who, 0);
		mutex_lock(&st.m);
		st.set = true;
		cond_broadcast(&st.c);
		mutex_unlock(&st.m);
		end(&all);
	}
}

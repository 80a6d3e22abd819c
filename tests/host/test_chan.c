/*
 * sched/chan.c, chan_wait.c and select.c with threads for goroutines: what they do without a lock is seen by the thread sanitizer, whatever
 * the order of memory is on the machine below.
 */
#include <hartbeat/select.h>

#include <hartbeat/panic.h>
#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

#include "kernel/clock.h"
#include "kernel/heap.h"
#include "kernel/ktimer.h"
#include "sched/chan.h"
#include "sched/impl.h"
#include "tests/host/check.h"

enum { THREADS = 4, EACH = 3000, APART = 150, LONG_WAY = 30 };

/* ---- what the kernel does ---- */

static _Thread_local struct g self = {.mutex = PTHREAD_MUTEX_INITIALIZER, .woken = PTHREAD_COND_INITIALIZER};
static _Thread_local struct sched_hart hart_sched;
static _Thread_local struct hart hart;

static void no_hook(void)
{
}

void (*preempt_hook)(void) = no_hook;

struct g *g_self(void)
{
	return &self;
}

struct hart *arch_hart(void)
{
	CHECK(self.preempt_off > 0);
	if (hart_sched.rng == 0)
		hart_sched.rng = (uintptr_t)&hart_sched | 1;
	hart.sched = &hart_sched;
	return &hart;
}

void spin_pause(uint32_t n)
{
	(void)n;
	sched_yield();
}

void park_prepare(enum wait_reason reason)
{
	(void)reason;
	self.preempt_off++;
	self.parking = true;
}

void park_commit(void)
{
	CHECK(self.parking);
	CHECK_EQ(self.preempt_off, 1);
	pthread_mutex_lock(&self.mutex);
	while (self.readied == 0)
		pthread_cond_wait(&self.woken, &self.mutex);
	self.readied--;
	CHECK_EQ(self.readied, 0);
	pthread_mutex_unlock(&self.mutex);
	self.parking = false;
	self.preempt_off--;
}

void park_cancel(void)
{
	CHECK(self.parking);
	self.parking = false;
	self.preempt_off--;
}

void ready(struct g *g)
{
	pthread_mutex_lock(&g->mutex);
	g->readied++;
	pthread_cond_signal(&g->woken);
	pthread_mutex_unlock(&g->mutex);
}

void *heap_alloc(size_t size)
{
	return malloc(size);
}

void heap_free(void *p)
{
	free(p);
}

_Noreturn void go_panic(const char *fmt, ...)
{
	check_fail(__FILE__, __LINE__, "panic: %s", fmt);
	abort();
}

uint64_t clock_deadline(uint64_t ns)
{
	return ns / 1000;
}

static void *ktimer_run(void *arg)
{
	struct ktimer *t = arg;
	usleep((useconds_t)t->deadline);
	if (!atomic_exchange(&t->over, true))
		t->fn(t);
	return NULL;
}

bool ktimer_add(struct ktimer *t, uint64_t deadline)
{
	t->deadline = deadline;
	return pthread_create(&t->thread, NULL, ktimer_run, t) == 0;
}

bool ktimer_cancel_wait(struct ktimer *t)
{
	bool was = !atomic_exchange(&t->over, true);
	pthread_join(t->thread, NULL);
	return was;
}

/* ---- tests ---- */

struct record {
	uint64_t number, twice, thrice;
};

static struct {
	struct chan *c[THREADS], *stop;
	_Atomic uint64_t in, out, n_in, n_out;
} shared;

static void run(void *(*even)(void *), void *(*odd)(void *))
{
	pthread_t t[2 * THREADS];
	for (uintptr_t i = 0; i < 2 * THREADS; i++)
		pthread_create(&t[i], NULL, i % 2 == 0 ? even : odd, (void *)(i / 2));
	for (int i = 0; i < 2 * THREADS; i++)
		pthread_join(t[i], NULL);
}

static void begin(size_t size, size_t cap)
{
	for (int i = 0; i < THREADS; i++)
		shared.c[i] = chan_make(size, cap);
	shared.stop = chan_make(0, 0);
	atomic_store(&shared.in, 0);
	atomic_store(&shared.out, 0);
	atomic_store(&shared.n_in, 0);
	atomic_store(&shared.n_out, 0);
}

static void end(void)
{
	CHECK_EQ(atomic_load(&shared.in), atomic_load(&shared.out));
	CHECK_EQ(atomic_load(&shared.n_in), atomic_load(&shared.n_out));
	CHECK(atomic_load(&shared.n_in) > 0);
	for (int i = 0; i < THREADS; i++)
		chan_free(shared.c[i]);
	chan_free(shared.stop);
}

static void *send_records(void *arg)
{
	uint64_t from = (uintptr_t)arg * EACH;
	for (uint64_t i = from; i < from + EACH; i++) {
		struct record r = {i, 2 * i, 3 * i};
		chan_send(shared.c[0], &r);
		atomic_fetch_add(&shared.in, i);
		atomic_fetch_add(&shared.n_in, 1);
	}
	return NULL;
}

static void *recv_records(void *arg)
{
	(void)arg;
	for (int i = 0; i < EACH; i++) {
		struct record r;
		CHECK(chan_recv(shared.c[0], &r));
		CHECK(r.twice == 2 * r.number && r.thrice == 3 * r.number);
		atomic_fetch_add(&shared.out, r.number);
		atomic_fetch_add(&shared.n_out, 1);
	}
	return NULL;
}

TEST(records_arrive_whole_and_once)
{
	for (size_t cap = 0; cap < 9; cap += 4) {
		begin(sizeof(struct record), cap);
		run(send_records, recv_records);
		end();
	}
}

/* Each thread gives to one channel and takes from another in one select: selects that meet selects, in a ring. */
static void *ring(void *arg)
{
	uint64_t given = 0, taken = 0, out, in = 0;
	uintptr_t at = (uintptr_t)arg;
	while (given < EACH || taken < EACH) {
		out = given + 1;
		struct chan_case cases[] = {
			CHAN_CASE_SEND(given < EACH ? shared.c[at] : NULL, &out),
			CHAN_CASE_RECV(taken < EACH ? shared.c[(at + 1) % THREADS] : NULL, &in)};
		if (chan_select(cases, 2, false) == 0) {
			given++;
			atomic_fetch_add(&shared.in, out);
			atomic_fetch_add(&shared.n_in, 1);
		} else {
			taken++;
			atomic_fetch_add(&shared.out, in);
			atomic_fetch_add(&shared.n_out, 1);
		}
	}
	return NULL;
}

TEST(selects_that_meet_selects)
{
	begin(sizeof(uint64_t), 0);
	run(ring, ring);
	end();
}

static void *send_in_time(void *arg)
{
	for (uint64_t i = 1; i < EACH / 30; i++) {
		uint64_t v = i + (uintptr_t)arg;
		if (chan_send_timeout(shared.c[0], &v, i % 7 * 30000)) {
			atomic_fetch_add(&shared.in, v);
			atomic_fetch_add(&shared.n_in, 1);
		}
	}
	return NULL;
}

static void *recv_in_time(void *arg)
{
	(void)arg;
	for (uint64_t i = 1, idle = 0; idle < 50; i++) {
		uint64_t v = 0;
		if (chan_recv_timeout(shared.c[0], &v, NULL, 1000 + i % 5 * 40000)) {
			atomic_fetch_add(&shared.out, v);
			atomic_fetch_add(&shared.n_out, 1);
			idle = 0;
		} else {
			idle++;
		}
	}
	return NULL;
}

TEST(time_limits_lose_nothing)
{
	begin(sizeof(uint64_t), 0);
	run(send_in_time, recv_in_time);
	end();
}

/* The element is in one of two channels at every moment. */
static void *move(void *arg)
{
	uint64_t v = 1;
	(void)arg;
	while (!chan_try_recv(shared.stop, NULL, NULL)) {
		chan_send(shared.c[1], &v);
		chan_recv(shared.c[0], &v);
		chan_send(shared.c[0], &v);
		chan_recv(shared.c[1], &v);
	}
	return NULL;
}

TEST(a_default_is_taken_only_when_nothing_was_ready_at_one_moment)
{
	pthread_t t;
	uint64_t v = 1;
	begin(sizeof(uint64_t), 2);
	chan_send(shared.c[0], &v);
	pthread_create(&t, NULL, move, NULL);
	/* a long way between the two, so that the element moves meanwhile */
	struct chan_case cases[APART + 1];
	for (int i = 0; i <= APART; i++)
		cases[i] = (struct chan_case)CHAN_CASE_RECV(shared.c[i == 0 ? 0 : i < APART ? 2 : 1], &v);
	for (int i = 0; i < EACH; i++) {
		int k = chan_select(cases, APART + 1, true);
		CHECK(k >= 0);
		if (k >= 0)
			chan_send(cases[k].c, &v);
	}
	chan_close(shared.stop);
	pthread_join(t, NULL);
	atomic_store(&shared.n_in, 1);
	atomic_store(&shared.n_out, 1);
	end();
}

static void *recv_until_closed(void *arg)
{
	(void)arg;
	for (;;) {
		uint64_t v = 0;
		struct chan_case cases[] = {CHAN_CASE_RECV(shared.c[0], &v), CHAN_CASE_RECV(shared.c[1], &v)};
		int k = chan_select(cases, 2, false);
		if (!cases[k].ok)
			return NULL;
		atomic_fetch_add(&shared.out, v);
		atomic_fetch_add(&shared.n_out, 1);
	}
}

/* One of EACH of each thread; the last of all closes the channel. */
static void went_in(void)
{
	if (atomic_fetch_add(&shared.n_in, 1) == THREADS * EACH - 1)
		chan_close(shared.c[0]);
}

static void *send_then_stop(void *arg)
{
	for (uint64_t i = 1; i <= EACH; i++) {
		chan_send(shared.c[(uintptr_t)arg % 2], &i);
		atomic_fetch_add(&shared.in, i);
		went_in();
	}
	return NULL;
}

TEST(close_ends_selects)
{
	begin(sizeof(uint64_t), 0);
	run(recv_until_closed, send_then_stop);
	end();
}

/* ---- a channel for one answer: whoever has it frees the channel, when the other one may not have returned yet ---- */

struct question {
	struct chan *answer;
	bool asker_frees;
};

static void *answer(void *arg)
{
	struct question q;
	(void)arg;
	while (chan_recv(shared.c[0], &q)) {
		uint64_t v[3] = {1, 2, 3};
		/* a long way, so that the other one comes meanwhile */
		struct chan_case cases[LONG_WAY] = {CHAN_CASE_SEND(q.answer, v)};
		if (!q.asker_frees)
			cases[0] = (struct chan_case)CHAN_CASE_RECV(q.answer, v);
		for (int i = 1; i < LONG_WAY; i++)
			cases[i] = (struct chan_case)CHAN_CASE_RECV(shared.stop, NULL);
		CHECK_EQ(chan_select(cases, LONG_WAY, false), 0);
		CHECK_EQ(v[0], 1);
		if (!q.asker_frees)
			chan_free(q.answer);
		atomic_fetch_add(&shared.n_out, 1);
	}
	return NULL;
}

static void ask_each(size_t size, bool asker_frees, uint64_t i)
{
	uint64_t v[3] = {1, 2, 3};
	struct question q = {chan_make(size, 0), asker_frees};
	chan_send(shared.c[0], &q);
	struct chan_case cases[] = {CHAN_CASE_RECV(q.answer, v), CHAN_CASE_RECV(shared.stop, NULL)};
	if (!asker_frees) {
		chan_send(q.answer, v);
	} else {
		if (i % 2 == 0)
			chan_recv(q.answer, v);
		else
			CHECK_EQ(chan_select(cases, 2, false), 0);
		CHECK_EQ(v[0], 1);
		chan_free(q.answer);
	}
}

static void *ask(void *arg)
{
	(void)arg;
	for (uint64_t i = 0; i < EACH; i++) {
		ask_each(i % 3 == 0 ? 24 : 8, i % 5 < 3, i);
		went_in();
	}
	return NULL;
}

TEST(who_has_the_answer_frees_its_channel)
{
	begin(sizeof(struct question), 0);
	run(answer, ask);
	end();
}

/* Without a select: who sends, or receives, frees. */
static void *take(void *arg)
{
	struct question q;
	(void)arg;
	while (chan_recv(shared.c[0], &q)) {
		uint64_t v[3] = {0};
		chan_recv(q.answer, v);
		CHECK_EQ(v[2], 3);
		if (!q.asker_frees)
			chan_free(q.answer);
		atomic_fetch_add(&shared.n_out, 1);
	}
	return NULL;
}

static void *give(void *arg)
{
	(void)arg;
	for (uint64_t i = 0; i < EACH; i++) {
		uint64_t v[3] = {1, 2, 3};
		struct question q = {chan_make(sizeof v, 0), i % 2 == 0};
		chan_send(shared.c[0], &q);
		chan_send(q.answer, v);
		if (q.asker_frees)
			chan_free(q.answer);
		went_in();
	}
	return NULL;
}

TEST(either_of_two_that_met_frees_the_channel)
{
	begin(sizeof(struct question), 0);
	run(take, give);
	end();
}

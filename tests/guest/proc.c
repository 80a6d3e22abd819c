/*
 * The scheduler, by the names of Go's tests (runtime/proc_test.go): progress, preemption, fairness.
 */
#include "suite.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <hartbeat/chan.h>
#include <hartbeat/go.h>
#include <hartbeat/time.h>

#include "kernel/g.h"
#include "kernel/hart.h"
#include "kernel/preempt.h"
#include "sched/impl.h"

static _Atomic uint32_t stop;

static void yield_until_stopped(void *arg)
{
	if (arg != NULL)
		go_pin();
	while (atomic_load(&stop) == 0)
		go_yield();
	if (arg != NULL)
		go_unpin();
}

static void progress(void *pinned)
{
	struct guest_group all = {0};
	atomic_store(&stop, 0);
	for (unsigned i = 0; i < go_harts(); i++)
		guest_go(&all, yield_until_stopped, pinned);
	for (int i = 0; i < 10; i++)
		go_yield();
	atomic_store(&stop, 1);
	guest_wait(&all);
}

GUEST_TEST(proc, yield_progress, "goroutines that yield for ever let the others go on")
{
	progress(NULL);
}

GUEST_TEST(proc, yield_locked_progress, "pinned goroutines that yield for ever let the others go on")
{
	progress(&stop);
}

static void yield_and_sleep(void *arg)
{
	_Atomic uint32_t *turns = arg;
	go_pin();
	preempt_disable();
	unsigned at = hart_index();
	preempt_enable();
	for (int i = 0; i < 10; i++) {
		go_yield();
		time_sleep(TIME_MILLISECOND);
		preempt_disable();
		CHECK_EQ(hart_index(), at);
		preempt_enable();
		atomic_fetch_add(turns, 1);
	}
}

GUEST_TEST(proc, yield_locked, "a pinned goroutine yields and sleeps, and comes back on its hart")
{
	struct guest_group all = {0};
	_Atomic uint32_t turns = 0;
	unsigned n = 3 * go_harts();
	for (unsigned i = 0; i < n; i++)
		guest_go(&all, yield_and_sleep, &turns);
	guest_wait(&all);
	CHECK_EQ(atomic_load(&turns), 10 * n);
}

static void send_pinned(void *arg)
{
	int v = 7;
	go_pin();
	for (int i = 0; i < 10; i++)
		chan_send(arg, &v);
	go_unpin();
}

GUEST_TEST(proc, block_locked, "a pinned goroutine that waits in a send is woken on its hart")
{
	struct guest_group all = {0};
	struct chan *c = chan_make(sizeof(int), 0);
	int v = 0;
	guest_go(&all, send_pinned, c);
	for (int i = 0; i < 10; i++) {
		CHECK(chan_recv(c, &v));
		CHECK_EQ(v, 7);
	}
	guest_wait(&all);
	chan_free(c);
}

GUEST_TEST(proc, lock_os_thread_nesting, "go_unpin() counts; one too many does nothing")
{
	CHECK(!go_pinned());
	go_pin();
	CHECK(go_pinned());
	go_pin();
	go_unpin();
	CHECK(go_pinned());
	go_unpin();
	CHECK(!go_pinned());
	go_unpin();
	CHECK(!go_pinned());
	go_pin();
	CHECK(go_pinned());
	go_unpin();
	CHECK(!go_pinned());
}

static void end_pinned(void *arg)
{
	(void)arg;
	go_pin();
	go_pin();
	go_exit();
}

static void not_pinned(void *arg)
{
	CHECK(!go_pinned());
	atomic_fetch_add((_Atomic uint32_t *)arg, 1);
}

GUEST_TEST(proc, lock_os_thread_exit,
	   "a goroutine that ends pinned leaves its hart, and the next one in its place, free")
{
	struct guest_group all = {0};
	_Atomic uint32_t ran = 0;
	uint32_t before = go_count();
	for (int i = 0; i < 200; i++)
		CHECK(go(end_pinned, NULL) != 0);
	CHECK(guest_count_settles(before));
	for (int i = 0; i < 200; i++)
		guest_go(&all, not_pinned, &ran);
	guest_wait(&all);
	CHECK_EQ(atomic_load(&ran), 200);
}

static _Atomic uint32_t started_on[HART_MAX];

static void note_start(void *arg)
{
	unsigned hart = (unsigned)(uintptr_t)arg;
	for (int i = 0; i < 20; i++) {
		preempt_disable();
		if (hart_index() == hart)
			atomic_fetch_add(&started_on[hart], 1);
		preempt_enable();
		if (i % 3 == 0)
			go_yield();
		else
			guest_spin(100 * TIME_MICROSECOND);
	}
	CHECK(go_pinned());
}

GUEST_TEST(proc, pinned_start,
	   "a goroutine started pinned runs on the hart that was named, whatever goes on there; no other "
	   "hart is accepted")
{
	uint32_t before = go_count();
	for (unsigned h = 0; h < go_harts(); h++) {
		atomic_store(&started_on[h], 0);
		for (int k = 0; k < 3; k++)
			CHECK(go_with(note_start, (void *)(uintptr_t)h,
				      &(struct go_options){.pinned = true, .hart = h}) != 0);
	}
	CHECK(guest_count_settles(before));
	for (unsigned h = 0; h < go_harts(); h++)
		CHECK_EQ(atomic_load(&started_on[h]), 60);
	CHECK_EQ(go_with(note_start, NULL, &(struct go_options){.pinned = true, .hart = go_harts()}), 0);
}

/* ---- preemption ---- */

static _Atomic uint64_t spun;

static void spin_with_calls(void *arg)
{
	while (atomic_load(&stop) == 0)
		spun += guest_random((uint64_t *)arg) & 1;
}

static void spin_without_calls(void *arg)
{
	(void)arg;
	while (atomic_load_explicit(&stop, memory_order_relaxed) == 0)
		;
}

static void preempted(void (*spinner)(void *))
{
	struct guest_group all = {0};
	uint64_t seeds[HART_MAX];
	atomic_store(&stop, 0);
	for (unsigned i = 0; i < go_harts(); i++) {
		seeds[i] = i;
		guest_go(&all, spinner, &seeds[i]);
	}
	for (int i = 0; i < 3; i++) {
		uint64_t begin = time_now();
		go_yield();
		/* one slice, with room for a host that is busy elsewhere */
		CHECK(time_now() - begin < 2 * TIME_SECOND);
	}
	atomic_store(&stop, 1);
	guest_wait(&all);
}

GUEST_TEST(proc, preemption, "loops with calls on every hart let the one who stops them run")
{
	preempted(spin_with_calls);
}

GUEST_TEST(proc, async_preempt, "loops without calls on every hart let the one who stops them run")
{
	preempted(spin_without_calls);
}

enum { LATE_HOGS = 30, LATE_SLEEPS = 150 };

struct late {
	bool pinned;
	_Atomic uint32_t n; /* sleeps of a millisecond that end more than half a millisecond late */
};

static void late_run(void *arg)
{
	struct late *late = arg;
	if (late->pinned)
		go_pin();
	for (int i = 0; i < LATE_SLEEPS; i++) {
		uint64_t begin = time_now();
		time_sleep(TIME_MILLISECOND);
		if (time_now() - begin > 3 * TIME_MILLISECOND / 2)
			atomic_fetch_add(&late->n, 1);
	}
	atomic_store(&stop, 1);
}

static void late_beside(unsigned hogs, bool pinned)
{
	struct guest_group all = {0};
	struct late late = {.pinned = pinned};
	if (!guest_exact() || go_harts() > 1) {
		guest_skip("nobody is late only where instructions are counted, on one hart");
		return;
	}
	atomic_store(&stop, 0);
	for (unsigned i = 0; i < hogs; i++)
		guest_go(&all, spin_without_calls, NULL);
	guest_go(&all, late_run, &late);
	guest_wait(&all);
	CHECK_EQ(atomic_load(&late.n), 0);
}

GUEST_TEST(proc, timer_wakes_at_once,
	   "a goroutine that a timer wakes runs within half a millisecond, however many loops there are")
{
	late_beside(LATE_HOGS, false);
}

GUEST_TEST(proc, timer_wakes_pinned, "a pinned goroutine that a timer wakes does not wait for others' slices")
{
	late_beside(2, true);
}

/* A frame of several pages, so that its prologue may be in the middle of a page fault when a tick comes. */
static __attribute__((noinline)) uint64_t big_frame(uint64_t seed)
{
	volatile unsigned char frame[16384];
	for (size_t i = 0; i < sizeof frame; i += 512)
		frame[i] = (unsigned char)(seed + i);
	return frame[512] + frame[sizeof frame - 512];
}

static void call_big(void *arg)
{
	uint64_t n = (uintptr_t)arg;
	while (atomic_load(&stop) == 0) {
		CHECK_EQ(big_frame(n), (unsigned char)(n + 512) + (unsigned char)(n + 16384 - 512));
		n++;
	}
}

GUEST_TEST(proc, preempt_split_big, "a tick in the prologue of a function with a big frame does no harm")
{
	for (uint32_t k = 0; k < guest_count(3, 30); k++) {
		struct guest_group all = {0};
		atomic_store(&stop, 0);
		for (uintptr_t i = 0; i < 2 * go_harts(); i++)
			guest_go(&all, call_big, (void *)i);
		time_sleep(20 * TIME_MILLISECOND);
		atomic_store(&stop, 1);
		guest_wait(&all);
	}
}

/* ---- running at once ---- */

static _Atomic uint32_t token;

static void pass_token(void *arg)
{
	uint32_t me = (uint32_t)(uintptr_t)arg;
	for (int turn = 0; turn < 3; turn++) {
		while (atomic_load(&token) % go_harts() != me)
			;
		atomic_fetch_add(&token, 1);
	}
}

static void parallelism(bool load, bool nested);

static void parallelism_inner(void *arg)
{
	(void)arg;
	parallelism(false, false);
}

static void nothing(void *arg)
{
	(void)arg;
}

static void parallelism(bool load, bool nested)
{
	struct guest_group all = {0}, burst = {0};
	if (load) {
		for (int i = 0; i < 300; i++)
			guest_go(&burst, nothing, NULL);
		guest_wait(&burst);
	}
	if (nested) {
		guest_go(&all, parallelism_inner, NULL);
		guest_wait(&all);
		return;
	}
	atomic_store(&token, 0);
	for (uintptr_t i = 0; i < go_harts(); i++)
		guest_go(&all, pass_token, (void *)i);
	guest_wait(&all);
	CHECK_EQ(atomic_load(&token), 3 * go_harts());
}

GUEST_TEST(proc, goroutine_parallelism, "as many spinning goroutines as harts pass a token round")
{
	for (uint32_t k = 0; k < guest_count(4, 10); k++)
		parallelism(false, false);
}

GUEST_TEST(proc, goroutine_parallelism2,
	   "the same when another goroutine starts them, and after a burst of short ones")
{
	for (uint32_t k = 0; k < guest_count(4, 10); k++)
		parallelism((k & 1) != 0, (k & 2) != 0);
}

/* ---- fairness ---- */

struct busy {
	struct chan *c;
	bool syscall;
};

static void busy_with_chan(void *arg)
{
	const struct busy *b = arg;
	int v = 0;
	for (;;) {
		chan_send(b->c, &v);
		if (atomic_load(&stop) != 0 || !chan_recv(b->c, &v))
			return;
		if (b->syscall)
			(void)time_wall();
	}
}

static void fairness(bool syscall)
{
	struct guest_group all = {0};
	struct busy b = {chan_make(sizeof(int), 2), syscall};
	int v;
	atomic_store(&stop, 0);
	guest_go(&all, busy_with_chan, &b);
	guest_go(&all, busy_with_chan, &b);
	uint64_t begin = time_now();
	time_sleep(20 * TIME_MILLISECOND);
	CHECK(time_now() - begin < 5 * TIME_SECOND);
	atomic_store(&stop, 1);
	guest_wait(&all); /* each receives only what one of them has sent: none waits for ever */
	while (chan_try_recv(b.c, &v, NULL))
		;
	chan_free(b.c);
}

GUEST_TEST(proc, timer_fairness, "a timer fires although two goroutines keep a channel busy")
{
	fairness(false);
}

GUEST_TEST(proc, timer_fairness2, "the same when they leave the channel for the platform's clock")
{
	fairness(true);
}

struct hogs {
	struct chan *to, *fro;
	uint64_t count;
	bool hog;
};

static void hog_answer(void *arg)
{
	struct hogs *h = arg;
	int v;
	while (chan_recv(h->to, &v)) {
		for (volatile uint32_t i = 0; h->hog && i < 100000; i++)
			;
		chan_send(h->fro, &v);
	}
}

static void hog_ask(void *arg)
{
	struct hogs *h = arg;
	int v = 0;
	while (atomic_load(&stop) == 0) {
		uint64_t begin = time_now();
		chan_send(h->to, &v);
		chan_recv(h->fro, &v);
		h->count += h->hog ? time_now() - begin : 1;
		while (!h->hog && time_now() - begin < 20 * TIME_MICROSECOND)
			;
	}
	chan_close(h->to);
}

/* Whether the light pair had its share; a host that stalls takes it from whoever runs. */
static bool hog_shares(void)
{
	struct guest_group all = {0};
	struct hogs heavy = {chan_make(sizeof(int), 0), chan_make(sizeof(int), 0), 0, true},
		    light = {chan_make(sizeof(int), 0), chan_make(sizeof(int), 0), 0, false};
	atomic_store(&stop, 0);
	guest_go(&all, hog_ask, &heavy);
	guest_go(&all, hog_answer, &heavy);
	guest_go(&all, hog_ask, &light);
	guest_go(&all, hog_answer, &light);
	time_sleep(guest_count(300, 3000) * TIME_MILLISECOND);
	atomic_store(&stop, 1);
	guest_wait(&all);
	uint64_t used = light.count * 20 * TIME_MICROSECOND,
		 total = guest_count(300, 3000) * TIME_MILLISECOND;
	guest_note("the light pair used %u of %u us", (unsigned)(used / 1000), (unsigned)(total / 1000));
	chan_free(heavy.to);
	chan_free(heavy.fro);
	chan_free(light.to);
	chan_free(light.fro);
	return heavy.count > 0 && used * 40 > total;
}

GUEST_TEST(proc, ping_pong_hog,
	   "a pair that computes and a pair that hardly does get time of one hart in comparable shares")
{
	bool fair = false;
	if (go_harts() > 1) {
		guest_skip("is about one hart");
		return;
	}
	for (int i = 0; i < GUEST_ATTEMPTS && !fair; i++)
		fair = hog_shares();
	CHECK(fair);
}

/* ---- identity ---- */

static void wait_closed(void *arg)
{
	int v;
	chan_recv(arg, &v);
}

GUEST_TEST(proc, num_goroutine, "go_count() is what the list of goroutines says")
{
	struct guest_group all = {0};
	struct chan *c = chan_make(sizeof(int), 0);
	uint32_t before = go_count(), listed = 0;
	for (int i = 0; i < 100; i++)
		guest_go(&all, wait_closed, c);
	CHECK_EQ(go_count(), before + 100);
	for (struct g *g = g_all(); g != NULL; g = g->all_next) {
		uint32_t s = atomic_load(&g->status) & G_STATUS_MASK;
		listed += !g->system && s != G_DEAD && s != G_IDLE;
	}
	CHECK_EQ(listed, before + 100);
	chan_close(c);
	guest_wait(&all);
	chan_free(c);
}

static __attribute__((noinline)) uint64_t id_now(void)
{
	return go_id();
}

static void identity(void *arg)
{
	uint64_t me = id_now();
	struct g *self = g_self();
	for (int i = 0; i < 500; i++) {
		if (i % 2 == 0)
			go_yield();
		else
			guest_spin(20 * TIME_MICROSECOND);
		CHECK(id_now() == me && g_self() == self);
		preempt_disable();
		CHECK(arch_hart()->cur == self);
		preempt_enable();
	}
	(void)arg;
}

GUEST_TEST(proc, getg_thread_switch, "who and where a goroutine is, is looked up again after every switch")
{
	struct guest_group all = {0};
	for (unsigned i = 0; i < 3 * go_harts(); i++)
		guest_go(&all, identity, NULL);
	guest_wait(&all);
}

static void tell(void *arg)
{
	atomic_store((_Atomic uint64_t *)arg, time_now());
}

GUEST_TEST(proc, netpoll_break, "a hart that sleeps is woken by an interrupt from another")
{
	if (go_harts() < 2) {
		guest_skip("needs two harts");
		return;
	}
	for (uint32_t k = 0; k < guest_count(20, 200); k++) {
		struct guest_group all = {0};
		_Atomic uint64_t at = 0;
		preempt_disable();
		unsigned other = (hart_index() + 1) % go_harts();
		preempt_enable();
		guest_spin(TIME_MILLISECOND); /* long enough for the other to fall asleep */
		CHECK(go_with(tell, &at, &(struct go_options){.pinned = true, .hart = other}) != 0);
		uint64_t end = time_now() + 10 * TIME_SECOND;
		while (atomic_load(&at) == 0 && time_now() < end)
			;
		CHECK(atomic_load(&at) != 0);
		guest_wait(&all);
	}
	CHECK(guest_count_settles(go_count()));
}

GUEST_TEST(proc, big_gomaxprocs, "every hart that the machine has runs goroutines")
{
	uint32_t before = go_count();
	CHECK_EQ(go_harts(), hart_count);
	for (unsigned h = 0; h < go_harts(); h++) {
		atomic_store(&started_on[h], 0);
		CHECK(go_with(note_start, (void *)(uintptr_t)h,
			      &(struct go_options){.pinned = true, .hart = h}) != 0);
	}
	CHECK(guest_count_settles(before));
	for (unsigned h = 0; h < go_harts(); h++)
		CHECK_EQ(atomic_load(&started_on[h]), 20);
}

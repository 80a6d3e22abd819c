/* Preemption, spreading of work, and fairness. */
#include "suite.h"

#include <fenv.h>
#include <math.h>
#include <stdatomic.h>
#include <string.h>

#include <hartbeat/chan.h>
#include <hartbeat/go.h>
#include <hartbeat/time.h>

#include "kernel/hart.h"
#include "kernel/lock.h"
#include "kernel/preempt.h"
#include "registers.h"
#include "sched/impl.h"

static void spin_until(void *arg)
{
	volatile uint32_t *stop = arg;
	while (*stop == 0)
		;
}

GUEST_TEST(sched, tight_loop, "a loop without calls is preempted, with one hart too (TestAsyncPreempt)")
{
	struct guest_group all = {0};
	volatile uint32_t stop = 0;
	for (unsigned i = 0; i < 2 * go_harts() + 1; i++)
		guest_go(&all, spin_until, (void *)&stop);
	for (int i = 0; i < 3; i++)
		go_yield();
	time_sleep(TIME_MILLISECOND);
	stop = 1;
	guest_wait(&all);
}

/* ---- registers ---- */

static _Atomic uint32_t holders_left;

static void hold(void *arg)
{
	struct registers r, want;
	uint64_t seed = (uintptr_t)arg * 77777 + 1;
	for (uint32_t k = 0; k < guest_count(4, 40); k++) {
		unsigned char *bytes = (unsigned char *)&r;
		for (size_t i = 0; i < sizeof r; i++)
			bytes[i] = (unsigned char)guest_random(&seed);
		registers_prepare(&r);
		want = r;
		registers_hold(&r, guest_count(3000000, 10000000));
		if (memcmp(&r, &want, sizeof r) != 0) {
			for (size_t i = 0; i < sizeof r / 8; i++) {
				uint64_t a = ((uint64_t *)&r)[i], b = ((uint64_t *)&want)[i];
				if (a != b)
					guest_fail(__FILE__, __LINE__,
						   "register word %u: 0x%llx, 0x%llx before", (unsigned)i,
						   (unsigned long long)a, (unsigned long long)b);
			}
		}
	}
	atomic_fetch_sub(&holders_left, 1);
}

static void disturb(void *arg)
{
	volatile double x = 1.0 + (double)(uintptr_t)arg;
	while (atomic_load(&holders_left) > 0) {
		for (int i = 0; i < 1000; i++)
			x = sqrt(x * 3.7 + 1.0) + sin(x);
		if ((uintptr_t)arg % 2)
			go_yield();
	}
}

GUEST_TEST(sched, registers,
	   "all integer, floating-point and vector registers survive preemption and moves between harts")
{
	struct guest_group all = {0};
	unsigned n = 2 * go_harts() + 1;
	atomic_store(&holders_left, n);
	for (uintptr_t i = 0; i < n; i++)
		guest_go(&all, hold, (void *)i);
	for (uintptr_t i = 0; i < go_harts() + 1; i++)
		guest_go(&all, disturb, (void *)i);
	guest_wait(&all);
}

/* Eight values are loaded before the first two are added: x86-64's whole x87 stack, in use at most instructions of the loop. (QEMU does
 * not model an overflow of that stack: registers left on it by somebody else cannot be seen here.) */
static void add_eight(void *arg)
{
	volatile long double v[8];
	for (int i = 0; i < 8; i++)
		v[i] = (long double)((uintptr_t)arg * 8 + (uintptr_t)i);
	long double want = (long double)((uintptr_t)arg * 64 + 28);
	uint32_t wrong = 0;
	for (uint32_t i = 0; i < guest_count(500000, 5000000); i++)
		wrong += v[0] + (v[1] + (v[2] + (v[3] + (v[4] + (v[5] + (v[6] + v[7])))))) != want;
	CHECK_EQ(wrong, 0);
	atomic_fetch_sub(&holders_left, 1);
}

static void add_and_yield(void *arg)
{
	while (atomic_load(&holders_left) > 0) {
		go_yield();
		volatile long double v[8] = {1, 2, 3, 4, 5, 6, 7, 8};
		CHECK(v[0] + (v[1] + (v[2] + (v[3] + (v[4] + (v[5] + (v[6] + v[7])))))) == 36);
	}
	(void)arg;
}

GUEST_TEST(sched, long_double,
	   "long double arithmetic comes out right whatever is preempted in the middle of it")
{
	struct guest_group all = {0};
	unsigned n = 2 * go_harts() + 1;
	atomic_store(&holders_left, n);
	for (uintptr_t i = 0; i < n; i++) {
		guest_go(&all, add_eight, (void *)i);
		guest_go(&all, add_and_yield, NULL);
	}
	guest_wait(&all);
}

static const int roundings[] = {FE_TONEAREST, FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO};

static void rounding(void *arg)
{
	int mode = roundings[(uintptr_t)arg % 4];
	volatile double one = 1.0, three = 3.0;
	CHECK_EQ(fegetround(), FE_TONEAREST); /* a new goroutine starts with the default */
	fesetround(mode);
	double up = one / three, down = -one / three;
	for (uint32_t i = 0; i < guest_count(30, 300); i++) {
		if (i % 3 == 0)
			go_yield();
		else if (i % 3 == 1)
			time_sleep(20 * TIME_MICROSECOND);
		else
			guest_spin(300 * TIME_MICROSECOND);
		CHECK_EQ(fegetround(), mode);
		CHECK(one / three == up && -one / three == down);
	}
	double third = 0.333333333333333314829616256247; /* to nearest, which is downwards */
	CHECK(mode == FE_UPWARD ? up > third : up == third);
	CHECK(mode == FE_DOWNWARD ? down < -third : down == -third);
}

GUEST_TEST(sched, rounding, "the rounding mode belongs to the goroutine, over preemption, yields and sleeps")
{
	struct guest_group all = {0};
	for (uintptr_t i = 0; i < 4 * (go_harts() + 2); i++)
		guest_go(&all, rounding, (void *)i);
	guest_wait(&all);
	CHECK_EQ(fegetround(), FE_TONEAREST);
}

static _Atomic uint32_t sum_errors;

static void float_sum(void *arg)
{
	uint64_t seed = (uintptr_t)arg + 99;
	double step = 1.0 + (guest_random(&seed) % 1000) / 1024.0;
	for (uint32_t k = 0; k < guest_count(5, 50); k++) {
		double a = 0, b = 1e6, c = -3.5, d = 7;
		for (int i = 0; i < 100000; i++) {
			a += step;
			b -= step;
			c += 2 * step;
			d += 0.5;
		}
		if (a != step * 100000 || b != 1e6 - step * 100000 || c != -3.5 + 200000 * step || d != 50007)
			atomic_fetch_add(&sum_errors, 1);
	}
}

GUEST_TEST(sched, float_sums, "sums that are exact in double come out exact with many goroutines computing")
{
	struct guest_group all = {0};
	atomic_store(&sum_errors, 0);
	for (uintptr_t i = 0; i < 3 * go_harts(); i++)
		guest_go(&all, float_sum, (void *)i);
	guest_wait(&all);
	CHECK_EQ(atomic_load(&sum_errors), 0);
}

/* ---- harts ---- */

static _Atomic uint32_t token;

static void pass_token(void *arg)
{
	uint32_t me = (uint32_t)(uintptr_t)arg, n = go_harts();
	for (uint32_t turn = 0; turn < guest_count(3, 10); turn++) {
		/* spins with its hart: the turn comes only if all run at once, or each is preempted in time */
		while (atomic_load(&token) % n != me)
			;
		atomic_fetch_add(&token, 1);
	}
}

GUEST_TEST(sched, parallelism,
	   "as many spinning goroutines as harts pass a token round (TestGoroutineParallelism)")
{
	for (uint32_t k = 0; k < guest_count(3, 20); k++) {
		struct guest_group all = {0};
		atomic_store(&token, 0);
		for (uintptr_t i = 0; i < go_harts(); i++)
			guest_go(&all, pass_token, (void *)i);
		guest_wait(&all);
		CHECK_EQ(atomic_load(&token), go_harts() * guest_count(3, 10));
	}
}

static _Atomic uint32_t seen_harts;

static void note_hart(void *arg)
{
	(void)arg;
	uint64_t end = time_now() + 20 * TIME_SECOND;
	uint32_t all = (uint32_t)((1ull << go_harts()) - 1);
	while (atomic_load(&seen_harts) != all && time_now() < end) {
		preempt_disable();
		atomic_fetch_or(&seen_harts, 1u << hart_index());
		preempt_enable();
	}
}

GUEST_TEST(sched, spread, "goroutines started on one hart reach all of them")
{
	struct guest_group all = {0};
	atomic_store(&seen_harts, 0);
	for (unsigned i = 0; i < 2 * go_harts(); i++)
		guest_go(&all, note_hart, NULL);
	guest_wait(&all);
	CHECK_EQ(atomic_load(&seen_harts), (1ull << go_harts()) - 1);
}

/* ---- fairness ---- */

struct pair {
	struct chan *to, *fro;
	_Atomic uint32_t *stop;
	_Atomic uint64_t rounds;
};

static void pair_a(void *arg)
{
	struct pair *p = arg;
	int v = 0;
	while (atomic_load(p->stop) == 0) {
		chan_send(p->to, &v);
		chan_recv(p->fro, &v);
		atomic_fetch_add(&p->rounds, 1);
	}
	chan_close(p->to);
}

static void pair_b(void *arg)
{
	struct pair *p = arg;
	int v;
	while (chan_recv(p->to, &v))
		chan_send(p->fro, &v);
}

static void third(void *arg)
{
	atomic_store((_Atomic uint32_t *)arg, 1);
}

GUEST_TEST(sched, run_next,
	   "pairs that wake each other do not starve a third goroutine (they share one slice)")
{
	struct guest_group pairs = {0}, thirds = {0};
	_Atomic uint32_t stop = 0, ran[10] = {0};
	struct pair p[32] = {0};
	unsigned n = go_harts();
	for (unsigned i = 0; i < n; i++) {
		p[i] = (struct pair){chan_make(sizeof(int), 0), chan_make(sizeof(int), 0), &stop, 0};
		guest_go(&pairs, pair_a, &p[i]);
		guest_go(&pairs, pair_b, &p[i]);
	}
	for (int i = 0; i < 10; i++) {
		uint64_t end = time_now() + 10 * TIME_SECOND;
		guest_go(&thirds, third, &ran[i]);
		while (atomic_load(&ran[i]) == 0 && time_now() < end)
			time_sleep(TIME_MILLISECOND);
		CHECK_EQ(atomic_load(&ran[i]), 1);
	}
	/* A pair may lie in the queue of a hart that the emulator's host has not run for a while. */
	uint64_t end = time_now() + 10 * TIME_SECOND;
	for (unsigned i = 0; i < n; i++)
		while (atomic_load(&p[i].rounds) == 0 && time_now() < end)
			time_sleep(TIME_MILLISECOND);
	atomic_store(&stop, 1);
	guest_wait(&pairs);
	guest_wait(&thirds);
	for (unsigned i = 0; i < n; i++) {
		CHECK(atomic_load(&p[i].rounds) > 0);
		chan_free(p[i].to);
		chan_free(p[i].fro);
	}
}

static _Atomic uint64_t progress[64];
static _Atomic uint32_t fair_stop;

static void yielder(void *arg)
{
	while (atomic_load(&fair_stop) == 0) {
		atomic_fetch_add((_Atomic uint64_t *)arg, 1);
		go_yield();
	}
}

static void burner(void *arg)
{
	while (atomic_load(&fair_stop) == 0)
		atomic_fetch_add((_Atomic uint64_t *)arg, 1);
}

static void sleeper(void *arg)
{
	while (atomic_load(&fair_stop) == 0) {
		atomic_fetch_add((_Atomic uint64_t *)arg, 1);
		time_sleep(100 * TIME_MICROSECOND);
	}
}

GUEST_TEST(sched, mixed, "yielding, computing and sleeping goroutines all go on, none starves")
{
	struct guest_group all = {0};
	void (*const kinds[])(void *) = {yielder, burner, sleeper};
	uint64_t before[24];
	atomic_store(&fair_stop, 0);
	for (int i = 0; i < 24; i++) {
		atomic_store(&progress[i], 0);
		guest_go(&all, kinds[i % 3], &progress[i]);
	}
	for (int turn = 0; turn < 2; turn++) {
		uint64_t end = time_now() + 20 * TIME_SECOND;
		uint32_t moved = 0;
		for (int i = 0; i < 24; i++)
			before[i] = atomic_load(&progress[i]);
		while (moved != 0xffffff && time_now() < end) {
			time_sleep(TIME_MILLISECOND);
			for (int i = 0; i < 24; i++)
				if (atomic_load(&progress[i]) > before[i])
					moved |= 1u << i;
		}
		CHECK_EQ(moved, 0xffffff);
	}
	atomic_store(&fair_stop, 1);
	guest_wait(&all);
}

static void wake_soon(void *arg)
{
	time_sleep(TIME_MILLISECOND);
	waitgroup_done(arg);
}

GUEST_TEST(sched, wake_idle,
	   "an idle machine wakes for each single deadline and each wake-up from another hart")
{
	for (uint32_t i = 0; i < guest_count(50, 1000); i++) {
		struct guest_group all = {0};
		struct waitgroup w = {0};
		waitgroup_add(&w, 2);
		guest_go(&all, wake_soon, &w);
		guest_go(&all, wake_soon, &w);
		waitgroup_wait(&w);
		guest_wait(&all);
	}
}

static void off_then_spin(void *arg)
{
	volatile uint32_t *stop = arg;
	/* a slice ends while preemption is off: the request must not get lost */
	preempt_disable();
	guest_spin(25 * TIME_MILLISECOND);
	preempt_enable();
	while (*stop == 0)
		;
}

GUEST_TEST(sched, preempt_off, "a request that came while preemption was off is served, and later ones too")
{
	struct guest_group all = {0};
	volatile uint32_t stop = 0;
	for (unsigned i = 0; i < 2 * go_harts(); i++)
		guest_go(&all, off_then_spin, (void *)&stop);
	time_sleep(TIME_MILLISECOND);
	for (int i = 0; i < 3; i++)
		go_yield();
	stop = 1;
	guest_wait(&all);
}

GUEST_TEST(sched, pinned, "a goroutine stays on its hart while preemption is off")
{
	for (int k = 0; k < 20; k++) {
		preempt_disable();
		unsigned at = hart_index();
		guest_spin(TIME_MILLISECOND);
		CHECK_EQ(hart_index(), at);
		preempt_enable();
		go_yield();
	}
}

/* ---- leaving a hart directly, and coming back on another ---- */

/* Waits for another hart, without giving this one away. On one hart at a time (EXACT=1) the others go on only at a timer's deadline. */
static void wait_a_little(uint32_t n)
{
	bool on = arch_irq_save();
	spin_pause(n);
	arch_irq_restore(on);
}

struct leave {
	struct guest_group all;
	_Atomic uint32_t from; /* 1 + the hart that is being left */
	_Atomic bool back;
};

static void leave_and_return(void *arg)
{
	struct leave *l = arg;
	atomic_store(&l->from, 1 + hart_index());
	go_yield();
	atomic_store(&l->back, true);
}

/*
 * Whether a goroutine has left this hart directly for the caller, and come back on another: the caller keeps the hart meanwhile. It has not if
 * the scheduler was asked for, or another hart has taken one of the two before; then this is to be tried again.
 */
static bool comes_back_elsewhere(void)
{
	struct leave l = {0};
	guest_go(&l.all, leave_and_return, &l);
	go_yield();
	preempt_disable();
	bool directly = atomic_load(&l.from) == 1 + hart_index() && !atomic_load(&l.back) &&
			g_self()->run_since != arch_hart()->sched->began;
	/* not for long: a yield may miss a hart that goes to sleep just now, and nobody takes what is in the ring before the slice ends */
	uint64_t end = time_now() + 100 * TIME_MILLISECOND;
	for (uint32_t n = 1; directly && !atomic_load(&l.back) && time_now() < end; n++)
		wait_a_little(n);
	bool elsewhere = directly && atomic_load(&l.back);
	preempt_enable();
	guest_wait(&l.all);
	return elsewhere;
}

GUEST_TEST(sched, comes_back_elsewhere,
	   "a goroutine that leaves a hart for the next one directly may come back on another hart")
{
	enum { ENOUGH = 20 };
	if (go_harts() < 2) {
		guest_skip("on one hart nobody comes back on another");
		return;
	}
	uint64_t end = time_now() + 40 * TIME_SECOND;
	uint32_t n = 0, tried = 0;
	for (; n < ENOUGH && time_now() < end; tried++)
		n += comes_back_elsewhere();
	guest_note("%u of %u came back elsewhere", n, tried);
	CHECK_EQ(n, ENOUGH);
}

/* ---- the order in which a hart takes work from others ---- */

enum { THIEF, HAS_NEXT, HAS_RING }; /* harts; all others only keep busy */

struct hold {
	struct guest_group taken;
	struct waitgroup done;
	_Atomic uint32_t holding, submitted, first; /* first: who ran first, HAS_NEXT or HAS_RING */
	_Atomic bool late; /* a hart waited in vain: the host has not let another one run */
};

static void was_in_ring(void *arg)
{
	uint32_t none = 0;
	atomic_compare_exchange_strong(&((struct hold *)arg)->first, &none, HAS_RING);
}

static void was_next(void *arg)
{
	uint32_t none = 0;
	atomic_compare_exchange_strong(&((struct hold *)arg)->first, &none, HAS_NEXT);
}

static void hold_hart(void *arg)
{
	struct hold *h = arg;
	uint64_t end = time_now() + 10 * TIME_SECOND;
	preempt_disable();
	unsigned at = hart_index();
	atomic_fetch_add(&h->holding, 1);
	for (uint32_t n = 1; atomic_load(&h->holding) < go_harts() && time_now() < end; n++)
		wait_a_little(n);
	if (at == HAS_RING)
		guest_go(&h->taken, was_in_ring,
			 h); /* the following one drives it from the next slot to the ring */
	if (at == HAS_RING || at == HAS_NEXT) {
		guest_go(&h->taken, was_next, h);
		atomic_fetch_add(&h->submitted, 1);
	}
	for (uint32_t n = 1;
	     (at == THIEF ? atomic_load(&h->submitted) < 2 : atomic_load(&h->first) == 0) && time_now() < end;
	     n++)
		wait_a_little(n);
	if (time_now() >= end)
		atomic_store(&h->late, true);
	preempt_enable();
	waitgroup_done(&h->done);
}

GUEST_TEST(sched, steal_order,
	   "a hart without work takes from any other's ring before it takes anybody's next goroutine")
{
	if (go_harts() < 3) {
		guest_skip("it takes a hart with a ring, one with a next goroutine, and one without either");
		return;
	}
	for (int round = 0, late = 0; round < 10 && late < GUEST_ATTEMPTS; round++) {
		struct hold h = {0};
		waitgroup_add(&h.done, (int)go_harts());
		for (unsigned i = 0; i < go_harts(); i++)
			CHECK(go_with(hold_hart, &h, &(struct go_options){.pinned = true, .hart = i}) != 0);
		waitgroup_wait(&h.done);
		guest_wait(&h.taken);
		if (atomic_load(&h.late)) {
			round--;
			CHECK(++late < GUEST_ATTEMPTS);
		} else {
			CHECK_EQ(atomic_load(&h.first), HAS_RING);
		}
	}
}

/* Stopping the world (sched/stw.c), by the names of Go's tests where there is one. */
#include "suite.h"

#include <stdatomic.h>
#include <string.h>

#include <hartbeat/go.h>
#include <hartbeat/time.h>

#include "kernel/hart.h"
#include "kernel/preempt.h"
#include "sched/stw.h"

static _Atomic uint32_t stop;
static _Atomic uint32_t inside; /* initiators that have the world stopped */
static _Atomic uint64_t counts[HART_MAX * 2];

static void count(void *arg)
{
	_Atomic uint64_t *n = arg;
	while (atomic_load_explicit(&stop, memory_order_relaxed) == 0)
		atomic_store_explicit(n, atomic_load_explicit(n, memory_order_relaxed) + 1,
				      memory_order_relaxed);
}

static void yield_and_count(void *arg)
{
	while (atomic_load_explicit(&stop, memory_order_relaxed) == 0) {
		atomic_fetch_add((_Atomic uint64_t *)arg, 1);
		go_yield();
	}
}

static void initiator(void *arg)
{
	enum stw_kind kind = (enum stw_kind)(uintptr_t)arg, now;
	for (uint32_t i = 0; i < guest_count(50, 1000); i++) {
		stw_begin(kind);
		CHECK_EQ(atomic_fetch_add(&inside, 1), 0);
		CHECK(stw_stopped(&now) && now == kind);
		atomic_fetch_sub(&inside, 1);
		stw_end();
	}
}

GUEST_TEST(stw, stop_the_world_deadlock,
	   "two who stop the world in turn do not wait for each other, with a goroutine spinning beside")
{
	struct guest_group initiators = {0}, spinners = {0};
	atomic_store(&stop, 0);
	guest_go(&spinners, count, &counts[0]);
	guest_go(&initiators, initiator, (void *)(uintptr_t)STW_GC_MARK_TERM);
	guest_go(&initiators, initiator, (void *)(uintptr_t)STW_GOMAXPROCS);
	guest_wait(&initiators);
	atomic_store(&stop, 1);
	guest_wait(&spinners);
}

GUEST_TEST(stw, preemption_gc, "while the world stands no goroutine runs, not even a loop without calls")
{
	struct guest_group all = {0};
	uint64_t before[HART_MAX * 2];
	unsigned n = 2 * go_harts();
	atomic_store(&stop, 0);
	for (unsigned i = 0; i < n; i++) {
		atomic_store(&counts[i], 0);
		guest_go(&all, i % 2 == 0 ? count : yield_and_count, &counts[i]);
	}
	for (uint32_t k = 0; k < guest_count(20, 200); k++) {
		time_sleep(TIME_MILLISECOND);
		stw_begin(STW_TEST);
		for (unsigned i = 0; i < n; i++)
			before[i] = atomic_load(&counts[i]);
		uint64_t end = time_now() + 200 * TIME_MICROSECOND;
		while (time_now() < end)
			;
		for (unsigned i = 0; i < n; i++)
			CHECK_EQ(atomic_load(&counts[i]), before[i]);
		stw_end();
	}
	uint64_t sum = 0;
	for (unsigned i = 0; i < n; i++)
		sum += atomic_load(&counts[i]);
	CHECK(sum > 0);
	atomic_store(&stop, 1);
	guest_wait(&all);
}

static _Atomic uint32_t on_hart[HART_MAX];

static void note_hart(void *arg)
{
	_Atomic uint32_t *at = arg;
	while (atomic_load_explicit(&stop, memory_order_relaxed) == 0) {
		preempt_disable();
		atomic_store(at, hart_index() + 1);
		preempt_enable();
	}
}

/* How many of `seen` goroutines were on their hart again after a stop. */
static uint32_t stayed(uint32_t n, uint32_t rounds, uint32_t *seen)
{
	struct guest_group all = {0};
	uint32_t kept = 0;
	*seen = 0;
	atomic_store(&stop, 0);
	for (unsigned i = 0; i < n; i++) {
		atomic_store(&on_hart[i], 0);
		guest_go(&all, note_hart, &on_hart[i]);
	}
	for (uint32_t k = 0; k < rounds; k++) {
		uint32_t before[HART_MAX];
		time_sleep(300 * TIME_MICROSECOND);
		stw_begin(STW_START_TRACE);
		for (unsigned i = 0; i < n; i++) {
			before[i] = atomic_load(&on_hart[i]);
			atomic_store(&on_hart[i], 0);
		}
		stw_end();
		time_sleep(300 * TIME_MICROSECOND);
		for (unsigned i = 0; i < n; i++) {
			uint32_t after = atomic_load(&on_hart[i]);
			if (before[i] == 0 || after == 0)
				continue;
			++*seen;
			kept += after == before[i];
		}
	}
	atomic_store(&stop, 1);
	guest_wait(&all);
	guest_note("%u of %u stayed", kept, *seen);
	return kept;
}

GUEST_TEST(stw, trace_stw, "a goroutine that was stopped with the world goes on on its hart")
{
	uint32_t n = go_harts() - 1, seen;
	if (n == 0) {
		guest_skip("needs two harts");
		return;
	}
	/* a goroutine whose hart the host does not run is stolen, and rightly */
	for (int i = 0; i < GUEST_ATTEMPTS; i++) {
		uint32_t kept = stayed(n, guest_count(50, 500), &seen);
		if (seen > 0 && kept * 4 >= seen * 3)
			return;
	}
	CHECK(!"three quarters go on on their hart");
}

static void end_at_once(void *arg)
{
	(void)arg;
}

static void start_and_end(void *arg)
{
	while (atomic_load(&stop) == 0) {
		uint64_t id = go(end_at_once, arg);
		if (id == 0)
			guest_fail(__FILE__, __LINE__, "no memory for a goroutine");
		go_yield();
	}
}

GUEST_TEST(stw, mexit_stw,
	   "goroutines start and end while the world stops again and again; harts fall asleep and wake")
{
	struct guest_group all = {0};
	atomic_store(&stop, 0);
	for (unsigned i = 0; i < go_harts(); i++)
		guest_go(&all, start_and_end, NULL);
	for (uint32_t k = 0; k < guest_count(100, 1000); k++) {
		stw_begin(STW_TEST);
		stw_end();
		if (k % 8 == 0)
			time_sleep(100 * TIME_MICROSECOND);
	}
	atomic_store(&stop, 1);
	guest_wait(&all);
	for (uint32_t k = 0; k < guest_count(20, 200); k++) { /* with all others asleep */
		time_sleep(TIME_MILLISECOND);
		stw_begin(STW_TEST);
		stw_end();
	}
}

GUEST_TEST(stw, kinds, "each kind has the text that trace viewers know")
{
	for (int k = 0; k < STW_KINDS; k++)
		CHECK(stw_kind_text[k] != NULL && stw_kind_text[k][0] != '\0');
	CHECK(strcmp(stw_kind_text[STW_GC_MARK_TERM], "GC mark termination") == 0);
	CHECK(strcmp(stw_kind_text[STW_GOROUTINE_PROFILE], "goroutine profile") == 0);
}

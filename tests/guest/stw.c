/* Stopping the world (sched/stw.c), by the names of Go's tests where there is one. */
#include "suite.h"

#include <stdatomic.h>
#include <string.h>

#include <hartbeat/go.h>
#include <hartbeat/time.h>

#include "kernel/hart.h"
#include "kernel/preempt.h"
#include "sched/impl.h"
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

/* Where a goroutine was first after the last stop: index of a hart + 1, 0: not seen yet. */
static struct place {
	struct g *g;
	_Atomic uint32_t first;
} places[HART_MAX];

static void note_hart(void *arg)
{
	struct place *p = arg;
	p->g = g_self();
	while (atomic_load_explicit(&stop, memory_order_relaxed) == 0) {
		preempt_disable();
		uint32_t at = hart_index() + 1, none = 0;
		atomic_compare_exchange_strong(&p->first, &none, at);
		preempt_enable();
	}
}

static bool all_seen(uint32_t n)
{
	uint64_t end = time_now() + 10 * TIME_SECOND;
	for (uint32_t i = 0; i < n; i++)
		while (atomic_load(&places[i].first) == 0)
			if (time_now() > end)
				return false;
	return true;
}

/* The hart that stopped with this goroutine in its hands: index + 1, 0: none, it is in a queue. */
static uint32_t stopped_with(const struct g *g)
{
	for (uint32_t i = 0; i < go_harts(); i++)
		if (atomic_load(&harts[i]->sched->stopped) && harts[i]->sched->held == g)
			return i + 1;
	return 0;
}

GUEST_TEST(stw, trace_stw, "a goroutine that was stopped with the world goes on on its hart")
{
	struct guest_group all = {0};
	uint32_t n = go_harts() - 1, rounds = guest_count(50, 500), held = 0, kept = 0;
	if (n == 0) {
		guest_skip("needs two harts");
		return;
	}
	atomic_store(&stop, 0);
	for (unsigned i = 0; i < n; i++) {
		atomic_store(&places[i].first, 0);
		guest_go(&all, note_hart, &places[i]);
	}
	CHECK(all_seen(n));
	for (uint32_t k = 0; k < rounds; k++) {
		uint32_t before[HART_MAX];
		stw_begin(STW_START_TRACE);
		for (unsigned i = 0; i < n; i++) {
			before[i] = stopped_with(places[i].g);
			atomic_store(&places[i].first, 0);
		}
		stw_end();
		CHECK(all_seen(n));
		for (unsigned i = 0; i < n; i++) {
			held += before[i] != 0;
			kept += before[i] != 0 && atomic_load(&places[i].first) == before[i];
		}
	}
	atomic_store(&stop, 1);
	guest_wait(&all);
	/* Go's share: one whose slice is over at once may move before it has seen where it is. */
	guest_note("%u of %u stayed", kept, held);
	CHECK(held >= rounds / 4 && kept * 4 >= held * 3);
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

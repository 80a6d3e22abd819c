/* Mutexes. Names in brackets are those of Go's tests. */
#include "suite.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <hartbeat/go.h>
#include <hartbeat/sync.h>
#include <hartbeat/time.h>

#include "arch/arch.h"
#include "kernel/clock.h"
#include "sched/mutex.h"

static struct {
	struct mutex m;
	uint64_t plain; /* guarded by m */
	int inside;     /* guarded by m */
	uint32_t rounds;
	_Atomic uint32_t tried, got;
} ex;

static void lock_many(void *arg)
{
	uint64_t seed = (uintptr_t)arg + 1;
	for (uint32_t i = 0; i < ex.rounds; i++) {
		mutex_lock(&ex.m);
		CHECK_EQ(ex.inside, 0);
		ex.inside = 1;
		uint64_t seen = ex.plain;
		switch (guest_random(&seed) % 8) {
		case 0:
			go_yield();
			break;
		case 1:
			guest_spin(2 * TIME_MICROSECOND);
			break;
		}
		ex.plain = seen + 1;
		ex.inside = 0;
		mutex_unlock(&ex.m);
		if (guest_random(&seed) % 4 == 0)
			go_yield();
	}
}

GUEST_TEST(sync, mutex_exclusion, "one goroutine at a time is inside, for 1 to 100 contenders")
{
	static const uint32_t contenders[] = {1, 2, 3, 8, 30, 100};
	for (size_t k = 0; k < sizeof contenders / sizeof contenders[0]; k++) {
		struct guest_group all = {0};
		ex.rounds = guest_count(2000, 100000) / contenders[k];
		ex.plain = 0;
		for (uintptr_t i = 0; i < contenders[k]; i++)
			guest_go(&all, lock_many, (void *)i);
		guest_wait(&all);
		CHECK_EQ(ex.plain, (uint64_t)contenders[k] * ex.rounds);
		CHECK_EQ(ex.m.word, 0);
	}
}

static void add_many(void *arg)
{
	(void)arg;
	for (uint32_t i = 0; i < ex.rounds; i++) {
		mutex_lock(&ex.m);
		ex.plain++;
		mutex_unlock(&ex.m);
	}
}

GUEST_TEST(sync, mutex_tight,
	   "loops of nothing but lock, add, unlock: no addition is lost, and all come through")
{
	struct guest_group all = {0};
	ex.rounds = guest_count(20000, 1000000);
	ex.plain = 0;
	for (int i = 0; i < 16; i++)
		guest_go(&all, add_many, NULL);
	guest_wait(&all);
	CHECK_EQ(ex.plain, 16ull * ex.rounds);
	CHECK_EQ(ex.m.word, 0);
}

static void hammer(void *arg)
{
	(void)arg;
	for (uint32_t i = 0; i < ex.rounds; i++) {
		if (i % 3 == 0) {
			if (mutex_trylock(&ex.m))
				mutex_unlock(&ex.m);
			continue;
		}
		mutex_lock(&ex.m);
		mutex_unlock(&ex.m);
	}
}

GUEST_TEST(sync, mutex, "lock, try-lock and unlock, from one goroutine and from ten (TestMutex)")
{
	struct guest_group all = {0};
	mutex_lock(&ex.m);
	CHECK(!mutex_trylock(&ex.m));
	mutex_unlock(&ex.m);
	CHECK(mutex_trylock(&ex.m));
	CHECK(!mutex_trylock(&ex.m));
	mutex_unlock(&ex.m);
	ex.rounds = guest_count(1000, 100000);
	for (int i = 0; i < 10; i++)
		guest_go(&all, hammer, NULL);
	guest_wait(&all);
	CHECK_EQ(ex.m.word, 0);
}

static void try_many(void *arg)
{
	(void)arg;
	for (uint32_t i = 0; i < ex.rounds; i++) {
		atomic_fetch_add(&ex.tried, 1);
		if (mutex_trylock(&ex.m)) {
			CHECK_EQ(ex.inside, 0);
			ex.inside = 1;
			ex.plain++;
			atomic_fetch_add(&ex.got, 1);
			if (i % 7 == 0)
				go_yield();
			ex.inside = 0;
			mutex_unlock(&ex.m);
		} else {
			go_yield();
		}
	}
}

GUEST_TEST(sync, mutex_trylock, "trylock takes a free mutex and never one that is held")
{
	struct guest_group all = {0};
	ex.rounds = guest_count(300, 10000);
	ex.plain = 0;
	atomic_store(&ex.tried, 0);
	atomic_store(&ex.got, 0);
	for (int i = 0; i < 10; i++)
		guest_go(&all, try_many, NULL);
	for (uintptr_t i = 0; i < 5; i++)
		guest_go(&all, lock_many, (void *)i);
	guest_wait(&all);
	CHECK_EQ(ex.plain, atomic_load(&ex.got) + 5ull * ex.rounds);
	CHECK_EQ(atomic_load(&ex.tried), 10 * ex.rounds);
}

static _Atomic uint32_t turns;

static void hold_long(void *arg)
{
	_Atomic uint32_t *stop = arg;
	while (atomic_load(stop) == 0) {
		mutex_lock(&ex.m);
		atomic_fetch_add(&turns, 1);
		guest_spin(100 * TIME_MICROSECOND);
		mutex_unlock(&ex.m);
	}
}

GUEST_TEST(sync, mutex_fairness,
	   "who takes the mutex again and again, for long, does not lock another out (TestMutexFairness)")
{
	enum { TURNS_MOST = 100000 }; /* the 10 s of Go's test */
	struct guest_group all = {0};
	_Atomic uint32_t stop = 0;
	atomic_store(&turns, 0);
	guest_go(&all, hold_long, &stop);
	guest_go(&all, hold_long, &stop);
	for (int i = 0; i < 10; i++) {
		time_sleep(100 * TIME_MICROSECOND);
		mutex_lock(&ex.m);
		mutex_unlock(&ex.m);
	}
	CHECK(atomic_load(&turns) < TURNS_MOST);
	atomic_store(&stop, 1);
	guest_wait(&all);
}

static uintptr_t word(void)
{
	return __atomic_load_n(&ex.m.word, __ATOMIC_SEQ_CST);
}

static void take_turn(void *arg)
{
	mutex_lock(&ex.m);
	atomic_fetch_add((_Atomic uint32_t *)arg, 1);
	mutex_unlock(&ex.m);
}

/* Main holds the mutex and somebody has starved: at the next unlock it is his. */
static void starve(struct guest_group *all, _Atomic uint32_t *turn, int n)
{
	for (;;) {
		mutex_lock(&ex.m);
		uint32_t before = atomic_load(turn);
		for (int i = 0; i < n; i++)
			guest_go(all, take_turn, turn);
		while ((word() & MUTEX_WAITERS) == 0)
			time_sleep(50 * TIME_MICROSECOND);
		time_sleep(2 * TIME_MILLISECOND);
		/* Frees the mutex and wakes the waiter, which loses against this goroutine, unless another hart is quick. */
		mutex_unlock(&ex.m);
		mutex_lock(&ex.m);
		uint64_t end = time_now() + 10 * TIME_SECOND;
		while (atomic_load(turn) == before && (word() & MUTEX_STARVING) == 0) {
			if (time_now() > end)
				guest_fail(__FILE__, __LINE__, "a waiter that lost after 2 ms starves");
			go_yield();
		}
		if ((word() & MUTEX_STARVING) != 0)
			return;
		mutex_unlock(&ex.m);
		guest_wait(all);
	}
}

GUEST_TEST(sync, mutex_starvation,
	   "in starvation mode an unlock hands the mutex over: who comes by does not get it")
{
	for (uint32_t i = 0; i < guest_count(20, 200); i++) {
		struct guest_group all = {0};
		_Atomic uint32_t turn = 0;
		starve(&all, &turn, 1);
		uint32_t before = atomic_load(&turn);
		mutex_unlock(&ex.m);
		mutex_lock(&ex.m);
		if (atomic_load(&turn) != before + 1)
			guest_fail(__FILE__, __LINE__, "the mutex did not go to the goroutine that starved");
		mutex_unlock(&ex.m);
		guest_wait(&all);
		CHECK_EQ(word(), 0); /* the last waiter ended the mode */
	}
}

GUEST_TEST(sync, mutex_starvation_ends,
	   "a crowd of waiters that starved drains, and the mutex is a fast one again")
{
	struct guest_group all = {0};
	_Atomic uint32_t turn = 0;
	starve(&all, &turn, 30);
	mutex_unlock(&ex.m);
	guest_wait(&all);
	CHECK(atomic_load(&turn) % 30 == 0);
	CHECK_EQ(word(), 0);
}

static void unlock_it(void *arg)
{
	(void)arg;
	mutex_unlock(&ex.m);
}

GUEST_TEST(sync, mutex_unlock_by_another,
	   "a mutex may be unlocked by another goroutine; its owner is known meanwhile")
{
	struct guest_group all = {0};
	mutex_lock(&ex.m);
	CHECK(mutex_owner(&ex.m) == g_self());
	guest_go(&all, unlock_it, NULL);
	mutex_lock(&ex.m);
	CHECK(mutex_owner(&ex.m) == g_self());
	mutex_unlock(&ex.m);
	CHECK(mutex_owner(&ex.m) == NULL);
	guest_wait(&all);
}

struct owned {
	struct mutex m;
	uint32_t users; /* guarded by m */
};

static void drop(void *arg)
{
	struct owned *o = arg;
	mutex_lock(&o->m);
	bool last = --o->users == 0;
	mutex_unlock(&o->m);
	if (last)
		free(o);
}

GUEST_TEST(sync, mutex_free_by_last,
	   "whoever finds itself the last user inside may free the mutex after its unlock")
{
	struct guest_group all = {0};
	for (uint32_t i = 0; i < guest_count(300, 20000); i++) {
		struct owned *o = calloc(1, sizeof *o);
		o->users = 4;
		for (int k = 0; k < 4; k++)
			guest_go(&all, drop, o);
		if (i % 16 == 15)
			guest_wait(&all);
	}
	guest_wait(&all);
}

/* Keeps the compiler from counting in a register. */
static volatile uint64_t counted;

GUEST_TEST(sync, mutex_cost,
	   "an uncontended lock, add and unlock takes few instructions (with EXACT=1 and one hart)")
{
	if (!guest_exact() || go_harts() > 1) {
		guest_skip("instructions are counted with EXACT=1 SMP=1 only");
		return;
	}
	const uint64_t most = strcmp(arch_name(), "riscv64") == 0 ? 19 : 15;
	enum { N = 100000 };
	uint64_t best = UINT64_MAX;
	for (int k = 0; k < 5; k++) {
		uint64_t start = time_now();
		for (int i = 0; i < N; i++) {
			mutex_lock(&ex.m);
			counted++;
			mutex_unlock(&ex.m);
		}
		uint64_t ns = time_now() - start;
		best = ns < best ? ns : best;
	}
	guest_note("%llu.%02llu instructions", (unsigned long long)(best / N),
		   (unsigned long long)(best % N * 100 / N));
	CHECK(best / N <= most);
}

static void wait_for_it(void *arg)
{
	(void)arg;
	mutex_lock(&ex.m);
	mutex_unlock(&ex.m);
}

GUEST_TEST(sync, mutex_wait_time_metric,
	   "the time that goroutines wait for mutexes is counted (TestMutexWaitTimeMetric)")
{
	struct guest_group all = {0};
	uint64_t before = mutex_wait_ticks();
	mutex_lock(&ex.m);
	for (int i = 0; i < 3; i++)
		guest_go(&all, wait_for_it, NULL);
	uint64_t end = time_now() + 20 * TIME_MILLISECOND;
	while ((word() & MUTEX_WAITERS) == 0 || time_now() < end)
		time_sleep(TIME_MILLISECOND);
	time_sleep(10 * TIME_MILLISECOND);
	mutex_unlock(&ex.m);
	guest_wait(&all);
	uint64_t ns = clock_from_ticks(mutex_wait_ticks() - before);
	CHECK(ns >= 10 * TIME_MILLISECOND);
	CHECK(ns < 60 * TIME_SECOND);
}

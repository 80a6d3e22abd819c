/* Mutexes and wait groups. */
#include "suite.h"

#include <stdatomic.h>

#include <hartbeat/go.h>
#include <hartbeat/time.h>

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

GUEST_TEST(sync, mutex, "one goroutine at a time is inside, for 1 to 100 contenders (TestMutex)")
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
		CHECK(mutex_trylock(&ex.m));
		mutex_unlock(&ex.m);
	}
}

static void hold_long(void *arg)
{
	_Atomic uint32_t *stop = arg;
	while (atomic_load(stop) == 0) {
		mutex_lock(&ex.m);
		guest_spin(100 * TIME_MICROSECOND);
		mutex_unlock(&ex.m);
	}
}

GUEST_TEST(sync, mutex_fairness,
	   "a goroutine that takes the mutex again and again does not lock out another (TestMutexFairness)")
{
	struct guest_group all = {0};
	_Atomic uint32_t stop = 0;
	guest_go(&all, hold_long, &stop);
	guest_go(&all, hold_long, &stop);
	for (int i = 0; i < 10; i++) {
		time_sleep(100 * TIME_MICROSECOND);
		mutex_lock(&ex.m);
		mutex_unlock(&ex.m);
	}
	atomic_store(&stop, 1);
	guest_wait(&all);
}

static void handed(void *arg)
{
	_Atomic uint32_t *turn = arg;
	mutex_lock(&ex.m);
	atomic_fetch_add(turn, 1);
	mutex_unlock(&ex.m);
}

GUEST_TEST(sync, mutex_handoff, "the mutex goes to the goroutine that waits, not to one that comes later")
{
	for (uint32_t i = 0; i < guest_count(20, 500); i++) {
		struct guest_group all = {0};
		_Atomic uint32_t turn = 0;
		mutex_lock(&ex.m);
		guest_go(&all, handed, &turn);
		while (ex.m.waiters.first == NULL)
			time_sleep(50 * TIME_MICROSECOND);
		mutex_unlock(&ex.m);
		/* the waiter owns it now: this lock comes behind it */
		mutex_lock(&ex.m);
		CHECK_EQ(atomic_load(&turn), 1);
		mutex_unlock(&ex.m);
		guest_wait(&all);
	}
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

GUEST_TEST(sync, trylock, "trylock takes a free mutex and never one that is held")
{
	struct guest_group all = {0};
	CHECK(mutex_trylock(&ex.m));
	CHECK(!mutex_trylock(&ex.m));
	mutex_unlock(&ex.m);
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

static struct {
	struct waitgroup in, out;
	_Atomic uint32_t n;
} wg;

static void wait_both(void *arg)
{
	(void)arg;
	waitgroup_done(&wg.in);
	waitgroup_wait(&wg.in);
	atomic_fetch_add(&wg.n, 1);
	waitgroup_done(&wg.out);
}

GUEST_TEST(sync, waitgroup, "a wait group is used again and again, with many waiters (TestWaitGroup)")
{
	for (uint32_t i = 0; i < guest_count(50, 2000); i++) {
		struct guest_group all = {0};
		atomic_store(&wg.n, 0);
		waitgroup_add(&wg.in, 17);
		waitgroup_add(&wg.out, 16);
		for (int k = 0; k < 16; k++)
			guest_go(&all, wait_both, NULL);
		go_yield();
		CHECK_EQ(atomic_load(&wg.n), 0);
		waitgroup_done(&wg.in);
		waitgroup_wait(&wg.out);
		CHECK_EQ(atomic_load(&wg.n), 16);
		guest_wait(&all);
	}
}

static void done_one(void *arg)
{
	atomic_fetch_add((_Atomic uint32_t *)arg, 1);
	waitgroup_done(&wg.in);
}

GUEST_TEST(sync, waitgroup_race, "wait does not return before the last done (TestWaitGroupRace)")
{
	for (uint32_t i = 0; i < guest_count(300, 10000); i++) {
		struct guest_group all = {0};
		_Atomic uint32_t n = 0;
		waitgroup_add(&wg.in, 2);
		guest_go(&all, done_one, &n);
		guest_go(&all, done_one, &n);
		waitgroup_wait(&wg.in);
		CHECK_EQ(atomic_load(&n), 2);
		guest_wait(&all);
	}
}

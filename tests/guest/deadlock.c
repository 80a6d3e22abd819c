/* Cycles of goroutines that wait for each other's mutexes: found once, never where there is none, and the program can go on. */
#include "suite.h"

#include <stdatomic.h>
#include <string.h>

#include <hartbeat/chan.h>
#include <hartbeat/go.h>
#include <hartbeat/time.h>

#include "sched/deadlock.h"

enum { RING_MAX = 100 };

static struct {
	uint32_t n, broken; /* the mutex that somebody else unlocks for its holder */
	struct mutex m[RING_MAX];
	_Atomic uint32_t locked, turn;
	bool together; /* the last steps are taken by all at once */
} ring;

/* Holds its mutex and wants the next one's, in turn or together. */
static void hold_and_want(void *arg)
{
	uint32_t i = (uint32_t)(uintptr_t)arg;
	mutex_lock(&ring.m[i]);
	atomic_fetch_add(&ring.locked, 1);
	if (ring.together)
		while (atomic_load(&ring.locked) < ring.n)
			go_yield();
	else
		while (atomic_load(&ring.turn) < i || atomic_load(&ring.locked) < ring.n)
			time_sleep(20 * TIME_MICROSECOND);
	atomic_fetch_add(&ring.turn, 1);
	mutex_lock(&ring.m[(i + 1) % ring.n]);
	mutex_unlock(&ring.m[(i + 1) % ring.n]);
	if (i != ring.broken)
		mutex_unlock(&ring.m[i]);
}

static bool found_settles(uint32_t wanted)
{
	uint64_t end = time_now() + 10 * TIME_SECOND;
	while (deadlocks_found() != wanted && time_now() < end)
		time_sleep(100 * TIME_MICROSECOND);
	time_sleep(200 * TIME_MICROSECOND); /* another report would come now */
	return deadlocks_found() == wanted;
}

/* Closes a cycle of n, sees that it is found once, breaks it by unlocking a mutex of somebody else's. False when it was not. */
static bool cycle(uint32_t n, bool together)
{
	struct guest_group all = {0};
	uint32_t before = deadlocks_found();
	memset(&ring, 0, sizeof ring);
	ring.n = n;
	ring.together = together;
	for (uintptr_t i = 0; i < n; i++)
		guest_go(&all, hold_and_want, (void *)i);
	bool found = found_settles(before + 1);
	if (!found)
		guest_fail(__FILE__, __LINE__, "a cycle of %u was found %u times", n,
			   deadlocks_found() - before);
	mutex_unlock(&ring.m[0]);
	guest_wait(&all);
	CHECK_EQ(deadlocks_found(), before + 1);
	return found;
}

GUEST_TEST(deadlock, cycles,
	   "a cycle of any length is found when it closes, and a foreign unlock lets the program go on")
{
	static const uint32_t sizes[] = {2, 3, 10, RING_MAX};
	for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0] && cycle(sizes[i], false); i++)
		;
}

GUEST_TEST(deadlock, closed_together,
	   "goroutines that close a cycle at the same moment report it, and one of them only")
{
	for (uint32_t i = 0; i < guest_count(20, 300) && cycle(2 + i % 3, true); i++)
		;
}

static struct mutex own;

static void lock_twice(void *done)
{
	mutex_lock(&own);
	mutex_lock(&own);
	mutex_unlock(&own);
	chan_send(done, NULL);
}

GUEST_TEST(deadlock, itself, "a goroutine that waits for a mutex it holds")
{
	uint32_t before = deadlocks_found();
	struct chan *done = chan_make(0, 0);
	CHECK(go(lock_twice, done) != 0);
	CHECK(found_settles(before + 1));
	mutex_unlock(&own);
	chan_recv(done, NULL);
	chan_free(done);
	CHECK_EQ(deadlocks_found(), before + 1);
}

static void want_first(void *arg)
{
	(void)arg;
	mutex_lock(&ring.m[0]);
	mutex_unlock(&ring.m[0]);
}

GUEST_TEST(deadlock, beside_a_cycle,
	   "who waits for a goroutine of a cycle is not part of it, and adds no report")
{
	struct guest_group all = {0}, beside = {0};
	uint32_t before = deadlocks_found();
	memset(&ring, 0, sizeof ring);
	ring.n = 3;
	ring.broken = 1;
	for (uintptr_t i = 0; i < 3; i++)
		guest_go(&all, hold_and_want, (void *)i);
	CHECK(found_settles(before + 1));
	for (int i = 0; i < 5; i++)
		guest_go(&beside, want_first, NULL);
	CHECK(found_settles(before + 1));
	mutex_unlock(&ring.m[1]);
	guest_wait(&all);
	guest_wait(&beside);
	CHECK_EQ(deadlocks_found(), before + 1);
}

/* ---- no report without a cycle ---- */

enum { LOCKS = 8 };

static struct {
	struct mutex m[LOCKS];
	uint32_t rounds;
	uint64_t inside; /* guarded by m[LOCKS - 1] */
} order;

/* Takes some of the mutexes in order, lets go in any order. */
static void take_in_order(void *arg)
{
	uint64_t seed = (uintptr_t)arg + 77;
	for (uint32_t i = 0; i < order.rounds; i++) {
		uint32_t mask = guest_random(&seed) % (1 << LOCKS), from = guest_random(&seed) % LOCKS;
		for (uint32_t k = 0; k < LOCKS; k++)
			if (mask >> k & 1)
				mutex_lock(&order.m[k]);
		if (guest_random(&seed) % 4 == 0)
			go_yield();
		for (uint32_t k = 0; k < LOCKS; k++)
			if (mask >> ((k + from) % LOCKS) & 1)
				mutex_unlock(&order.m[(k + from) % LOCKS]);
	}
}

/* Takes two in any order, but waits with nothing held. */
static void take_and_try(void *arg)
{
	uint64_t seed = (uintptr_t)arg + 99;
	for (uint32_t i = 0; i < order.rounds; i++) {
		uint32_t a = guest_random(&seed) % LOCKS, b = guest_random(&seed) % LOCKS;
		mutex_lock(&order.m[a]);
		if (a != b && mutex_trylock(&order.m[b]))
			mutex_unlock(&order.m[b]);
		mutex_unlock(&order.m[a]);
	}
}

GUEST_TEST(deadlock, none, "mutexes taken in order are never reported, however contended")
{
	struct guest_group all = {0};
	uint32_t before = deadlocks_found();
	order.rounds = guest_count(1500, 50000);
	for (uintptr_t i = 0; i < 8; i++) {
		guest_go(&all, take_in_order, (void *)i);
		guest_go(&all, take_and_try, (void *)i);
	}
	guest_wait(&all);
	CHECK_EQ(deadlocks_found(), before);
}

static void lock_briefly(void *arg)
{
	struct mutex *m = arg;
	mutex_lock(m);
	mutex_unlock(m);
}

GUEST_TEST(deadlock, short_lived, "mutexes on stacks that are gone a moment later do not disturb the search")
{
	uint32_t before = deadlocks_found();
	for (uint32_t i = 0; i < guest_count(300, 10000); i++) {
		struct guest_group all = {0};
		struct mutex m = {0}, other = {0};
		mutex_lock(&m);
		for (int k = 0; k < 3; k++)
			guest_go(&all, lock_briefly, k == 0 ? &other : &m);
		go_yield();
		mutex_unlock(&m);
		guest_wait(&all);
		memset(&m, 0x5a, sizeof m);
	}
	CHECK_EQ(deadlocks_found(), before);
}

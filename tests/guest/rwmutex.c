/* Read-write mutexes. Names in brackets are those of Go's tests. */
#include "suite.h"

#include <stdatomic.h>

#include <hartbeat/chan.h>
#include <hartbeat/go.h>
#include <hartbeat/rwmutex.h>
#include <hartbeat/time.h>

enum { WRITER = 10000 };

static struct {
	struct rwmutex m;
	struct chan *locked, *unlock;
	uint32_t rounds;
	_Atomic int32_t activity; /* readers inside, and WRITER for each writer */
	uint64_t plain;           /* guarded by m */
} rw;

static void hold_reading(void *arg)
{
	(void)arg;
	rwmutex_rlock(&rw.m);
	chan_send(rw.locked, NULL);
	chan_recv(rw.unlock, NULL);
	rwmutex_runlock(&rw.m);
}

static void parallel(int readers)
{
	struct guest_group all = {0};
	rw.locked = chan_make(0, 0);
	rw.unlock = chan_make(0, 0);
	for (int i = 0; i < readers; i++)
		guest_go(&all, hold_reading, NULL);
	for (int i = 0; i < readers; i++)
		chan_recv(rw.locked, NULL);
	CHECK(!rwmutex_trylock(&rw.m));
	for (int i = 0; i < readers; i++)
		chan_send(rw.unlock, NULL);
	guest_wait(&all);
	CHECK(rwmutex_trylock(&rw.m));
	rwmutex_unlock(&rw.m);
	chan_free(rw.locked);
	chan_free(rw.unlock);
}

GUEST_TEST(sync, parallel_readers,
	   "readers are inside together (TestParallelReaders, TestParallelRWMutexReaders)")
{
	parallel(1);
	parallel(3);
	parallel(4);
	parallel(50);
}

static void reader(void *arg)
{
	(void)arg;
	for (uint32_t i = 0; i < rw.rounds; i++) {
		rwmutex_rlock(&rw.m);
		int32_t n = atomic_fetch_add(&rw.activity, 1) + 1;
		CHECK(n >= 1 && n < WRITER);
		uint64_t seen = rw.plain;
		if (i % 8 == 0)
			go_yield();
		CHECK_EQ(rw.plain, seen);
		atomic_fetch_sub(&rw.activity, 1);
		rwmutex_runlock(&rw.m);
	}
}

static void writer(void *arg)
{
	(void)arg;
	for (uint32_t i = 0; i < rw.rounds; i++) {
		rwmutex_lock(&rw.m);
		CHECK_EQ(atomic_fetch_add(&rw.activity, WRITER), 0);
		rw.plain++;
		if (i % 8 == 0)
			go_yield();
		atomic_fetch_sub(&rw.activity, WRITER);
		rwmutex_unlock(&rw.m);
	}
}

static void trier(void *arg)
{
	(void)arg;
	for (uint32_t i = 0; i < rw.rounds; i++) {
		if (rwmutex_try_rlock(&rw.m)) {
			CHECK(atomic_load(&rw.activity) < WRITER);
			rwmutex_runlock(&rw.m);
		}
		if (rwmutex_trylock(&rw.m)) {
			CHECK_EQ(atomic_load(&rw.activity), 0);
			rwmutex_unlock(&rw.m);
		}
		go_yield();
	}
}

static void hammer(int readers, uint32_t rounds)
{
	struct guest_group all = {0};
	rw.rounds = rounds;
	rw.plain = 0;
	guest_go(&all, writer, NULL);
	for (int i = 0; i < readers / 2; i++)
		guest_go(&all, reader, NULL);
	guest_go(&all, writer, NULL);
	guest_go(&all, trier, NULL);
	for (int i = readers / 2; i < readers; i++)
		guest_go(&all, reader, NULL);
	guest_wait(&all);
	CHECK_EQ(rw.plain, 2ull * rounds);
	CHECK_EQ(rw.m.readers, 0);
	CHECK_EQ(rw.m.departing, 0);
	CHECK_EQ(rw.m.w.word, 0);
}

GUEST_TEST(sync, rw_mutex,
	   "try-locks, and readers and writers at once: a writer is alone inside (TestRWMutex)")
{
	rwmutex_lock(&rw.m);
	CHECK(!rwmutex_trylock(&rw.m));
	CHECK(!rwmutex_try_rlock(&rw.m));
	rwmutex_unlock(&rw.m);
	CHECK(rwmutex_trylock(&rw.m));
	rwmutex_unlock(&rw.m);
	CHECK(rwmutex_try_rlock(&rw.m));
	CHECK(rwmutex_try_rlock(&rw.m));
	CHECK(!rwmutex_trylock(&rw.m));
	rwmutex_runlock(&rw.m);
	rwmutex_runlock(&rw.m);
	static const int readers[] = {1, 3, 10, 5, 40};
	for (size_t i = 0; i < sizeof readers / sizeof readers[0]; i++)
		hammer(readers[i], guest_count(300, 20000));
}

static struct {
	_Atomic uint32_t writing, reading;
} turn;

static void write_once(void *arg)
{
	(void)arg;
	rwmutex_lock(&rw.m);
	CHECK_EQ(atomic_load(&turn.reading), 0);
	atomic_store(&turn.writing, 1);
	rwmutex_unlock(&rw.m);
}

static void read_once(void *arg)
{
	(void)arg;
	rwmutex_rlock(&rw.m);
	CHECK_EQ(atomic_load(&turn.writing), 1);
	atomic_store(&turn.reading, 1);
	rwmutex_runlock(&rw.m);
}

GUEST_TEST(sync, r_locker,
	   "a writer waits for the readers inside; new readers wait for the writer (TestRLocker)")
{
	for (uint32_t i = 0; i < guest_count(30, 500); i++) {
		struct guest_group all = {0};
		atomic_store(&turn.writing, 0);
		atomic_store(&turn.reading, 0);
		rwmutex_rlock(&rw.m);
		rwmutex_rlock(&rw.m);
		guest_go(&all, write_once, NULL);
		while (__atomic_load_n(&rw.m.readers, __ATOMIC_SEQ_CST) >= 0)
			go_yield();
		CHECK(!rwmutex_try_rlock(&rw.m)); /* a writer waits */
		guest_go(&all, read_once, NULL);
		time_sleep(100 * TIME_MICROSECOND);
		CHECK_EQ(atomic_load(&turn.reading), 0);
		rwmutex_runlock(&rw.m);
		go_yield();
		CHECK_EQ(atomic_load(&turn.writing), 0);
		rwmutex_runlock(&rw.m);
		guest_wait(&all);
		CHECK_EQ(atomic_load(&turn.reading), 1);
	}
}

/*
 * sched/mutex, semaphore, rwmutex, cond, waitgroup on threads: what is written under a lock is seen under the next, and everybody gets on. The orders of
 * their atomics are what TSan looks at; goroutines are threads here (stub_sync).
 */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hartbeat/cond.h>
#include <hartbeat/go.h>
#include <hartbeat/panic.h>
#include <hartbeat/rwmutex.h>
#include <hartbeat/waitgroup.h>

#include "kernel/g.h"
#include "kernel/heap.h"
#include "sched/deadlock.h"
#include "tests/host/check.h"

enum { THREADS = 4, ROUNDS = 8000, GROUPS = 4000 };

__thread struct g *g_tls;
static struct g gs[THREADS];

/* The search for cycles has guest tests of its own. */
void deadlock_wait(const struct mutex *m)
{
	(void)m;
}

void deadlock_done(void)
{
}

void go_yield(void)
{
	sched_yield();
}

_Noreturn void panic(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

void go_panic(const char *fmt, ...)
{
	panic("%s", fmt);
}

/* What waitgroup_go() is made of: goroutines have guest tests. */
__thread struct defer *defer_list;

const char *go_panicking(void)
{
	return NULL;
}

void defer_leave(struct defer *d)
{
	d->fn(d->arg);
}

uint64_t go(void (*fn)(void *), void *arg)
{
	(void)fn;
	(void)arg;
	return 0;
}

void *heap_alloc(size_t size)
{
	return malloc(size);
}

void heap_free(void *p)
{
	free(p);
}

static struct {
	struct mutex m;
	struct rwmutex rw;
	struct semaphore s;
	struct cond c;
	uint64_t plain;
	uint32_t turn;
	struct waitgroup w[GROUPS];
	uint32_t done[GROUPS][THREADS / 2];
} sh;

struct start {
	void (*fn)(uint32_t);
	uint32_t self;
};

static void *thread(void *arg)
{
	struct start s = *(struct start *)arg;
	g_tls = &gs[s.self];
	s.fn(s.self);
	return NULL;
}

static void run_after(void (*begin)(void), void (*fn)(uint32_t))
{
	pthread_t t[THREADS];
	struct start s[THREADS];
	memset(&sh, 0, sizeof sh);
	sh.s.units = 1;
	if (begin != NULL)
		begin();
	for (uint32_t i = 0; i < THREADS; i++) {
		memset(&gs[i], 0, sizeof gs[i]);
		atomic_store(&gs[i].status, G_RUNNING);
		sem_init(&gs[i].wake, 0, 0);
		s[i] = (struct start){fn, i};
		pthread_create(&t[i], NULL, thread, &s[i]);
	}
	for (uint32_t i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
}

static void run(void (*fn)(uint32_t))
{
	run_after(NULL, fn);
}

static void with_mutex(uint32_t self)
{
	for (uint32_t i = 0; i < ROUNDS; i++) {
		if (i % 8 == self && mutex_trylock(&sh.m)) {
			sh.plain++;
			mutex_unlock(&sh.m);
			continue;
		}
		mutex_lock(&sh.m);
		sh.plain++;
		if (i % 64 == 0)
			sched_yield();
		mutex_unlock(&sh.m);
	}
}

TEST(a_mutex_excludes_and_orders)
{
	run(with_mutex);
	CHECK_EQ(sh.plain, THREADS * ROUNDS);
	CHECK_EQ(sh.m.word, 0);
}

/* Long holds: waiters starve and are handed the mutex. */
static void hold_long(uint32_t self)
{
	for (uint32_t i = 0; i < 60; i++) {
		mutex_lock(&sh.m);
		struct timespec t = {0, self % 2 == 0 ? 400000 : 1000};
		nanosleep(&t, NULL);
		sh.plain++;
		mutex_unlock(&sh.m);
	}
}

TEST(a_mutex_is_handed_over)
{
	run(hold_long);
	CHECK_EQ(sh.plain, THREADS * 60);
	CHECK_EQ(sh.m.word, 0);
}

static void with_semaphore(uint32_t self)
{
	(void)self;
	for (uint32_t i = 0; i < ROUNDS; i++) {
		semaphore_acquire(&sh.s, 1);
		sh.plain++;
		semaphore_release(&sh.s, 1);
	}
}

TEST(a_semaphore_excludes_and_orders)
{
	run(with_semaphore);
	CHECK_EQ(sh.plain, THREADS * ROUNDS);
	CHECK_EQ(sh.s.units, 1);
}

static void with_rwmutex(uint32_t self)
{
	uint64_t last = 0;
	for (uint32_t i = 0; i < ROUNDS; i++) {
		if ((i + self) % 4 == 0) {
			rwmutex_lock(&sh.rw);
			sh.plain++;
			rwmutex_unlock(&sh.rw);
		} else {
			rwmutex_rlock(&sh.rw);
			uint64_t seen = sh.plain;
			CHECK(seen >= last);
			last = seen;
			rwmutex_runlock(&sh.rw);
		}
	}
}

TEST(a_read_write_mutex_excludes_and_orders)
{
	run(with_rwmutex);
	CHECK_EQ(sh.plain, THREADS * ROUNDS / 4);
	CHECK_EQ(sh.rw.readers, 0);
}

static void by_turns(uint32_t self)
{
	for (uint32_t i = 0; i < ROUNDS / 8; i++) {
		mutex_lock(&sh.m);
		while (sh.turn != self)
			cond_wait(&sh.c, &sh.m);
		sh.plain++;
		sh.turn = (self + 1) % THREADS;
		cond_broadcast(&sh.c);
		mutex_unlock(&sh.m);
	}
}

TEST(a_condition_variable_wakes_all)
{
	run(by_turns);
	CHECK_EQ(sh.plain, THREADS * ROUNDS / 8);
}

/* The lower half works, the upper half waits. */
static void with_waitgroups(uint32_t self)
{
	for (uint32_t i = 0; i < GROUPS; i++) {
		if (self < THREADS / 2) {
			sh.done[i][self] = i + 1;
			waitgroup_done(&sh.w[i]);
			if (i % 64 == self)
				sched_yield();
			continue;
		}
		waitgroup_wait(&sh.w[i]);
		for (uint32_t k = 0; k < THREADS / 2; k++)
			CHECK_EQ(sh.done[i][k], i + 1);
	}
}

static void groups_begin(void)
{
	for (uint32_t i = 0; i < GROUPS; i++)
		waitgroup_add(&sh.w[i], THREADS / 2);
}

TEST(who_waited_for_a_group_sees_what_each_of_it_did)
{
	run_after(groups_begin, with_waitgroups);
	for (uint32_t i = 0; i < GROUPS; i++)
		CHECK_EQ(sh.w[i].state, 0);
}

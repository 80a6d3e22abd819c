/* Semaphores. Names in brackets are those of Go's tests. */
#include "suite.h"

#include <stdatomic.h>

#include <hartbeat/go.h>
#include <hartbeat/semaphore.h>
#include <hartbeat/time.h>

#include "arch/arch.h"
#include "kernel/hart.h"

static struct {
	struct semaphore s;
	uint32_t rounds;
	_Atomic uint32_t in_use, order, first, stop;
} sem;

/* Goroutines wait for s, or have been waiting. */
static void until_waiting(struct semaphore *s)
{
	while (__atomic_load_n(&s->waiters.first, __ATOMIC_SEQ_CST) == NULL)
		go_yield();
}

static void hammer(void *arg)
{
	(void)arg;
	for (uint32_t i = 0; i < sem.rounds; i++) {
		semaphore_acquire(&sem.s, 1);
		CHECK_EQ(atomic_fetch_add(&sem.in_use, 1), 0);
		if (i % 16 == 0)
			go_yield();
		atomic_fetch_sub(&sem.in_use, 1);
		semaphore_release(&sem.s, 1);
	}
}

GUEST_TEST(sync, semaphore, "ten goroutines with one unit: one at a time has it (TestSemaphore)")
{
	struct guest_group all = {0};
	sem.s = (struct semaphore)SEMAPHORE_INIT(1);
	sem.rounds = guest_count(1000, 50000);
	for (int i = 0; i < 10; i++)
		guest_go(&all, hammer, NULL);
	guest_wait(&all);
	CHECK_EQ(sem.s.units, 1);
}

static void weighted(void *arg)
{
	uint64_t seed = (uintptr_t)arg;
	for (uint32_t i = 0; i < sem.rounds; i++) {
		uint32_t n = guest_random(&seed) % 10 + 1;
		if (i % 4 == 0) {
			if (!semaphore_try_acquire(&sem.s, n))
				continue;
		} else {
			semaphore_acquire(&sem.s, n);
		}
		CHECK(atomic_fetch_add(&sem.in_use, n) + n <= 10);
		if (i % 8 == 0)
			go_yield();
		atomic_fetch_sub(&sem.in_use, n);
		semaphore_release(&sem.s, n);
	}
}

GUEST_TEST(sema, weighted, "never more units are out than there are, and none is lost")
{
	struct guest_group all = {0};
	sem.s = (struct semaphore)SEMAPHORE_INIT(10);
	sem.rounds = guest_count(500, 50000);
	for (uintptr_t i = 0; i < 8; i++)
		guest_go(&all, weighted, (void *)i);
	guest_wait(&all);
	CHECK_EQ(atomic_load(&sem.in_use), 0);
	CHECK_EQ(sem.s.units, 10);
}

static void small_again_and_again(void *arg)
{
	(void)arg;
	while (atomic_load(&sem.stop) == 0) {
		semaphore_acquire(&sem.s, 1);
		go_yield();
		semaphore_release(&sem.s, 1);
	}
}

GUEST_TEST(sema, large_request, "a large request is served although small ones keep coming")
{
	struct guest_group all = {0};
	sem.s = (struct semaphore)SEMAPHORE_INIT(5);
	atomic_store(&sem.stop, 0);
	for (int i = 0; i < 12; i++)
		guest_go(&all, small_again_and_again, NULL);
	for (int i = 0; i < 20; i++) {
		go_yield();
		semaphore_acquire(&sem.s, 5);
		CHECK(!semaphore_try_acquire(&sem.s, 1));
		semaphore_release(&sem.s, 5);
	}
	atomic_store(&sem.stop, 1);
	guest_wait(&all);
	CHECK_EQ(sem.s.units, 5);
}

static void wants(void *arg)
{
	semaphore_acquire(&sem.s, (uintptr_t)arg);
	CHECK_EQ(atomic_fetch_add(&sem.order, 1), 3 - (uintptr_t)arg);
	semaphore_release(&sem.s, (uintptr_t)arg);
}

GUEST_TEST(sema, order, "first come, first served; a small request does not overtake a large one")
{
	for (uint32_t i = 0; i < guest_count(50, 1000); i++) {
		struct guest_group all = {0};
		sem.s = (struct semaphore)SEMAPHORE_INIT(2);
		semaphore_acquire(&sem.s, 1);
		atomic_store(&sem.order, 1);
		guest_go(&all, wants, (void *)2ul);
		until_waiting(&sem.s);
		CHECK(!semaphore_try_acquire(&sem.s, 1)); /* one is free, and somebody is first */
		guest_go(&all, wants, (void *)1ul);
		while (sem.s.waiters.first == sem.s.waiters.last)
			go_yield();
		semaphore_release(&sem.s, 1);
		guest_wait(&all);
		CHECK_EQ(sem.s.units, 2);
	}
}

static void run_first(void *arg)
{
	(void)arg;
	uint32_t nobody = 0;
	semaphore_acquire(&sem.s, 1);
	atomic_compare_exchange_strong(&sem.first, &nobody, 1);
	atomic_store(&sem.stop, 1);
}

static void keep_busy(void *arg)
{
	(void)arg;
	while (atomic_load(&sem.stop) == 0)
		go_yield();
}

/* With as many other goroutines as harts about, so that none is idle and takes the waiter away. */
GUEST_TEST(sema, sema_handoff,
	   "a release with hand-over lets the waiter run first, nearly always (TestSemaHandoff, 1 and 2 by "
	   "SMP=)")
{
	uint32_t n = guest_count(300, 10000), direct = 0;
	for (uint32_t i = 0; i < n; i++) {
		struct guest_group all = {0};
		uint32_t nobody = 0;
		sem.s = (struct semaphore)SEMAPHORE_INIT(0);
		atomic_store(&sem.first, 0);
		atomic_store(&sem.stop, 0);
		for (unsigned k = 0; k < go_harts(); k++)
			guest_go(&all, keep_busy, NULL);
		guest_go(&all, run_first, NULL);
		until_waiting(&sem.s);
		semaphore_release_handoff(&sem.s, 1);
		atomic_compare_exchange_strong(&sem.first, &nobody, 2);
		guest_wait(&all);
		direct += atomic_load(&sem.first) == 1;
	}
	if (direct < n * 2 / 3)
		guest_fail(__FILE__, __LINE__, "direct: %u of %u", direct, n);
}

static void disturb(void *arg)
{
	(void)arg;
	while (atomic_load(&sem.stop) == 0) {
		for (uint32_t i = 0; i < hart_count; i++)
			arch_ipi_send(harts[i]);
		go_yield();
	}
}

GUEST_TEST(sema, spurious_wakeups,
	   "interrupts that mean nothing neither end a sleep nor keep it from ending "
	   "(TestSpuriousWakeupsNeverHangSemasleep)")
{
	struct guest_group all = {0};
	atomic_store(&sem.stop, 0);
	guest_go(&all, disturb, NULL);
	for (int i = 0; i < 5; i++) {
		uint64_t start = time_now();
		time_sleep(10 * TIME_MILLISECOND);
		uint64_t took = time_now() - start;
		CHECK(took >= 10 * TIME_MILLISECOND && took < 10 * TIME_SECOND);
	}
	atomic_store(&sem.stop, 1);
	guest_wait(&all);
}

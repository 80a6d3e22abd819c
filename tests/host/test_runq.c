/*
 * sched/runq: a goroutine that goes into a queue comes out exactly once, whoever takes it and however. Meant for ASan with
 * UBSan, and for TSan.
 */
#include "sched/impl.h"

#include <sched.h>
#include <string.h>

#include "tests/host/check.h"

enum { GS = 4096, STEALERS = 3, ROUNDS = 60 };

static struct g gs[GS];
static struct runq queues[1 + STEALERS];
static bool inherit;

static uint32_t take(struct g *g)
{
	if (g == NULL)
		return 0;
	/* What the goroutine's last runner wrote is here: checked by TSan. */
	g->next = NULL;
	atomic_fetch_add_explicit(&g->taken, 1, memory_order_relaxed);
	return 1;
}

static void reset(void)
{
	while (!globq_empty()) {
		memset(queues, 0, sizeof queues);
		globq_get(&queues[0], 1);
	}
	memset(queues, 0, sizeof queues);
	memset(gs, 0, sizeof gs);
}

static bool all_taken_once(uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (atomic_load(&gs[i].taken) != 1)
			return false;
	return true;
}

TEST(local_queue_is_first_in_first_out)
{
	struct runq *q = &queues[0];
	reset();
	CHECK(runq_empty(q));
	for (uint32_t round = 0; round < 5; round++) {
		for (uint32_t i = 0; i < RUNQ_SIZE; i++)
			runq_put_tail(q, &gs[i]);
		CHECK(!runq_empty(q) && globq_empty());
		for (uint32_t i = 0; i < RUNQ_SIZE - round; i++)
			CHECK(runq_get(q, &inherit) == &gs[i] && !inherit);
		while (runq_get(q, &inherit) != NULL)
			;
		CHECK(runq_empty(q));
	}
}

TEST(next_runs_first_and_is_pushed_out_by_another)
{
	struct runq *q = &queues[0];
	reset();
	runq_put_tail(q, &gs[0]);
	runq_put_next(q, &gs[1]);
	CHECK(runq_get(q, &inherit) == &gs[1] && inherit);
	runq_put_next(q, &gs[1]);
	runq_put_next(q, &gs[2]);
	CHECK(runq_get(q, &inherit) == &gs[2] && inherit);
	CHECK(runq_get(q, &inherit) == &gs[0] && !inherit);
	CHECK(runq_get(q, &inherit) == &gs[1] && !inherit);
	CHECK(runq_get(q, &inherit) == NULL);
}

TEST(full_queue_spills_its_older_half)
{
	struct runq *q = &queues[0];
	reset();
	for (uint32_t i = 0; i <= RUNQ_SIZE; i++)
		runq_put_tail(q, &gs[i]);
	CHECK(!globq_empty());
	CHECK(runq_get(q, &inherit) == &gs[RUNQ_SIZE / 2]);
	struct runq *other = &queues[1];
	CHECK(globq_get(other, 1) == &gs[0]);
	for (uint32_t i = 1; i < RUNQ_SIZE / 2; i++)
		CHECK(runq_get(other, &inherit) == &gs[i]);
	CHECK(runq_get(other, &inherit) == NULL);
	CHECK(globq_get(other, 1) == &gs[RUNQ_SIZE] && globq_empty());
}

TEST(a_hart_takes_its_share_of_the_global_queue)
{
	reset();
	for (uint32_t i = 0; i < 40; i++)
		globq_put(&gs[i]);
	CHECK(globq_get(&queues[0], 4) == &gs[0]); /* 40 / 4 + 1 = 11 */
	for (uint32_t i = 1; i < 11; i++)
		CHECK(runq_get(&queues[0], &inherit) == &gs[i]);
	CHECK(runq_get(&queues[0], &inherit) == NULL);
	CHECK(globq_get(&queues[1], 1) == &gs[11]);
}

/* A batch from the global queue never runs over a local queue that has little room left. */
TEST(a_batch_respects_a_queue_that_is_nearly_full)
{
	reset();
	for (uint32_t i = 0; i < RUNQ_SIZE - 3; i++)
		runq_put_tail(&queues[0], &gs[i]);
	for (uint32_t i = 0; i < 40; i++)
		globq_put(&gs[1000 + i]);
	CHECK(globq_get(&queues[0], 1) == &gs[1000]);
	for (uint32_t i = 0; i < RUNQ_SIZE - 3; i++)
		CHECK(runq_get(&queues[0], &inherit) == &gs[i]);
	for (uint32_t i = 1; i < 4; i++)
		CHECK(runq_get(&queues[0], &inherit) == &gs[1000 + i]);
	CHECK(runq_get(&queues[0], &inherit) == NULL);
}

TEST(a_thief_takes_half_and_next_only_as_a_last_resort)
{
	reset();
	for (uint32_t i = 0; i < 9; i++)
		runq_put_tail(&queues[0], &gs[i]);
	CHECK(runq_steal(&queues[1], &queues[0], false) == &gs[0]);
	for (uint32_t i = 1; i < 5; i++)
		CHECK(runq_get(&queues[1], &inherit) == &gs[i]);
	CHECK(runq_get(&queues[1], &inherit) == NULL);
	for (uint32_t i = 5; i < 9; i++)
		CHECK(runq_get(&queues[0], &inherit) == &gs[i]);
	CHECK(runq_steal(&queues[1], &queues[0], true) == NULL);
	runq_put_next(&queues[0], &gs[0]);
	CHECK(runq_steal(&queues[1], &queues[0], false) == NULL);
	CHECK(runq_steal(&queues[1], &queues[0], true) == &gs[0]);
	CHECK(runq_empty(&queues[0]));
}

static _Atomic uint32_t total;
static pthread_barrier_t start;

static void *stealer(void *arg)
{
	uint32_t self = (uint32_t)(uintptr_t)arg, mine = 0;
	struct runq *q = &queues[self];
	bool ignored;
	pthread_barrier_wait(&start);
	for (uint32_t k = 0; atomic_load_explicit(&total, memory_order_relaxed) < GS; k++) {
		/* from the owner, and from the other thieves */
		uint32_t n = take(
			runq_steal(q, &queues[k % 4 == 0 ? 1 + (self + k / 4) % STEALERS : 0], k % 7 == 0));
		if (n == 0 && k % 5 == 0)
			n = take(globq_get(q, STEALERS + 1));
		/* All of it, for a hart steals with an empty queue; slowly, so that others steal from this one. */
		for (struct g *g; (g = runq_get(q, &ignored)) != NULL; n += take(g))
			if (k % 2 == 0)
				sched_yield();
		if (n > 0)
			atomic_fetch_add_explicit(&total, n, memory_order_relaxed);
		else
			sched_yield();
		mine += n;
	}
	return (void *)(uintptr_t)mine;
}

TEST(owner_and_stealers_take_each_goroutine_once)
{
	uint32_t stolen = 0;
	pthread_barrier_init(&start, NULL, STEALERS + 1);
	for (uint32_t round = 0; round < ROUNDS; round++) {
		pthread_t threads[STEALERS];
		reset();
		atomic_store(&total, 0);
		for (uint32_t i = 0; i < STEALERS; i++)
			CHECK_EQ(pthread_create(&threads[i], NULL, stealer, (void *)(uintptr_t)(i + 1)), 0);
		pthread_barrier_wait(&start);
		for (uint32_t i = 0; i < GS; i++) {
			gs[i].next = &gs[i]; /* a write that its next runner must see */
			(i % 3 == round % 3 ? runq_put_next : runq_put_tail)(&queues[0], &gs[i]);
			if (i % 4 == 3 && round % 2 == 0)
				atomic_fetch_add_explicit(&total, take(runq_get(&queues[0], &inherit)),
							  memory_order_relaxed);
		}
		/* The others may be waiting for the last ones of this queue. */
		while (atomic_load_explicit(&total, memory_order_relaxed) < GS) {
			uint32_t n = take(runq_get(&queues[0], &inherit));
			if (n == 0)
				sched_yield();
			atomic_fetch_add_explicit(&total, n, memory_order_relaxed);
		}
		for (uint32_t i = 0; i < STEALERS; i++) {
			void *n;
			CHECK_EQ(pthread_join(threads[i], &n), 0);
			stolen += (uint32_t)(uintptr_t)n;
		}
		CHECK_EQ(atomic_load(&total), GS);
		CHECK(all_taken_once(GS));
		CHECK(globq_empty());
		for (uint32_t i = 0; i <= STEALERS; i++)
			CHECK(runq_empty(&queues[i]));
	}
	pthread_barrier_destroy(&start);
	CHECK(stolen > 0);
}

/*
 * kernel/timer_heap.c against a plain list, and kernel/ktimer.c: what is armed fires exactly once or was cancelled, whichever hart does
 * what, and a timer with a reserved place is never lost for want of memory. Meant for ASan with UBSan, and for TSan.
 */
#include "kernel/ktimer.h"
#include "kernel/device.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/hart.h"
#include "kernel/heap.h"
#include "kernel/lock.h"
#include "kernel/timer.h"
#include "kernel/timer_heap.h"
#include "tests/host/check.h"

/* No device ever interrupts. */
_Atomic bool devices_wanted;

void devices_run_sys(void)
{
}

enum { HARTS = 4, TIMERS = 500, ROUNDS = 20000 };

/* ---- a machine of threads ---- */

static struct hart hart[HARTS] = {{.index = 0}, {.index = 1}, {.index = 2}, {.index = 3}};
struct hart *harts[HART_MAX] = {&hart[0], &hart[1], &hart[2], &hart[3]};
uint32_t hart_count = HARTS;
static _Thread_local uint32_t me;
static _Atomic uint64_t ticks;
static _Atomic bool no_memory;
static _Atomic uint32_t kicks;

struct hart *arch_hart(void)
{
	return &hart[me];
}

uint64_t arch_ticks(void)
{
	return atomic_load(&ticks);
}

void arch_pause(void)
{
	sched_yield();
}

bool arch_irq_save(void)
{
	return true;
}

void arch_irq_restore(bool on)
{
	(void)on;
}

void arch_timer_arm(uint64_t deadline)
{
	(void)deadline;
}

void arch_ipi_send(struct hart *to)
{
	CHECK(atomic_load(&to->ipi) & IPI_TIMERS);
	atomic_fetch_add(&kicks, 1);
}

void timer_rearm_irq(struct hart *h)
{
	CHECK(h == &hart[me]);
}

void *heap_alloc(size_t size)
{
	return atomic_load(&no_memory) ? NULL : malloc(size);
}

void heap_free(void *p)
{
	free(p);
}

static uint32_t next_random(uint64_t *state)
{
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(*state >> 33);
}

/* ---- the heap alone ---- */

static bool heap_sound(const struct timer_heap *q)
{
	for (uint32_t i = 0; i < q->n; i++) {
		const struct timer_entry *e = &q->entries[i];
		if (e->timer->pos != i + 1 || e->timer->deadline != e->deadline)
			return false;
		if (i > 0 && q->entries[(i - 1) / 4].deadline > e->deadline)
			return false;
	}
	return true;
}

TEST(heap_agrees_with_a_list)
{
	static struct ktimer t[TIMERS];
	struct timer_entry entries[TIMERS];
	struct timer_heap q = {entries, 0, TIMERS};
	uint64_t seed = 1;
	for (int round = 0; round < ROUNDS; round++) {
		struct ktimer *x = &t[next_random(&seed) % TIMERS];
		uint64_t deadline = next_random(&seed) % 1000;
		switch (next_random(&seed) % 4) {
		case 0:
		case 1:
			x->deadline = deadline;
			if (x->pos == 0)
				timer_heap_insert(&q, x);
			else
				timer_heap_move(&q, x);
			break;
		case 2:
			if (x->pos != 0)
				timer_heap_remove(&q, x);
			break;
		case 3:
			if (q.n > 0)
				timer_heap_remove(&q, q.entries[0].timer);
			break;
		}
		uint64_t least = UINT64_MAX;
		uint32_t in = 0;
		for (int i = 0; i < TIMERS; i++) {
			in += t[i].pos != 0;
			if (t[i].pos != 0 && t[i].deadline < least)
				least = t[i].deadline;
		}
		if (in != q.n || (in > 0 && q.entries[0].deadline != least) || !heap_sound(&q)) {
			check_fail(__FILE__, __LINE__, "round %d: the heap is not what was put in", round);
			return;
		}
	}
}

/* ---- timers of one hart ---- */

static uint64_t last_fired;
static uint32_t n_fired;

static void in_order(struct ktimer *t)
{
	CHECK(t->deadline >= last_fired && t->deadline <= arch_ticks());
	last_fired = t->deadline;
	n_fired++;
}

static void run_until(uint64_t now)
{
	atomic_store(&ticks, now);
	timers_run_sys(&hart[me]);
}

TEST(due_timers_fire_in_order_and_only_they)
{
	static struct ktimer t[TIMERS];
	uint64_t seed = 2, start = arch_ticks();
	last_fired = n_fired = 0;
	for (int i = 0; i < TIMERS; i++) {
		t[i] = (struct ktimer){.fn = in_order};
		CHECK(ktimer_add(&t[i], start + next_random(&seed) % 1000));
	}
	CHECK_EQ(timers_armed(), TIMERS);
	CHECK(hart[0].timers_due < start + 1000);
	for (int i = 0; i < TIMERS; i += 3)
		CHECK(ktimer_cancel(&t[i]) && !ktimer_cancel(&t[i]));
	run_until(start + 499);
	for (int i = 0; i < TIMERS; i++)
		CHECK_EQ(t[i].pos != 0, i % 3 != 0 && t[i].deadline > start + 499);
	CHECK_EQ(hart[0].timers_due > start + 499, true);
	run_until(start + 1000);
	CHECK_EQ(n_fired, TIMERS - (TIMERS + 2) / 3);
	CHECK_EQ(timers_armed(), 0);
	CHECK(hart[0].timers_due == UINT64_MAX);
}

static void again(struct ktimer *t)
{
	n_fired++;
	CHECK(ktimer_add(t, 0));
}

TEST(a_timer_that_arms_itself_for_the_past_does_not_keep_the_pass)
{
	struct ktimer t = {.fn = again};
	n_fired = 0;
	CHECK(ktimer_add(&t, 0));
	run_until(arch_ticks() + 10);
	CHECK_EQ(n_fired, 1);
	CHECK(hart[0].timers_due == 0);
	CHECK(ktimer_cancel(&t));
	run_until(arch_ticks());
}

TEST(set_moves_in_place_or_to_this_hart)
{
	struct ktimer near = {.fn = in_order}, t = {.fn = in_order};
	uint64_t now = arch_ticks();
	CHECK(ktimer_reserve(&t));
	CHECK(!ktimer_set(&t, now + 100));
	CHECK(hart[0].timers_due == now + 100);
	CHECK(ktimer_set(&t, now + 50));
	CHECK(hart[0].timers_due == now + 50 && t.hart == 0);
	CHECK(ktimer_add(&near, now + 10));
	me = 1;
	/* later than that heap's head: it stays; earlier: it comes here, where the hardware timer is */
	CHECK(ktimer_set(&t, now + 70));
	CHECK_EQ(t.hart, 0);
	CHECK(ktimer_set(&t, now + 5));
	CHECK_EQ(t.hart, 1);
	CHECK(hart[1].timers_due == now + 5);
	last_fired = n_fired = 0;
	run_until(now + 7);
	CHECK_EQ(n_fired, 1);
	atomic_store(&ticks, now + 20);
	CHECK(timers_steal_sys(&hart[1]));
	CHECK(!timers_steal_sys(&hart[1]));
	CHECK_EQ(n_fired, 2);
	me = 0;
	CHECK(!ktimer_cancel_wait(&t));
	ktimer_unreserve(&t);
	CHECK_EQ(timers_armed(), 0);
	run_until(now + 100);
}

TEST(without_memory_an_add_says_so_and_a_reserved_timer_has_its_place)
{
	enum { MANY = 4096 };
	static struct ktimer guests[MANY], reserved[TIMERS], extra;
	uint64_t now = arch_ticks();
	me = 2;
	for (int i = 0; i < TIMERS; i++) {
		reserved[i] = (struct ktimer){.fn = in_order};
		CHECK(ktimer_reserve(&reserved[i]));
	}
	atomic_store(&no_memory, true);
	extra.fn = in_order;
	me = 3; /* whose heap has no array */
	CHECK(!ktimer_reserve(&extra) && extra.home == 0);
	CHECK(!ktimer_add(&extra, now + 1) && extra.pos == 0);
	for (int i = 0; i < TIMERS / 2; i++)
		CHECK(!ktimer_set(&reserved[i], now + 20 + (uint64_t)i));
	CHECK_EQ(reserved[0].hart, 2);
	CHECK_EQ(atomic_load(&kicks), 1);
	me = 2;
	int n = 0;
	for (; n < MANY; n++) {
		guests[n] = (struct ktimer){.fn = in_order};
		if (!ktimer_add(&guests[n], now + 10))
			break;
	}
	CHECK(n < MANY);
	for (int i = TIMERS / 2; i < TIMERS; i++)
		CHECK(!ktimer_set(&reserved[i], now + 30));
	CHECK_EQ(timers_armed(), TIMERS + n);
	last_fired = n_fired = 0;
	run_until(now + 1000);
	CHECK_EQ(n_fired, TIMERS + n);
	for (int i = 0; i < TIMERS; i++)
		ktimer_unreserve(&reserved[i]);
	atomic_store(&no_memory, false);
	me = 0;
}

/* ---- many harts ---- */

struct shot {
	struct ktimer timer;
	_Atomic uint32_t armed, fired; /* times */
	uint32_t cancelled, moved;     /* owner */
};

static struct shot shots[HARTS][32];
static _Atomic uint32_t working;

static void shoot(struct ktimer *t)
{
	sched_yield(); /* so that its owner gets on meanwhile */
	atomic_fetch_add(&((struct shot *)t->arg)->fired, 1);
}

/* Each timer belongs to one thread; the heaps are everybody's, for late ones are run by any hart. */
static void *work(void *arg)
{
	me = (uint32_t)(uintptr_t)arg;
	uint64_t seed = me + 1;
	for (int round = 0; round < ROUNDS; round++) {
		struct shot *s = &shots[me][next_random(&seed) % 32];
		uint64_t deadline = arch_ticks() + next_random(&seed) % 50;
		switch (next_random(&seed) % 8) {
		case 0:
			s->cancelled += ktimer_cancel(&s->timer);
			break;
		case 1: /* freed and made again */
			s->cancelled += ktimer_cancel_wait(&s->timer);
			ktimer_unreserve(&s->timer);
			memset(&s->timer, 0, sizeof s->timer);
			s->timer = (struct ktimer){.fn = shoot, .arg = s};
			if (!ktimer_reserve(&s->timer))
				check_fail(__FILE__, __LINE__, "memory");
			break;
		case 2:
			atomic_fetch_add(&ticks, 1);
			timers_run_sys(&hart[me]);
			break;
		case 3:
			timers_steal_sys(&hart[me]);
			break;
		default:
			atomic_fetch_add(&s->armed, 1);
			s->moved += ktimer_set(&s->timer, deadline);
		}
	}
	atomic_fetch_sub(&working, 1);
	return NULL;
}

TEST(many_harts_each_arming_ends_once)
{
	pthread_t threads[HARTS];
	uint32_t armed = 0, fired = 0, cancelled = 0, moved = 0;
	for (int h = 0; h < HARTS; h++) {
		for (int i = 0; i < 32; i++) {
			shots[h][i].timer = (struct ktimer){.fn = shoot, .arg = &shots[h][i]};
			CHECK(ktimer_reserve(&shots[h][i].timer));
		}
	}
	atomic_store(&working, HARTS);
	for (int h = 0; h < HARTS; h++)
		pthread_create(&threads[h], NULL, work, (void *)(uintptr_t)h);
	for (int h = 0; h < HARTS; h++)
		pthread_join(threads[h], NULL);
	for (int h = 0; h < HARTS; h++) {
		for (int i = 0; i < 32; i++) {
			struct shot *s = &shots[h][i];
			s->cancelled += ktimer_cancel_wait(&s->timer);
			ktimer_unreserve(&s->timer);
			armed += atomic_load(&s->armed);
			fired += atomic_load(&s->fired);
			cancelled += s->cancelled;
			moved += s->moved;
			CHECK_EQ(atomic_load(&s->armed), atomic_load(&s->fired) + s->cancelled + s->moved);
		}
	}
	CHECK_EQ(timers_armed(), 0);
	CHECK(fired > 0 && cancelled > 0 && moved > 0);
	CHECK_EQ(armed, fired + cancelled + moved);
}

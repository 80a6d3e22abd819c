/* Goroutine stacks: slots and guards, pages on first touch by whoever touches them, contents over depth. */
#include "suite.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include <hartbeat/chan.h>
#include <hartbeat/go.h>

#include "arch/arch.h"
#include "kernel/g.h"
#include "kernel/limits.h"
#include "kernel/stack.h"
#include "sched/shrink.h"

static void stack_look(void *arg)
{
	(void)arg;
	const struct g *g = g_self();
	uintptr_t sp = arch_sp(), slot = g->stack_lo - STACK_GUARD;
	CHECK(sp > g->stack_lo && sp < g->stack_hi);
	CHECK(slot >= ARCH_STACK_BASE);
	CHECK_EQ(g->stack_hi - slot, stack_slot_size(g->stack_class));
	CHECK(g->stack_hi <= ARCH_STACK_BASE + ARCH_STACK_SIZE);
	for (uintptr_t a = slot; a < g->stack_lo; a += PAGE_SIZE)
		CHECK_EQ(arch_mmu_lookup(a), 0);
	CHECK(arch_mmu_lookup(sp) != 0);
}

GUEST_TEST(stack, guard, "a stack lies in a slot of its own, above a guard gap that is never mapped")
{
	struct guest_group all = {0};
	stack_look(NULL);
	for (int i = 0; i < 200; i++)
		guest_go(&all, stack_look, NULL);
	guest_wait(&all);
}

enum { LEVEL_WORDS = 256 };

/* Fills a frame, goes deeper, and finds the frame as it was. */
__attribute__((noinline)) static uint64_t deep(uint64_t seed, int level)
{
	volatile uint64_t frame[LEVEL_WORDS];
	uint64_t below = 0, sum = 0;
	for (uint64_t i = 0; i < LEVEL_WORDS; i++)
		frame[i] = seed * 0x9e3779b97f4a7c15u + (uint64_t)level * 1000003 + i;
	if (level > 0)
		below = deep(seed, level - 1);
	for (uint64_t i = 0; i < LEVEL_WORDS; i++)
		sum += frame[i] != seed * 0x9e3779b97f4a7c15u + (uint64_t)level * 1000003 + i;
	return below + sum;
}

static void deep_run(void *arg)
{
	CHECK_EQ(deep((uintptr_t)arg, 54), 0);
}

GUEST_TEST(stack, deep, "frames keep their contents on stacks of 115 KiB, on all harts at once")
{
	struct guest_group all = {0};
	for (uintptr_t i = 0; i < guest_count(40, 400); i++)
		guest_go(&all, deep_run, (void *)i);
	guest_wait(&all);
}

/* Grows by pages that were not there; returns how many were committed meanwhile. */
__attribute__((noinline)) static void touch(int level)
{
	volatile unsigned char frame[16 << 10];
	for (size_t i = 0; i < sizeof frame; i += 512)
		frame[i] = (unsigned char)level;
	if (level > 0)
		touch(level - 1);
	CHECK(frame[512] == (unsigned char)level);
}

static void touch_run(void *arg)
{
	const struct g *g = g_self();
	size_t absent = 0, before = stack_commits();
	for (uintptr_t a = g->stack_lo; a < g->stack_hi; a += PAGE_SIZE)
		absent += arch_mmu_lookup(a) == 0;
	touch(5);
	size_t left = 0;
	for (uintptr_t a = g->stack_lo; a < g->stack_hi; a += PAGE_SIZE)
		left += arch_mmu_lookup(a) == 0;
	/* 96 KiB of frames: all pages above the lowest 32 KiB are there */
	CHECK(left <= 8);
	CHECK(stack_commits() >= before + (absent - left));
	chan_recv(arg, NULL);
}

GUEST_TEST(stack, pages, "a page is committed when it is touched, and counted once")
{
	struct guest_group all = {0};
	struct chan *c = chan_make(0, 0);
	for (int i = 0; i < 20; i++)
		guest_go(&all, touch_run, c);
	for (int i = 0; i < 20; i++)
		chan_send(c, NULL);
	guest_wait(&all);
	chan_free(c);
}

/* ---- sizes ---- */

struct sized {
	size_t at_least;
	_Atomic uint32_t done;
};

/* Uses all of the stack but a little. */
__attribute__((noinline)) static size_t descend(uintptr_t until)
{
	volatile unsigned char frame[4000];
	frame[0] = 1;
	return (arch_sp() > until ? descend(until) : 0) + frame[0];
}

static void sized_run(void *arg)
{
	struct sized *s = arg;
	const struct g *g = g_self();
	size_t size = g->stack_hi - g->stack_lo;
	CHECK(size >= s->at_least);
	CHECK(size <= 16 * s->at_least || size <= 128 << 10);
	CHECK(descend(g->stack_lo + (16 << 10)) >= (size - (20 << 10)) / 8192);
	atomic_fetch_add(&s->done, 1);
}

GUEST_TEST(stack, sizes, "a goroutine has at least the stack it was started with, and can use it")
{
	static const size_t sizes[] = {0,         1,       4096,    128 << 10, (128 << 10) + 1,
				       960 << 10, 2 << 20, 8 << 20, 60 << 20};
	for (uint32_t round = 0; round < 3; round++) {
		for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
			struct sized s = {.at_least = sizes[i]};
			struct go_options o = {.name = "sized", .stack_size = sizes[i]};
			CHECK(go_with(sized_run, &s, &o) != 0);
			while (atomic_load(&s.done) == 0)
				go_yield();
		}
	}
	shrink_pass(true); /* 60 MiB, which the tests behind this one would find the shrinker at */
}

GUEST_TEST(stack, bad_sizes, "a stack size that there is not: 0, errno EINVAL, nothing started")
{
	static const size_t sizes[] = {64 << 20, (size_t)1 << 32, SIZE_MAX / 2, SIZE_MAX - 65535, SIZE_MAX};
	uint32_t before = go_count();
	size_t pages = stack_commits();
	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		errno = 0;
		CHECK_EQ(go_with(sized_run, NULL, &(struct go_options){.stack_size = sizes[i]}), 0);
		CHECK_EQ(errno, EINVAL);
	}
	CHECK_EQ(go_count(), before);
	CHECK(stack_commits() <= pages + 16); /* other goroutines' */
}

static void wait_closed(void *arg)
{
	chan_recv(arg, NULL);
}

GUEST_TEST(stack, no_slots,
	   "when there is no stack of a size any more go says so, and gives them again later")
{
	struct chan *c = chan_make(0, 0);
	struct go_options o = {.stack_size = 60 << 20};
	uint32_t before = go_count(), n[2];
	for (int round = 0; round < 2; round++) {
		n[round] = 0;
		errno = 0;
		while (go_with(wait_closed, c, &o) != 0)
			n[round]++;
		CHECK_EQ(errno, ENOMEM);
		CHECK_EQ(go_count(), before + n[round]);
		chan_close(c);
		CHECK(guest_count_settles(before));
		chan_free(c);
		c = chan_make(0, 0);
	}
	chan_free(c);
	CHECK(n[0] >= 40);
	CHECK(n[1] + 1 >= n[0]); /* the shrinker may have one of them */
}

/* ---- pointers into another goroutine's stack ---- */

enum { RESULTS = 8 << 10, FILLERS = 16 }; /* 32 KiB of int, twice */

struct fill {
	int *results;
	unsigned first, step;
};

static void fill_results(void *arg)
{
	const struct fill *f = arg;
	for (unsigned i = f->first; i < RESULTS; i += f->step)
		f->results[i] = (int)(i * 2654435761u);
}

__attribute__((noinline)) static void results_at(int level)
{
	int results[RESULTS];
	if (level > 0) {
		results_at(level - 1);
	}
	struct guest_group all = {0};
	struct fill f[FILLERS];
	for (unsigned i = 0; i < FILLERS; i++) {
		f[i] = (struct fill){results, i, FILLERS};
		guest_go(&all, fill_results, &f[i]);
	}
	guest_wait(&all);
	for (unsigned i = 0; i < RESULTS; i++)
		CHECK(results[i] == (int)(i * 2654435761u));
}

GUEST_TEST(stack, results,
	   "workers fill an untouched array on another goroutine's stack (int results[1000] in main)")
{
	results_at(3);
}

/* All racers write to the same fresh page at the same moment, each to its own place. */
static struct {
	unsigned char *_Atomic page;
	_Atomic uint32_t ready, go, done;
	uint32_t n;
} race;

static void race_write(unsigned char *page, uintptr_t me)
{
	((volatile uint64_t *)page)[me] = me + 1;
	((volatile uint64_t *)page)[me + 256] = ~(uint64_t)me;
}

static void racer(void *arg)
{
	for (uint32_t round = 1;; round++) {
		atomic_fetch_add(&race.ready, 1);
		while (atomic_load(&race.go) != round)
			if (go_harts() == 1)
				go_yield();
		unsigned char *page = atomic_load(&race.page);
		if (page == NULL)
			return;
		race_write(page, (uintptr_t)arg);
		atomic_fetch_add(&race.done, 1);
	}
}

static void race_start(unsigned char *page, uint32_t round)
{
	while (atomic_load(&race.ready) != race.n)
		go_yield();
	atomic_store(&race.ready, 0);
	atomic_store(&race.done, 0);
	atomic_store(&race.page, page);
	atomic_store(&race.go, round);
}

GUEST_TEST(stack, fresh_page_race,
	   "a fresh stack page that all harts write to at once is one page (Fresh pages)")
{
	struct guest_group racers = {0};
	uint32_t round = 0;
	race.n = go_harts() > 1 ? go_harts() - 1 : 1; /* and this goroutine on the hart that is left */
	atomic_store(&race.ready, 0);
	atomic_store(&race.go, 0);
	for (uintptr_t i = 0; i < race.n; i++)
		guest_go(&racers, racer, (void *)i);
	for (uint32_t i = 0; i < guest_count(1, 50); i++) {
		uintptr_t lo, hi;
		guest_fresh_stack(&lo, &hi);
		for (uintptr_t a = lo; a < hi; a += PAGE_SIZE) {
			size_t before = stack_commits();
			CHECK_EQ(arch_mmu_lookup(a), 0);
			race_start((unsigned char *)a, ++round);
			race_write((unsigned char *)a, race.n);
			while (atomic_load(&race.done) != race.n)
				go_yield();
			CHECK(stack_commits() > before);
			for (uint64_t r = 0; r <= race.n; r++) {
				CHECK_EQ(((volatile uint64_t *)a)[r], r + 1);
				CHECK_EQ(((volatile uint64_t *)a)[r + 256], ~r);
			}
		}
	}
	race_start(NULL, ++round);
	guest_wait(&racers);
}

/*
 * sched/g.c and area.c: descriptors of goroutines with the slots of their stacks, and save areas, through every place they are kept in:
 * each has one user at a time, none is lost, and what cannot be had leaves nothing behind. Meant for ASan.
 */
#include <hartbeat/go.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/heap.h"
#include "kernel/page.h"
#include "kernel/stack.h"
#include "kernel/tls.h"
#include "sched/impl.h"
#include "sched/latency.h"
#include "sched/shrink.h"
#include "tests/host/check.h"

enum { HARTS = 2, MANY = 500, ROOM = 2000, SLOT = 192 << 10, TLS = 64, FRAME = 200, FPU = 300 };

/* ---- what they stand on ---- */

static struct sched_hart sched_harts[HARTS];
static struct hart hart[HARTS] = {{.index = 0, .sched = &sched_harts[0]},
				  {.index = 1, .sched = &sched_harts[1]}};
_Atomic uint64_t barrier_passed;
struct hart *harts[HART_MAX] = {&hart[0], &hart[1]};
uint32_t hart_count = HARTS;
static unsigned here; /* the hart that this thread is */
static struct g main_g = {.id = 1};
_Thread_local struct g *g_tls = &main_g;
_Atomic uint64_t idle_mask;
_Atomic bool stack_grew;

static bool no_heap, no_slots, no_page, short_of_pages;
static size_t blocks; /* of the heap, in use */
static uint32_t slots[STACK_CLASSES], committed, woken;
static struct g *started[ROOM]; /* by start() */
static uint32_t n_started;

struct hart *arch_hart(void)
{
	return &hart[here];
}

uint64_t arch_ticks(void)
{
	static uint64_t t;
	return ++t;
}

size_t arch_frame_size(void)
{
	return FRAME;
}

size_t arch_fpu_size(void)
{
	return FPU;
}

void *heap_aligned(size_t align, size_t size)
{
	void *p = no_heap ? NULL : aligned_alloc(align, (size + align - 1) & ~(align - 1));
	blocks += p != NULL;
	return p;
}

void heap_free(void *p)
{
	blocks -= p != NULL;
	free(p);
}

int stack_class(size_t size)
{
	return size <= SLOT - STACK_GUARD ? STACK_DEFAULT : size <= (8 << 20) - STACK_GUARD ? STACK_MAIN : -1;
}

size_t stack_slot_size(unsigned class)
{
	return class == STACK_DEFAULT ? SLOT : 8 << 20;
}

uint32_t stack_slots(unsigned class, uint32_t n, uintptr_t *lo)
{
	if (no_slots)
		return 0;
	*lo = ARCH_STACK_BASE + ((uint64_t) class << 32) + slots[class] * stack_slot_size(class) +
	      STACK_GUARD;
	slots[class] += n;
	return n;
}

bool stack_commit(uintptr_t hi)
{
	(void)hi;
	committed += !no_page;
	return !no_page;
}

bool page_short(void)
{
	return short_of_pages;
}

size_t tls_size(void)
{
	return TLS;
}

uintptr_t tls_make(void *block, struct g *g)
{
	(void)g;
	return (uintptr_t)block;
}

void tls_reset(uintptr_t tp, struct g *g)
{
	(void)g;
	memset((void *)tp, 0, TLS);
}

void shrink_wake(bool hurry)
{
	woken += hurry;
}

void wake_idle(void)
{
}

unsigned go_harts(void)
{
	return HARTS;
}

void pin_put(struct g *g)
{
	atomic_store(&arch_hart()->sched->q.next, g);
}

void runq_put_tail(struct runq *q, struct g *g)
{
	(void)q;
	(void)g;
}

const uintptr_t wait_no_pcs[1];

void latency_follow_eight(struct g *g)
{
	(void)g;
}

void labels_set(struct labels *s)
{
	(void)s;
}

/* ---- the tests ---- */

static void nothing(void *arg)
{
	(void)arg;
}

/* Starts one on this hart, and takes it from the queue; NULL when there is none. */
static struct g *start(size_t stack_size)
{
	struct go_options options = {.stack_size = stack_size};
	uint64_t id = go_with(nothing, NULL, &options);
	if (id == 0)
		return NULL;
	struct g *g = atomic_exchange(&arch_hart()->sched->q.next, NULL);
	CHECK(g != NULL && g->id == id && g->status == G_RUNNABLE && !g->bare);
	started[n_started++] = g;
	return g;
}

static void end(struct g *g)
{
	memset((void *)g->tls, 0x5a, TLS); /* it used what it had */
	g->ctx.sp = 0;
	g_free(g, arch_hart());
}

static uint32_t descriptors(void)
{
	uint32_t n = 0;
	for (struct g *g = g_all(); g != NULL; g = g->all_next)
		n++;
	return n;
}

/* n that live at once, each another one, with a stack and an id of its own. */
static void start_many(uint32_t n)
{
	static uint64_t last_id;
	n_started = 0;
	for (uint32_t i = 0; i < n; i++)
		CHECK(start(0) != NULL);
	for (uint32_t i = 0; i < n; i++) {
		CHECK(started[i]->stack_hi - started[i]->stack_lo == SLOT - STACK_GUARD);
		for (uint32_t k = 0; k < i; k++)
			CHECK(started[k] != started[i] && started[k]->stack_lo != started[i]->stack_lo &&
			      started[k]->id != started[i]->id);
	}
	for (uint32_t i = 0; i < n; i++)
		if (started[i]->id > last_id)
			last_id = started[i]->id;
}

TEST(ended_ones_are_used_again)
{
	start_many(MANY);
	uint32_t most = descriptors();
	uint64_t ids = started[MANY - 1]->id;
	for (int round = 0; round < 5; round++) {
		for (uint32_t i = 0; i < MANY; i++)
			end(started[(i * 7) % MANY]);
		CHECK_EQ(go_count(), 0);
		start_many(MANY);
		CHECK_EQ(go_count(), MANY);
		CHECK_EQ(descriptors(), most);
		CHECK(started[0]->id > ids); /* no id twice */
		ids = started[MANY - 1]->id;
	}
	for (uint32_t i = 0; i < MANY; i++)
		end(started[i]);
	CHECK_EQ(main_g.preempt_off, 0);
}

TEST(what_one_hart_starts_and_another_ends_comes_back)
{
	here = 0;
	start_many(MANY);
	for (uint32_t i = 0; i < MANY; i++)
		end(started[i]);
	uint32_t most = descriptors();
	for (int round = 0; round < 20; round++) {
		here = 0;
		start_many(MANY - 100);
		here = 1;
		for (uint32_t i = 0; i < MANY - 100; i++)
			end(started[i]);
	}
	here = 0;
	/* what the other hart keeps is two magazines of 32 */
	CHECK(descriptors() <= most + 64);
}

TEST(memory_that_is_out_leaves_nothing_behind)
{
	here = 0;
	/* until every place for ended ones is empty */
	n_started = 0;
	no_slots = true;
	while (n_started < ROOM && start(0) != NULL)
		;
	uint32_t had = n_started, all = descriptors();
	size_t before = blocks;
	CHECK_EQ(errno, ENOMEM);
	CHECK(woken > 0);
	CHECK(start(0) == NULL && start(1 << 20) == NULL);
	no_slots = false;
	no_heap = true;
	CHECK(start(0) == NULL && start(1 << 20) == NULL);
	no_heap = false;
	CHECK_EQ(blocks, before);
	CHECK_EQ(descriptors(), all);
	CHECK_EQ(main_g.preempt_off, 0);
	/* a slot, but no page for it: the next one has it */
	no_page = true;
	CHECK(start(0) == NULL);
	CHECK_EQ(errno, ENOMEM);
	all = descriptors();
	for (int i = 0; i < 200; i++)
		CHECK(start(0) == NULL);
	CHECK_EQ(descriptors(), all);
	no_page = false;
	n_started = had;
	CHECK(start(0) != NULL);
	CHECK_EQ(descriptors(), all);
	/* when memory is short, they are made one at a time, and not a block of them */
	no_slots = true;
	while (n_started < ROOM && start(0) != NULL)
		;
	no_slots = false;
	short_of_pages = true;
	all = descriptors();
	CHECK(start(0) != NULL && start(0) != NULL);
	CHECK_EQ(descriptors(), all + 2);
	short_of_pages = false;
	for (uint32_t i = 0; i < n_started; i++)
		end(started[i]);
	CHECK_EQ(go_count(), 0);
	CHECK(go_with(nothing, NULL, &(struct go_options){.stack_size = SIZE_MAX}) == 0);
	CHECK_EQ(errno, EINVAL);
}

TEST(the_shrinker_takes_magazines_that_nobody_used)
{
	bool later;
	here = 0;
	start_many(MANY);
	for (uint32_t i = 0; i < MANY; i++)
		end(started[i]);
	(void)g_dead_idle(false, &later);
	uint32_t idle = g_dead_idle(false, &later), taken = 0, all = descriptors();
	CHECK(idle >= (MANY - 64) / 32 - 1);
	struct g *lists[MANY / 32 + 2];
	for (uint32_t i = 0; i < idle && (lists[i] = g_dead_take()) != NULL; i++, taken++) {
		uint32_t n = 0;
		for (struct g *g = lists[i]; g != NULL; g = g->next, n++) {
			CHECK_EQ(g->status, G_DEAD);
			g->bare = true;
		}
		CHECK_EQ(n, 32);
	}
	CHECK_EQ(taken, idle);
	for (uint32_t i = 0; i < taken; i++)
		g_dead_put_bare(lists[i]);
	/* their stacks get a page again, and no new ones are made */
	uint32_t pages = committed;
	start_many(MANY - 32);
	CHECK(committed >= pages + (taken - 1) * 32);
	CHECK_EQ(descriptors(), all);
	for (uint32_t i = 0; i < MANY - 32; i++)
		end(started[i]);
}

TEST(big_stacks_are_for_those_that_asked)
{
	here = 0;
	n_started = 0;
	struct g *big = start(1 << 20), *small = start(0);
	CHECK(big->stack_hi - big->stack_lo >= 1 << 20);
	end(big);
	end(small);
	CHECK(start(0) != big);
	CHECK(start(1 << 20) == big);
	end(big);
	CHECK(g_big_take(STACK_MAIN) == big);
	CHECK(g_big_take(STACK_MAIN) == NULL);
	big->bare = true;
	g_big_put(big);
	CHECK(g_big_take(STACK_MAIN) == NULL); /* it has nothing to give */
	CHECK(start(1 << 20) == big);
	end(big);
	end(started[2]);
	CHECK_EQ(go_count(), 0);
}

TEST(save_areas_keep_the_frame_and_few_are_kept)
{
	enum { N = 40 };
	unsigned char *areas[N];
	struct hart *h = &hart[0];
	size_t before = blocks;
	for (int i = 0; i < N; i++) {
		area_refill_sys(h);
		areas[i] = h->spare_area;
		h->spare_area = NULL;
		CHECK(areas[i] != NULL && (uintptr_t)area_fpu(areas[i]) % 64 == 0);
		memset(areas[i], i, FRAME);
		memset(area_fpu(areas[i]), i, FPU);
		for (int k = 0; k < i; k++)
			CHECK(areas[k] != areas[i]);
	}
	CHECK_EQ(blocks, before + N);
	for (int i = 0; i < N; i++) {
		area_put(h, areas[i]);
		for (int k = 0; k < FRAME; k++)
			CHECK_EQ(areas[i][k], i); /* it is resumed from there after this */
	}
	area_trim_sys(h);
	CHECK_EQ(h->sched->n_areas, AREAS_KEPT);
	CHECK_EQ(blocks, before + AREAS_KEPT + 1);
	/* those that are kept are used first */
	for (int i = 0; i < AREAS_KEPT; i++) {
		heap_free(h->spare_area);
		area_refill_sys(h);
	}
	CHECK_EQ(blocks, before + 1);
	heap_free(h->spare_area);
	no_heap = true;
	h->unsaved_since = 1; /* until there is one again */
	area_refill_sys(h);
	CHECK(h->spare_area == NULL);
	CHECK_EQ(h->unsaved_since, 1);
	no_heap = false;
	area_refill_sys(h);
	CHECK(h->spare_area != NULL);
	CHECK_EQ(h->unsaved_since, 0);
	heap_free(h->spare_area);
	h->spare_area = NULL;
}

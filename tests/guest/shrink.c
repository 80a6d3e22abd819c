/* The shrinker: what it takes, what it must leave, and that nobody reaches a page that was taken. Names of Go's tests where there are such. */
#include "suite.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <hartbeat/chan.h>
#include <hartbeat/go.h>
#include <hartbeat/time.h>

#include "arch/arch.h"
#include "kernel/g.h"
#include "kernel/hart.h"
#include "kernel/limits.h"
#include "kernel/lock.h"
#include "kernel/stack.h"
#include "sched/shrink.h"

/* Pages of g's stack. */
static uint32_t pages_of(const struct g *g)
{
	uint32_t n = 0;
	for (uintptr_t a = g->stack_lo; a < g->stack_hi; a += PAGE_SIZE)
		n += arch_mmu_lookup(a) != 0;
	return n;
}

enum { WORDS = 200 };

/* Fills a frame, goes deeper, and finds the frame as it was: returns how many words were not. */
__attribute__((noinline)) static uint64_t deep(uint64_t seed, uint32_t level)
{
	volatile uint64_t frame[WORDS];
	uint64_t wrong = 0;
	for (uint64_t i = 0; i < WORDS; i++)
		frame[i] = seed + level * 1000003 + i;
	if (level > 0)
		wrong = deep(seed, level - 1);
	for (uint64_t i = 0; i < WORDS; i++)
		wrong += frame[i] != seed + level * 1000003 + i;
	return wrong;
}

/* ---- what a pass takes ---- */

struct parked {
	struct chan *c;
	struct g *_Atomic g;
	uint32_t level; /* at which it waits */
	uint32_t pages; /* before the pass */
};

__attribute__((noinline)) static void wait_at(struct parked *p, uint32_t level)
{
	volatile uint64_t frame[WORDS];
	for (uint64_t i = 0; i < WORDS; i++)
		frame[i] = level + i;
	if (level > 0) {
		wait_at(p, level - 1);
	} else {
		atomic_store(&p->g, g_self());
		chan_recv(p->c, NULL);
	}
	for (uint64_t i = 0; i < WORDS; i++)
		CHECK(frame[i] == level + i);
}

static void parked_run(void *arg)
{
	struct parked *p = arg;
	CHECK_EQ(deep(go_id(), 60), 0); /* 100 KiB */
	wait_at(p, p->level);
	CHECK_EQ(deep(go_id(), 60), 0);
}

GUEST_TEST(shrink, parked, "a pass takes the pages below a waiting goroutine's stack pointer, and no other")
{
	enum { N = 20 };
	struct guest_group all = {0};
	struct parked p[N] = {0};
	struct chan *c = chan_make(0, 0);
	struct shrink_stats before, after;
	for (uint32_t i = 0; i < N; i++) {
		p[i] = (struct parked){.c = c, .level = i};
		guest_go(&all, parked_run, &p[i]);
	}
	for (uint32_t i = 0; i < N; i++) {
		struct g *g;
		while ((g = atomic_load(&p[i].g)) == NULL || atomic_load(&g->status) != G_WAITING)
			go_yield();
		p[i].pages = pages_of(g);
		CHECK(p[i].pages >= 20 || shrink_always);
	}
	shrink_stats(&before);
	shrink_pass(true);
	shrink_stats(&after);
	CHECK(after.passes > before.passes);
	CHECK(after.parked_pages - before.parked_pages >= N * 8 || shrink_always);
	for (uint32_t i = 0; i < N; i++) {
		const struct g *g = atomic_load(&p[i].g);
		uint32_t used = (uint32_t)((g->stack_hi - g->ctx.sp) / PAGE_SIZE) + 1;
		CHECK(pages_of(g) >= used);
		CHECK(pages_of(g) <= used + 1);
	}
	for (uint32_t i = 0; i < N; i++)
		chan_send(c, NULL);
	guest_wait(&all);
	chan_free(c);
}

/* ---- Go's: a goroutine is shrunk while others send to it, and its variables stay what they are ---- */

struct sending {
	struct chan *c;
	_Atomic bool stop;
	_Atomic uint32_t wrong, left;
};

__attribute__((noinline)) static void sender_deep(struct sending *s, uint32_t level)
{
	volatile uint64_t frame[WORDS];
	for (uint64_t i = 0; i < WORDS; i++)
		frame[i] = level * 7 + i;
	if (level > 0) {
		sender_deep(s, level - 1);
	} else {
		uint64_t v = go_id();
		chan_send(s->c, &v); /* v lies on this stack, and waits for its receiver there */
	}
	for (uint64_t i = 0; i < WORDS; i++)
		if (frame[i] != level * 7 + i)
			atomic_fetch_add(&s->wrong, 1);
}

static void sender(void *arg)
{
	struct sending *s = arg;
	while (!atomic_load(&s->stop)) {
		if (deep(go_id(), 40) != 0)
			atomic_fetch_add(&s->wrong, 1);
		sender_deep(s, 10);
	}
	atomic_fetch_sub(&s->left, 1);
}

static void passes(void *arg)
{
	struct sending *s = arg;
	while (!atomic_load(&s->stop)) {
		shrink_pass(true);
		go_yield();
	}
}

GUEST_TEST(
	shrink, stack_during_blocked_send,
	"stacks shrink while their goroutines wait in a send, run deep and wait again; no variable changes")
{
	enum { SENDERS = 8 };
	struct guest_group all = {0};
	struct sending s = {.c = chan_make(sizeof(uint64_t), 0)};
	bool poison = shrink_always;
	uint64_t v, sum = 0, end;
	shrink_always = true;
	s.left = SENDERS;
	for (int i = 0; i < SENDERS; i++)
		guest_go(&all, sender, &s);
	guest_go(&all, passes, &s);
	end = time_now() + guest_count(300, 5000) * TIME_MILLISECOND;
	while (time_now() < end || (sum <= 100 && time_now() < end + 20 * TIME_SECOND)) {
		CHECK(chan_recv(s.c, &v));
		CHECK(v != 0 && v < 1u << 31);
		sum++;
		if (sum % 16 == 0)
			time_sleep(50 * TIME_MICROSECOND);
	}
	atomic_store(&s.stop, true);
	while (atomic_load(&s.left) > 0)
		if (!chan_try_recv(s.c, &v, NULL))
			go_yield();
	guest_wait(&all);
	shrink_always = poison;
	CHECK_EQ(atomic_load(&s.wrong), 0);
	CHECK(sum > 100);
	chan_free(s.c);
}

/* ---- Go's: a goroutine is about to wait, or was made ready before it did ---- */

struct pair {
	struct chan *there, *back;
	struct sending *s;
	uint32_t level;
};

static void answer(void *arg)
{
	struct pair *p = arg;
	uint64_t v;
	while (chan_recv(p->there, &v)) {
		if (deep(v, p->level) != 0)
			atomic_fetch_add(&p->s->wrong, 1);
		chan_send(p->back, &v);
	}
	chan_close(p->back);
}

static void ask(void *arg)
{
	struct pair *p = arg;
	uint64_t v = 0, w;
	while (!atomic_load(&p->s->stop)) {
		v++;
		chan_send(p->there, &v);
		if (deep(v, 30 - p->level) != 0)
			atomic_fetch_add(&p->s->wrong, 1);
		CHECK(chan_recv(p->back, &w));
		if (v != w)
			atomic_fetch_add(&p->s->wrong, 1);
	}
	chan_close(p->there);
}

GUEST_TEST(shrink, no_stack_while_parking,
	   "pass after pass while goroutines wait for moments only: no stack that is in use loses a page")
{
	enum { PAIRS = 6 };
	struct guest_group all = {0};
	struct sending s = {.c = NULL};
	struct pair p[PAIRS];
	bool poison = shrink_always;
	shrink_always = true;
	for (uint32_t i = 0; i < PAIRS; i++) {
		p[i] = (struct pair){chan_make(sizeof(uint64_t), 0), chan_make(sizeof(uint64_t), 0), &s,
				     5 * i};
		guest_go(&all, answer, &p[i]);
		guest_go(&all, ask, &p[i]);
	}
	guest_go(&all, passes, &s);
	time_sleep(guest_count(300, 5000) * TIME_MILLISECOND);
	atomic_store(&s.stop, true);
	guest_wait(&all);
	shrink_always = poison;
	CHECK_EQ(atomic_load(&s.wrong), 0);
	for (uint32_t i = 0; i < PAIRS; i++) {
		chan_free(p[i].there);
		chan_free(p[i].back);
	}
}

/* ---- translations ---- */

#define POISON UINT64_C(0xa5a5a5a5a5a5a5a5)

static struct {
	_Atomic uintptr_t lo, hi; /* part of the victim's stack that it does not use */
	_Atomic bool stop;
	_Atomic bool looked;       /* a hart has a translation, and keeps it unless it is the only one */
	_Atomic uint64_t poisoned; /* looks that found what is somebody else's */
	_Atomic uint64_t kept;     /* looks at a page that had been taken, by a translation from before */
} stale;

static void look_at(uintptr_t a)
{
	if (*(volatile uint64_t *)(a + 2048) == POISON)
		atomic_fetch_add(&stale.poisoned, 1);
}

/* Reads pages over and over, so that this hart has their translations. */
static void look(void *arg)
{
	(void)arg;
	while (!atomic_load(&stale.stop)) {
		uintptr_t lo = atomic_load(&stale.lo), hi = atomic_load(&stale.hi);
		for (int i = 0; i < 200; i++)
			for (uintptr_t a = lo; a < hi; a += PAGE_SIZE)
				look_at(a);
		if (go_harts() == 1) {
			atomic_store(&stale.looked, true);
			go_yield();
		}
	}
}

/*
 * Keeps its translation of a page until the page has been taken and this hart is asked to forget it, which it is with interrupts on: nobody
 * may have the page before. If nobody takes it for a while the host has let the others wait.
 */
static void look_kept(uintptr_t a)
{
	bool on = arch_irq_save();
	const struct hart *h = arch_hart();
	uint64_t end = time_now() + 500 * TIME_MILLISECOND;
	look_at(a);
	atomic_store(&stale.looked, true);
	bool asked = false, taken = false;
	for (uint32_t n = 1; !asked && !atomic_load(&stale.stop) && time_now() < end; n++) {
		asked = (atomic_load(&h->ipi) & IPI_FLUSH) != 0;
		taken = arch_mmu_lookup(a) == 0;
		spin_pause(n);
	}
	if (asked && taken) {
		look_at(a);
		atomic_fetch_add(&stale.kept, 1);
	}
	atomic_store(&stale.looked, false);
	arch_irq_restore(on);
}

static void keep_and_look(void *arg)
{
	(void)arg;
	while (!atomic_load(&stale.stop))
		look_kept(atomic_load(&stale.lo));
}

static void victim_run(void *arg)
{
	struct pair *p = arg;
	uint64_t v;
	const struct g *g = g_self();
	atomic_store(&stale.hi, (arch_sp() - 8192) & ~(uintptr_t)(PAGE_SIZE - 1));
	atomic_store(&stale.lo, atomic_load(&stale.hi) - 8 * PAGE_SIZE);
	CHECK(atomic_load(&stale.lo) > g->stack_lo);
	while (chan_recv(p->there, &v)) {
		CHECK_EQ(deep(v, 30), 0);
		chan_send(p->back, &v);
	}
}

GUEST_TEST(shrink, release_after_shootdown,
	   "nobody reaches a page that was taken from a stack once it may be somebody else's")
{
	struct guest_group all = {0};
	struct pair p = {chan_make(sizeof(uint64_t), 0), chan_make(sizeof(uint64_t), 0), NULL, 0};
	bool poison = shrink_always;
	uint64_t v = 1;
	shrink_always = true;
	atomic_store(&stale.stop, false);
	atomic_store(&stale.poisoned, 0);
	atomic_store(&stale.looked, false);
	atomic_store(&stale.kept, 0);
	guest_go(&all, victim_run, &p);
	chan_send(p.there, &v);
	chan_recv(p.back, &v);
	uint64_t end = time_now() + 40 * TIME_SECOND, enough = go_harts() > 1 ? 3 : 0;
	if (go_harts() > 1)
		guest_go(&all, keep_and_look, NULL);
	for (unsigned k = 0; k < (go_harts() == 1 ? 1 : guest_count(0, go_harts() - 2)); k++)
		guest_go(&all, look, NULL);
	uint32_t i = 0;
	for (; i < guest_count(10, 2000) || (atomic_load(&stale.kept) < enough && time_now() < end); i++) {
		chan_send(p.there, &v);
		chan_recv(p.back, &v);
		if (go_harts() == 1)
			atomic_store(&stale.looked, false);
		while (!atomic_load(&stale.looked))
			go_yield();
		shrink_pass(true);
	}
	atomic_store(&stale.stop, true);
	chan_close(p.there);
	guest_wait(&all);
	shrink_always = poison;
	guest_note("a page that had been taken was looked at %llu times in %u passes",
		   (unsigned long long)atomic_load(&stale.kept), i);
	CHECK(enough == 0 || atomic_load(&stale.kept) > 0);
	if (atomic_load(&stale.poisoned) > 0)
		guest_fail(__FILE__, __LINE__,
			   "a page was given to others before every hart had forgotten it");
	chan_free(p.there);
	chan_free(p.back);
}

/* ---- ended goroutines ---- */

static void deep_once(void *arg)
{
	CHECK_EQ(deep((uintptr_t)arg, 60), 0);
}

static void batch_run(uint32_t n)
{
	struct guest_group all = {0};
	for (uint32_t i = 0; i < n; i++)
		guest_go(&all, deep_once, (void *)(uintptr_t)i);
	guest_wait(&all);
}

static struct {
	_Atomic uint32_t here;
	uint32_t wanted;
} together;

static void deep_together(void *arg)
{
	deep_once(arg);
	atomic_fetch_add(&together.here, 1);
	while (atomic_load(&together.here) < together.wanted)
		go_yield();
}

/* n that exist at once. */
static void batch_run_together(uint32_t n)
{
	struct guest_group all = {0};
	atomic_store(&together.here, 0);
	together.wanted = n;
	for (uint32_t i = 0; i < n; i++)
		guest_go(&all, deep_together, (void *)(uintptr_t)i);
	guest_wait(&all);
}

/* What ended goroutines may keep: each hart two magazines of 32 stacks. */
static size_t warm_pages(void)
{
	return (size_t)go_harts() * 64 * (stack_slot_size(STACK_DEFAULT) / PAGE_SIZE);
}

GUEST_TEST(shrink, stack_mem,
	   "stacks of ended goroutines are used again: many rounds take no more memory than one")
{
	enum { BATCH = 100 };
	size_t before, most = 0;
	shrink_pass(true);
	before = stack_pages();
	for (uint32_t i = 0; i < guest_count(10, 200); i++) {
		batch_run(BATCH);
		if (stack_pages() > most)
			most = stack_pages();
	}
	CHECK(most <= before + warm_pages() + BATCH * stack_slot_size(STACK_DEFAULT) / PAGE_SIZE);
}

GUEST_TEST(shrink, stack_cache, "stacks of many ended goroutines lose their pages, and work again")
{
	struct shrink_stats a, b;
	for (uint32_t round = 0; round < 3; round++) {
		uint32_t before = go_count();
		size_t pages;
		batch_run_together(600);
		CHECK(guest_count_settles(before));
		shrink_stats(&a);
		shrink_pass(true);
		pages = stack_pages();
		shrink_stats(&b);
		CHECK(b.dead_pages > a.dead_pages || go_harts() * 64 >= 600 || shrink_always);
		CHECK(pages <= warm_pages() + 4096);
	}
}

static struct g *parked_start(struct guest_group *all, struct parked *p)
{
	struct g *g;
	guest_go(all, parked_run, p);
	while ((g = atomic_load(&p->g)) == NULL || atomic_load(&g->status) != G_WAITING)
		go_yield();
	return g;
}

GUEST_TEST(shrink, next_owner, "pages that a deep wait kept are taken from whoever has the stack next")
{
	struct chan *c = chan_make(0, 0);
	bool met = shrink_always; /* it runs all the time: no pages are left to be found */
	for (int i = 0; i < 1000 && !met; i++) {
		struct guest_group all = {0};
		struct parked first = {.c = c, .level = 60}, second = {.c = c, .level = 0};
		struct g *a = parked_start(&all, &first);
		shrink_pass(true);
		chan_send(c, NULL);
		guest_wait(&all);
		struct g *b = parked_start(&all, &second);
		met = a == b && pages_of(b) >= 20;
		shrink_pass(true);
		CHECK(pages_of(b) <= 2);
		chan_send(c, NULL);
		guest_wait(&all);
	}
	CHECK(met);
	chan_free(c);
}

static uint32_t hook_calls;

static void hook(bool hurry)
{
	(void)hurry;
	hook_calls++;
}

GUEST_TEST(shrink, hook, "whoever keeps memory is asked once in each pass")
{
	void (*was)(bool) = shrink_pass_hook;
	struct shrink_stats a, b;
	shrink_pass(false);
	shrink_pass_hook = hook;
	hook_calls = 0;
	shrink_stats(&a);
	shrink_pass(false);
	shrink_pass(true);
	shrink_stats(&b);
	shrink_pass_hook = was;
	CHECK(hook_calls >= 2 && hook_calls <= b.passes - a.passes + 1);
}

GUEST_TEST(shrink, by_itself,
	   "a stack that was not used for long shrinks without being asked, and then the shrinker sleeps")
{
	struct guest_group all = {0};
	struct parked p = {.c = chan_make(0, 0), .level = 0};
	struct shrink_stats a, b;
	struct g *g;
	guest_go(&all, parked_run, &p);
	while ((g = atomic_load(&p.g)) == NULL || atomic_load(&g->status) != G_WAITING)
		go_yield();
	uint64_t end = time_now() + 20 * TIME_SECOND;
	while (pages_of(g) > 2 && time_now() < end)
		time_sleep(100 * TIME_MILLISECOND);
	CHECK(pages_of(g) <= 2);
	/* The goroutine of this test wakes at each look, and may need a page again: one pass or two for that. */
	bool slept = shrink_always;
	for (int i = 0; i < 3 && !slept; i++) {
		shrink_stats(&a);
		time_sleep(5 * TIME_SECOND);
		shrink_stats(&b);
		slept = b.passes - a.passes <= 3;
	}
	guest_note("%lu passes in 5 s, always %d", (unsigned long)(b.passes - a.passes), shrink_always);
	CHECK(slept);
	chan_send(p.c, NULL);
	guest_wait(&all);
	chan_free(p.c);
}

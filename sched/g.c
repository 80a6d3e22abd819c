/*
 * Goroutine descriptors: making, recycling and listing them. A descriptor lies apart from its stack, and has that stack's address space for
 * life, but not its pages.
 *
 *	               hart                      |  depot (allg lock)
 *	go() <- warm, <- full, magazine of 32  <-|- warm magazines <- low-water mark <- shrinker
 *	            \-> full ------------------->|
 *	go() <- bare, from a block of new ones   |  bare magazines <- shrinker
 *	                                         |  big[class]
 *
 * The list of all descriptors only ever grows at its head, so whoever walks it takes no lock, a panic included.
 *
 * 1. Ids are never reused. Otherwise a profile could mix two goroutines.
 * 2. A descriptor is recycled only by the scheduler after the goroutine left its stack. Otherwise the next owner would run on a stack
 *    that is still in use.
 * 3. A goroutine is started only when the first page of its stack is there. Otherwise it could die of a full memory before its first
 *    instruction, and nobody could be told.
 */
#include <hartbeat/go.h>

#include <errno.h>
#include <string.h>

#include "kernel/assert.h"
#include "kernel/clock.h"
#include "kernel/heap.h"
#include "kernel/page.h"
#include "kernel/panic.h"
#include "kernel/stack.h"
#include "kernel/system.h"
#include "kernel/tls.h"
#include "sched/latency.h"
#include "sched/shrink.h"
#include "sched/switch.h"

enum {
	MAGAZINE = 32,    /* descriptors that go to and from the depot at once */
	BLOCK = 4 * 4096, /* bytes of a block of new descriptors */
	FILL = 8,         /* so many get the first page of their stack at once */
	ID_BATCH = 16,    /* ids that a hart takes at once, as Go */
};

static struct spinlock allg_lock = SPINLOCK_INIT(RANK_ALLG); /* protects depot */
static struct {
	struct g *warm, *bare;        /* magazines, linked by batch, their descriptors by next */
	uint32_t n_warm, low_warm;    /* magazines; the fewest since the shrinker's last look */
	struct g *big[STACK_CLASSES]; /* by next */
} depot;
static _Atomic bool depot_used; /* relaxed, a hint: spares those who find it empty the lock */
static _Atomic(struct g *) all_head;
static _Atomic uint64_t last_id; /* relaxed: ids only have to differ */
static _Atomic uint32_t n_user;

uint32_t go_count(void)
{
	/* pairs with the release in g_free(): who sees that a goroutine has ended sees what it did */
	return atomic_load_explicit(&n_user, memory_order_acquire);
}

uint64_t go_id(void)
{
	return g_self()->id;
}

void go_class_set(bool system)
{
	struct g *self = g_self();
	ASSERT(self->preempt_off > 0 && self->system != system,
	       "a goroutine changes its class with preemption off");
	self->system = system;
	atomic_fetch_add_explicit(&n_user, system ? UINT32_MAX : 1, memory_order_relaxed);
}

void goroutine_entry(struct g *g, struct arch_context *from, uintptr_t why)
{
	arrive(arch_hart(), from, why, SWITCH_EXIT);
	preempt_enable_last();
	g->fn(g->arg);
	goroutine_end();
}

void goroutine_end(void)
{
	struct g *self = g_self();
	if (__builtin_expect(self->labels != NULL, 0))
		labels_set(NULL);
	if (__builtin_expect(self->regions != NULL, 0))
		trace_regions_drop(self);
	self->preempt_off++;
	atomic_signal_fence(memory_order_seq_cst);
	self->pinned = NULL;
	self->pin_depth = 0;
	TRACE(go_destroy(self));
	switch_out(self, SWITCH_EXIT, MAYBE_TRACED);
	panic("an ended goroutine ran again");
}

static size_t descriptor_size(void)
{
	return (tls_size() + sizeof(struct g) + 63) & ~(size_t)63;
}

/* ---- new descriptors ---- */

struct making {
	unsigned class;
	struct g *first; /* what was made, by next */
};

static void publish(struct g *g)
{
	struct g *head = atomic_load_explicit(&all_head, memory_order_relaxed);
	do {
		g->all_next = head;
		/* pairs with the acquire in g_all(): the descriptor is complete. Rule 2 of sched/mutex.c. */
	} while (!atomic_compare_exchange_weak(&all_head, &head, g));
}

/* A block of descriptors with slots for their stacks; one when memory is short or the slots are big. On the system stack. */
static void g_make_sys(void *arg)
{
	struct making *m = arg;
	size_t size = descriptor_size();
	uint32_t n = m->class == STACK_DEFAULT && !page_short() ? (uint32_t)(BLOCK / size) : 1, got = 0;
	uintptr_t lo;
	if (n == 0)
		n = 1;
	char *block = heap_aligned(64, n * size);
	if (block == NULL)
		return;
	got = stack_slots(m->class, n, &lo);
	if (got == 0) {
		heap_free(block);
		return;
	}
	size_t slot = stack_slot_size(m->class);
	memset(block, 0, got * size);
	for (uint32_t i = got; i-- > 0;) {
		struct g *g = (struct g *)(block + i * size + tls_size());
		g->stack_class = (uint8_t)m->class;
		g->stack_lo = lo + i * slot;
		g->stack_hi = g->stack_lo + slot - STACK_GUARD;
		g->bare = true;
		store_relaxed(&g->status, G_DEAD);
		g->wait_pcs = wait_no_pcs;
		g->tls = g->ctx.tls = tls_make(block + i * size, g);
		g->next = m->first;
		m->first = g;
		publish(g);
	}
}

static void commit_sys(void *arg)
{
	struct g *g = arg;
	g->bare = !stack_commit(g->stack_hi);
}

/* Bare descriptors, new ones if there are none, become warm, of which there are none. None do when memory is out. */
static void fill_sys(void *arg)
{
	struct g_cache *c = arg;
	struct g **last = &c->warm;
	if (c->bare == NULL) {
		struct making making = {.class = STACK_DEFAULT};
		g_make_sys(&making);
		c->bare = making.first;
	}
	for (struct g *g; (g = c->bare) != NULL && c->n < FILL; c->n++) {
		commit_sys(g);
		if (g->bare)
			return;
		c->bare = g->next;
		g->next = NULL;
		*last = g;
		last = &g->next;
	}
}

/* ---- dead ones ---- */

static struct g *magazine_take_locked(struct g **from)
{
	struct g *m = *from;
	if (m != NULL)
		*from = m->batch;
	return m;
}

static void magazine_put_locked(struct g **to, struct g *m)
{
	m->batch = *to;
	*to = m;
}

/* The warm magazine of this hart is empty: another, or descriptors without pages, or new ones. */
__attribute__((noinline)) static struct g *take_slow(struct g_cache *c)
{
	struct g *m = c->full;
	c->full = NULL;
	if (m == NULL && atomic_load_explicit(&depot_used, memory_order_relaxed)) {
		spin_lock(&allg_lock);
		m = magazine_take_locked(&depot.warm);
		if (m != NULL && --depot.n_warm < depot.low_warm)
			depot.low_warm = depot.n_warm;
		if (m == NULL && c->bare == NULL)
			c->bare = magazine_take_locked(&depot.bare);
		spin_unlock(&allg_lock);
	}
	if (m != NULL) {
		c->warm = m->next;
		c->n = MAGAZINE - 1;
		return m;
	}
	on_system_stack(fill_sys, c);
	m = c->warm;
	if (m != NULL) {
		c->warm = m->next;
		c->n--;
	}
	return m;
}

static void put_big(struct g *g)
{
	spin_lock(&allg_lock);
	g->next = depot.big[g->stack_class];
	depot.big[g->stack_class] = g;
	spin_unlock(&allg_lock);
}

static struct g *take_big(unsigned class)
{
	spin_lock(&allg_lock);
	struct g *g = depot.big[class];
	if (g != NULL)
		depot.big[class] = g->next;
	spin_unlock(&allg_lock);
	if (g == NULL) {
		struct making making = {.class = class};
		on_system_stack(g_make_sys, &making);
		g = making.first;
	}
	if (g != NULL && g->bare)
		on_system_stack(commit_sys, g);
	if (g != NULL && g->bare) { /* memory is out */
		put_big(g);
		g = NULL;
	}
	return g;
}

/* The warm magazine is full: g begins another. */
__attribute__((noinline)) static void put_slow(struct g_cache *c, struct g *g)
{
	if (c->full != NULL) {
		spin_lock(&allg_lock);
		magazine_put_locked(&depot.warm, c->full);
		depot.n_warm++;
		spin_unlock(&allg_lock);
		atomic_store_explicit(&depot_used, true, memory_order_relaxed);
		shrink_want();
	}
	c->full = c->warm;
	g->next = NULL;
	c->warm = g;
	c->n = 1;
}

void g_free(struct g *g, struct hart *h)
{
	struct g_cache *c = &h->sched->gs;
	/* pairs with the acquire in g_own_dead(): who works on the stack comes after the goroutine */
	store_release(&g->status, G_DEAD);
	if (!g->system)
		atomic_fetch_sub_explicit(&n_user, 1,
					  memory_order_release); /* pairs with the acquire in go_count() */
	if (__builtin_expect(g->stack_class != STACK_DEFAULT, 0)) {
		put_big(g);
		shrink_want();
	} else if (__builtin_expect(c->n == MAGAZINE, 0)) {
		put_slow(c, g);
	} else {
		g->next = c->warm;
		c->warm = g;
		c->n++;
	}
}

uint32_t g_dead_idle(bool all, bool *later)
{
	spin_lock(&allg_lock);
	uint32_t n = all ? depot.n_warm : depot.low_warm;
	depot.low_warm = depot.n_warm - n;
	*later = depot.low_warm > 0;
	spin_unlock(&allg_lock);
	return n;
}

struct g *g_dead_take(void)
{
	spin_lock(&allg_lock);
	struct g *m = magazine_take_locked(&depot.warm);
	if (m != NULL) {
		m->batch = NULL;
		if (--depot.n_warm < depot.low_warm)
			depot.low_warm = depot.n_warm;
	}
	spin_unlock(&allg_lock);
	return m;
}

void g_dead_put_bare(struct g *m)
{
	spin_lock(&allg_lock);
	magazine_put_locked(&depot.bare, m);
	spin_unlock(&allg_lock);
}

struct g *g_big_take(unsigned class)
{
	spin_lock(&allg_lock);
	struct g **link = &depot.big[class], *g;
	while ((g = *link) != NULL && g->bare)
		link = &g->next;
	if (g != NULL) {
		*link = g->next;
		g->next = NULL;
	}
	spin_unlock(&allg_lock);
	return g;
}

void g_big_put(struct g *g)
{
	put_big(g);
}

/* ---- starting one ---- */

__attribute__((noinline)) static uint64_t ids_take(struct g_cache *c)
{
	uint64_t first = atomic_fetch_add_explicit(&last_id, ID_BATCH, memory_order_relaxed) + 1;
	c->id_end = first + ID_BATCH;
	return first;
}

uint64_t go_created(void)
{
	uint64_t n = atomic_load_explicit(&last_id, memory_order_relaxed);
	for (uint32_t i = 0; i < hart_count; i++) {
		struct g_cache *c = &harts[i]->sched->gs;
		uint64_t end = __atomic_load_n(&c->id_end, __ATOMIC_RELAXED),
			 next = __atomic_load_n(&c->id, __ATOMIC_RELAXED);
		n -= end > next && end - next <= ID_BATCH ? end - next : 0;
	}
	return n;
}

static inline struct g *start_begin(void (*fn)(void *))
{
	if (__builtin_expect(fn == NULL, 0))
		fatal_error("go of nil func value");
	struct g *self = g_self();
	self->preempt_off++;
	atomic_signal_fence(memory_order_seq_cst);
	return self;
}

/* What follows start_begin(). traced: a trace may run, or a profile of waits. */
static inline __attribute__((always_inline)) uint64_t start(struct g *self, void (*fn)(void *), void *arg,
							    const char *name, unsigned class, bool system,
							    struct hart *pin, uintptr_t pc, bool traced)
{
	struct g *g;
	struct sched_hart *s = arch_hart()->sched;
	struct g_cache *c = &s->gs;
	if (__builtin_expect(class != STACK_DEFAULT, 0)) {
		g = take_big(class);
	} else if ((g = c->warm) != NULL) {
		c->warm = g->next;
		c->n--;
	} else {
		g = take_slow(c);
	}
	if (__builtin_expect(g == NULL, 0)) {
		shrink_wake(true);
		preempt_enable();
		errno = ENOMEM;
		return 0;
	}
	uint64_t id = c->id++;
	if (__builtin_expect(id == c->id_end, 0)) {
		id = ids_take(c);
		c->id = id + 1;
	}
	g->id = id;
	g->name = name;
	g->system = system;
	g->parent_id = self->id;
	g->created_at = pc;
	g->fn = fn;
	g->arg = arg;
	g->preempt_off = 1; /* until goroutine_entry() */
	g->run_ticks = 0;
#ifndef MUTANT_born_absent
	store_relaxed(&g->barrier, atomic_load_explicit(&barrier_passed, memory_order_relaxed));
#endif
	tls_reset(g->tls, g);
	g->ctx.sp = arch_context_fresh(g->stack_hi);
	g->careful = G_FRESH;
	if (traced) {
		TRACE(go_create(g));
		late_follow(g, G_LATE_START, false);
	}
	if (__builtin_expect(id % LATENCY_STARTS == 0, 0))
		latency_follow_eight(g);
	if (!system) {
		atomic_fetch_add_explicit(&n_user, 1, memory_order_relaxed);
		if (__builtin_expect(self->labels != NULL, 0))
			g->labels = labels_share(self->labels);
	}
	/* pairs with the acquire in g_own(): the context is complete, and whatever an owner looks at */
	store_release(&g->status, G_RUNNABLE);
	if (__builtin_expect(pin != NULL, 0)) {
		g->pinned = pin;
		g->pin_depth = 1;
		pin_put(g);
	} else {
		runq_put_next(&s->q, g);
		wake_one();
	}
	preempt_enable();
	return id;
}

__attribute__((noinline)) static uint64_t go_watched(struct g *self, void (*fn)(void *), void *arg,
						     uintptr_t pc)
{
	return start(self, fn, arg, NULL, STACK_DEFAULT, false, NULL, pc, true);
}

uint64_t go(void (*fn)(void *), void *arg)
{
	struct g *self = start_begin(fn);
	uintptr_t pc = (uintptr_t)__builtin_return_address(0);
	if (watched_any())
		return go_watched(self, fn, arg, pc);
	return start(self, fn, arg, NULL, STACK_DEFAULT, false, NULL, pc, false);
}

__attribute__((noinline)) static uint64_t start_any(void (*fn)(void *), void *arg, const char *name,
						    unsigned class, bool system, struct hart *pin,
						    uintptr_t pc)
{
	return start(start_begin(fn), fn, arg, name, class, system, pin, pc, true);
}

uint64_t go_with(void (*fn)(void *), void *arg, const struct go_options *options)
{
	int class = stack_class(options->stack_size);
	if (class < 0 || (options->pinned && options->hart >= go_harts())) {
		errno = EINVAL;
		return 0;
	}
	struct hart *pin = options->pinned ? harts[options->hart] : NULL;
	return start_any(fn, arg, options->name, (unsigned)class, false, pin,
			 (uintptr_t)__builtin_return_address(0));
}

uint64_t go_system(void (*fn)(void *), void *arg, const char *name)
{
	return start_any(fn, arg, name, STACK_DEFAULT, true, NULL, (uintptr_t)__builtin_return_address(0));
}

uint64_t go_boot(void (*fn)(void *), void *arg, const char *name)
{
	return start_any(fn, arg, name, STACK_MAIN, false, NULL, 0);
}

struct g *g_all(void)
{
	/* pairs with the release in publish() */
	return atomic_load_explicit(&all_head, memory_order_acquire);
}

/* The boot hart and each further one get an identity for their scheduler. */
void g_init_boot(struct hart *h)
{
	char *block = heap_aligned(64, tls_size() + sizeof(struct g));
	ASSERT(block != NULL, "memory for a hart's g0");
	struct g *g = (struct g *)(block + tls_size());
	memset(block, 0, tls_size() + sizeof *g);
	g->name = "scheduler";
	g->wait_pcs = wait_no_pcs;
	g->system = true;
	g->stack_lo = h->stack_lo[STACK_SYS];
	g->stack_hi = h->sys_stack_top;
	g->preempt_off = 1; /* for ever */
	g->tls = tls_make(block, g);
	atomic_store_explicit(&g->status, G_RUNNING, memory_order_relaxed);
	h->g0 = g;
	h->cur = g;
}

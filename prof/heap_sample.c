/*
 * Sampling of allocations: which of them, under which stack, and which of those are still there.
 *
 *	kernel/heap.c --distance()--> a draw from the exponential distribution, for each hart and size
 *	              --taken()-----> stacks (stack, size, rate): allocs + 1     objects: address -> record, page -> how many
 *	              --freed()-----> stacks: frees + 1                          and out of objects
 *
 * An object is counted by the size the heap gave it, so that at rate 1 the sums are the heap's own books.
 *
 * 1. An object is in `objects` before its page is marked, and both before its caller knows it. Otherwise its end could be missed.
 * 2. A page's mark and its number of objects change together under the lock. Otherwise a mark could be missing for an object that a second
 *    hart has just put there.
 * 3. Nothing here allocates from the heap: memory is pages. Otherwise the profile would sample itself, under its own lock.
 * 4. An object for which `objects` has no room counts as freed at once, and as untracked. Otherwise it would seem to stay for ever.
 */
#include "prof/heap.h"

#include <hartbeat/prof_rates.h>

#include <errno.h>

#include "kernel/hart.h"
#include "kernel/heap.h"
#include "kernel/lock.h"
#include "kernel/page.h"
#include "kernel/random.h"
#include "prof/expo.h"
#include "prof/heap_stacks.h"
#include "prof/intern.h"
#include "sched/sched.h"

enum {
	LIMIT_STACKS = 8 << 20,
	OBJECT_BUCKETS = 16384,
	OBJECT_SPAN = 64 << 10,
	OBJECT_SPANS_MAX = 1024, /* 64 MiB: 2.7 million objects */
};
#define RATE_MAX (UINT64_C(1) << 40)

struct stack_table heap_stacks = STACK_TABLE_INIT(LIMIT_STACKS);

/* An object, or (an odd key) a page with objects. */
struct object_entry {
	uint64_t key;
	struct object_entry *next;
	union {
		struct stack_record *record;
		uint64_t n;
	};
};

static struct spinlock objects_lock =
	SPINLOCK_INIT(RANK_RECORD); /* protects what follows, and the marks of pages */
static struct object_entry **objects, *unused;
static size_t n_spans;

static _Atomic uint64_t rate_now;                        /* relaxed: written while the world stands */
static _Atomic uint64_t untracked;                       /* relaxed, a figure */
static uint64_t random_state[HART_MAX];                  /* of each hart, with preemption off */
static uintptr_t scratch[HART_MAX][STACK_DEPTH_MAX + 1]; /* the same: a stack may have no room for this */

/* ---- objects ---- */

static struct object_entry **object_place(uint64_t key)
{
	struct object_entry **e = &objects[hash_word(0, key) % OBJECT_BUCKETS];
	while (*e != NULL && (*e)->key != key)
		e = &(*e)->next;
	return e;
}

static bool unused_fill_locked(void)
{
	if (objects == NULL)
		objects = stack_span(OBJECT_BUCKETS * sizeof *objects);
	if (objects == NULL || n_spans == OBJECT_SPANS_MAX)
		return false;
	struct object_entry *e = stack_span(OBJECT_SPAN);
	if (e == NULL)
		return false;
	n_spans++;
	for (size_t i = 0; i < OBJECT_SPAN / sizeof *e; i++) {
		e[i].next = unused;
		unused = &e[i];
	}
	return true;
}

static struct object_entry *object_put_locked(struct object_entry **place, uint64_t key)
{
	struct object_entry *e = unused;
	unused = e->next;
	*e = (struct object_entry){.key = key, .next = *place};
	*place = e;
	return e;
}

static void object_remove_locked(struct object_entry **place)
{
	struct object_entry *e = *place;
	*place = e->next;
	e->next = unused;
	unused = e;
}

static uint64_t page_key(const void *p)
{
	return ((uint64_t)(uintptr_t)p & ~(uint64_t)(PAGE_SIZE - 1)) | 1;
}

/* False: no memory. */
static bool object_add(void *p, struct stack_record *r)
{
	spin_lock(&objects_lock);
	bool room = (unused != NULL && unused->next != NULL) || unused_fill_locked(); /* for two */
	if (room) {
		object_put_locked(&objects[hash_word(0, (uintptr_t)p) % OBJECT_BUCKETS], (uintptr_t)p)
			->record = r;
		struct object_entry **page = object_place(page_key(p));
		if (*page == NULL) {
			object_put_locked(page, page_key(p));
			heap_sampled_set(p, true);
		}
		(*page)->n++;
	}
	spin_unlock(&objects_lock);
	return room;
}

/* p's record; NULL: it is not a sampled object. */
static struct stack_record *object_take(void *p)
{
	struct stack_record *r = NULL;
	spin_lock(&objects_lock);
	struct object_entry **e = object_place((uintptr_t)p);
	if (*e != NULL) {
		r = (*e)->record;
		object_remove_locked(e);
		struct object_entry **page = object_place(page_key(p));
#ifdef MUTANT_heap_sticky
		heap_sampled_set(p, false); /* the others of the page are forgotten */
#endif
		if (--(*page)->n == 0) {
			object_remove_locked(page);
			heap_sampled_set(p, false);
		}
	}
	spin_unlock(&objects_lock);
	return r;
}

/* ---- what the heap calls ---- */

static uint64_t distance(size_t size)
{
	uint64_t rate = atomic_load_explicit(&rate_now, memory_order_relaxed);
	if (rate <= 1)
		return rate == 1 ? 1 : UINT64_MAX;
	return expo_draw(rate, random_step(&random_state[hart_index()])) / size + 1;
}

static void taken(void *p, size_t size, uintptr_t fp)
{
	uintptr_t *pcs = scratch[hart_index()];
	uint64_t rate = atomic_load_explicit(&rate_now, memory_order_relaxed); /* the one of distance() */
	struct stack_record *r =
		stack_find(&heap_stacks, size, rate, pcs, stack_here(fp, pcs, STACK_DEPTH_MAX + 1));
	stack_count(r, HEAP_ALLOCS, 1);
	stack_count(r, HEAP_ALLOC_BYTES, size);
	if (!object_add(p, r)) {
		stack_count_after(r, HEAP_FREES, 1);
		stack_count_after(r, HEAP_FREED_BYTES, size);
		atomic_fetch_add_explicit(&untracked, 1, memory_order_relaxed);
	}
}

static void freed(void *p)
{
	struct stack_record *r = object_take(p);
	if (r != NULL) {
		stack_count_after(r, HEAP_FREES, 1);
		stack_count_after(r, HEAP_FREED_BYTES, heap_usable(p));
	}
}

/* ---- rates and figures ---- */

/* Every hart draws its distances anew. The world is stopped. */
static void rate_set(void *bytes)
{
	static const struct heap_sampling sampling = {distance, taken, freed};
	for (uint32_t i = 0; i < HART_MAX && random_state[i] == 0; i++)
		random_state[i] = 0xd1b54a32d192ed03u * (i + 1) | 1;
	atomic_store_explicit(&rate_now, *(const uint64_t *)bytes, memory_order_relaxed);
	heap_sampling_set(&sampling);
}

int prof_heap_rate_set(uint64_t bytes)
{
	if (bytes > RATE_MAX) {
		errno = EINVAL;
		return -1;
	}
	sched_stopped(rate_set, &bytes);
	return 0;
}

uint64_t prof_heap_rate(void)
{
	return atomic_load_explicit(&rate_now, memory_order_relaxed);
}

struct heap_counts heap_counts(const struct stack_record *r)
{
	/* frees first: what they free was counted before (objects_lock) */
	struct heap_counts c = {.frees = stack_value(r, HEAP_FREES),
				.freed_bytes = stack_value(r, HEAP_FREED_BYTES)};
	/* pairs with the releases in stack_count_after() */
	atomic_thread_fence(memory_order_acquire);
	c.allocs = stack_value(r, HEAP_ALLOCS);
	c.alloc_bytes = stack_value(r, HEAP_ALLOC_BYTES);
	if (r->key != 0) { /* an event may be counted by half: its bytes not yet */
		c.alloc_bytes = c.allocs * r->key;
		c.freed_bytes = c.frees * r->key;
	}
	return c;
}

static void account_add(struct heap_account *a, const struct stack_record *r)
{
	struct heap_counts c = heap_counts(r);
	a->frees += c.frees;
	a->freed_bytes += c.freed_bytes;
	a->allocs += c.allocs;
	a->alloc_bytes += c.alloc_bytes;
}

void heap_account(struct heap_account *a)
{
	*a = (struct heap_account){.untracked = atomic_load_explicit(&untracked, memory_order_relaxed)};
	account_add(a, &heap_stacks.lost);
	for (const struct stack_record *r = NULL; (r = stack_next(&heap_stacks, r)) != NULL;)
		account_add(a, r);
}

/*
 * Owns the tables of stacks:
 *
 *	buckets: [ . ][ o ][ . ][ o ]        span: | record pcs... | record pcs... | free |
 *	                |         '-> record
 *	                '-> record -> record
 *
 * Records lie in spans of pages, are never given back, and so may be remembered by whoever found them (prof/wait.c does).
 *
 * 1. A record is complete before it is in its bucket (release), and never changes but for its values. Otherwise looking it up would need
 *    the lock.
 * 2. Who is to add one looks again under the lock. Otherwise a stack could have two.
 * 3. Memory comes from the pages, not from the heap. Otherwise a sampled allocation would allocate.
 * 4. What finds no memory is counted in `lost`. Otherwise sums would be too low and nobody would know.
 */
#include "prof/stacks.h"

#include <string.h>

#include "kernel/g.h"
#include "kernel/hart.h"
#include "kernel/page.h"
#include "kernel/system.h"
#include "kernel/unwind.h"
#include "prof/builder.h"
#include "prof/intern.h"

_Static_assert((int)STACK_DEPTH_MAX == (int)PROF_DEPTH_MAX, "as deep as what is written");

struct span_request {
	size_t bytes;
	void *base;
};

static void span_take_sys(void *arg)
{
	struct span_request *r = arg;
	/* The last pages are for stacks and for the program. */
	r->base = page_short() ? NULL : page_alloc_span(r->bytes >> PAGE_SHIFT, 0);
	if (r->base != NULL)
		memset(r->base, 0, r->bytes);
}

void *stack_span(size_t bytes)
{
	struct span_request r = {.bytes = (bytes + PAGE_SIZE - 1) & ~(size_t)(PAGE_SIZE - 1)};
	on_system_stack(span_take_sys, &r);
	return r.base;
}

static _Atomic(struct stack_record *) *buckets_of(const struct stack_table *t)
{
	/* pairs with the release in record_new_locked() */
	return __atomic_load_n(&t->buckets, __ATOMIC_ACQUIRE);
}

static bool matches(const struct stack_record *r, uint64_t hash, uint64_t key, uint64_t key2,
		    const uintptr_t *pcs, uint32_t depth)
{
	return r->hash == hash && r->key == key && r->key2 == key2 && r->depth == depth &&
	       memcmp(r->pcs, pcs, (depth > STACK_DEPTH_MAX ? STACK_DEPTH_MAX : depth) * sizeof *pcs) == 0;
}

static struct stack_record *lookup(const struct stack_table *t, uint64_t hash, uint64_t key, uint64_t key2,
				   const uintptr_t *pcs, uint32_t depth)
{
	_Atomic(struct stack_record *) *buckets = buckets_of(t);
	if (buckets == NULL)
		return NULL;
	/* pairs with the release in stack_find() */
	struct stack_record *r = atomic_load_explicit(&buckets[hash % STACK_BUCKETS], memory_order_acquire);
	while (r != NULL && !matches(r, hash, key, key2, pcs, depth))
		r = r->chain;
	return r;
}

/* Room for a record of that depth, zeroed; NULL when memory is out or the limit is reached. */
static struct stack_record *record_new_locked(struct stack_table *t, uint32_t depth)
{
	size_t size = sizeof(struct stack_record) + depth * sizeof(uintptr_t);
	if (t->buckets == NULL) {
		_Atomic(struct stack_record *) *buckets = stack_span(STACK_BUCKETS * sizeof *buckets);
		if (buckets == NULL)
			return NULL;
		/* pairs with the acquire in buckets_of(): they are zeros */
		__atomic_store_n(&t->buckets, buckets, __ATOMIC_RELEASE);
	}
	if (t->n_spans == 0 || STACK_SPAN - t->used < size) {
		if (t->n_spans == STACK_SPANS_MAX || (t->n_spans + 1) * (size_t)STACK_SPAN > t->limit)
			return NULL;
		char *span = stack_span(STACK_SPAN);
		if (span == NULL)
			return NULL;
		t->spans[t->n_spans] = span;
		__atomic_store_n(&t->n_spans, t->n_spans + 1, __ATOMIC_RELAXED); /* read by stack_bytes() */
		t->used = 0;
	}
	struct stack_record *r = (struct stack_record *)(t->spans[t->n_spans - 1] + t->used);
	t->used += size;
	return r;
}

struct stack_record *stack_find(struct stack_table *t, uint64_t key, uint64_t key2, const uintptr_t *pcs,
				uint32_t depth)
{
	uint64_t hash = hash_word(hash_word(depth, key), key2);
	uint32_t given = depth > STACK_DEPTH_MAX ? STACK_DEPTH_MAX : depth;
	for (uint32_t i = 0; i < given; i++)
		hash = hash_word(hash, pcs[i]);
	struct stack_record *r = lookup(t, hash, key, key2, pcs, depth);
	if (r != NULL)
		return r;
	spin_lock(&t->lock);
	r = lookup(t, hash, key, key2, pcs, depth); /* rule 2 */
	if (r == NULL && (r = record_new_locked(t, depth)) != NULL) {
		r->hash = hash;
		r->key = key;
		r->key2 = key2;
		r->depth = depth;
		memcpy(r->pcs, pcs, given * sizeof *pcs);
		if (depth > given)
			r->pcs[given] = PROF_FRAME_TRUNCATED;
		_Atomic(struct stack_record *) *bucket = &t->buckets[hash % STACK_BUCKETS];
		r->chain = atomic_load_explicit(bucket, memory_order_relaxed);
		/* pairs with the acquire in lookup() and stack_next(): rule 1 */
		atomic_store_explicit(bucket, r, memory_order_release);
	}
	if (r == NULL) {
		t->refused++;
		r = &t->lost;
	}
	spin_unlock(&t->lock);
	return r;
}

struct stack_record *stack_next(const struct stack_table *t, const struct stack_record *r)
{
	_Atomic(struct stack_record *) *buckets = buckets_of(t);
	if (buckets == NULL || (r != NULL && r->chain != NULL))
		return r != NULL ? r->chain : NULL;
	for (uint64_t i = r != NULL ? r->hash % STACK_BUCKETS + 1 : 0; i < STACK_BUCKETS; i++) {
		/* rule 1: pairs with the release in stack_find() */
		struct stack_record *first = atomic_load_explicit(&buckets[i], memory_order_acquire);
		if (first != NULL)
			return first;
	}
	return NULL;
}

size_t stack_bytes(const struct stack_table *t)
{
	return __atomic_load_n(&t->n_spans, __ATOMIC_RELAXED) * (size_t)STACK_SPAN;
}

uint32_t stack_here(uintptr_t fp, uintptr_t *pcs, uint32_t max)
{
	const struct hart *h = arch_hart();
	const struct g *g = g_self();
	struct unwind_bounds system = {.lo = h->stack_lo[STACK_SYS], .hi = h->sys_stack_top};
	uint32_t n = unwind_fp_callers(&fp, &system, pcs, max);
	if (n > 0)
		g = h->serving; /* arch_call_on() has linked its stack to this one */
	if (n < max && g != NULL) {
		struct unwind_bounds own = {.lo = g->stack_lo, .hi = g->stack_hi};
		n += unwind_fp_callers(&fp, &own, pcs + n, max - n);
	}
	if (n == 0)
		pcs[n++] = PROF_FRAME_SYSTEM;
	return n;
}

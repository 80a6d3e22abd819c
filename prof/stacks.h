/*
 * What was counted under which stack: tables that are added to where things happen, under any lock and with no memory of the heap's.
 * See stacks.c.
 */
#ifndef PROF_STACKS_H
#define PROF_STACKS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/lock.h"

enum { STACK_VALUES = 4, STACK_DEPTH_MAX = 128 }; /* the second as PROF_DEPTH_MAX */

/* One stack with one key, for ever. */
struct stack_record {
	/* immutable */
	uint64_t hash;
	struct stack_record *chain; /* in the same bucket */
	uint64_t key, key2;         /* what the user of the table keeps apart */
	uint32_t depth;             /* at most STACK_DEPTH_MAX + 1, the last then PROF_FRAME_TRUNCATED */
	/* atomic: whoever counts, and readers */
	_Atomic uint64_t values[STACK_VALUES];
	/* immutable: return addresses, the leaf's too */
	uintptr_t pcs[];
};

enum { STACK_BUCKETS = 4096, STACK_SPAN = 64 << 10, STACK_SPANS_MAX = 256 };

struct stack_table {
	struct spinlock lock; /* protects what adding a record changes; rank `record` */
	size_t limit;         /* bytes of records; set before the first is added */
	size_t used;          /* bytes of the newest span; guarded by lock */
	size_t refused;       /* records that found no memory; the same */
	uint32_t n_spans;     /* the same; read without it, relaxed, as a figure */
	char *spans[STACK_SPANS_MAX];
	_Atomic(struct stack_record *) *buckets; /* set once: release */
	struct stack_record lost;                /* what found no memory is counted here */
};

#define STACK_TABLE_INIT(limit_)                                      \
	{                                                             \
		.lock = SPINLOCK_INIT(RANK_RECORD), .limit = (limit_) \
	}

/* The record of the stack, made if there is none; &t->lost when memory is out. depth may be STACK_DEPTH_MAX + 1: then the stack was deeper.
 * Goroutine or system context, any lock held whose rank comes before record. Takes no lock when the record exists. */
struct stack_record *stack_find(struct stack_table *t, uint64_t key, uint64_t key2, const uintptr_t *pcs,
				uint32_t depth);

static inline void stack_count(struct stack_record *r, unsigned i, uint64_t n)
{
	atomic_fetch_add_explicit(&r->values[i], n, memory_order_relaxed);
}

static inline uint64_t stack_value(const struct stack_record *r, unsigned i)
{
	return atomic_load_explicit(&r->values[i], memory_order_relaxed);
}

/* For what is undone: who finds it counted, and then has an acquire fence, finds counted what was done before. */
static inline void stack_count_after(struct stack_record *r, unsigned i, uint64_t n)
{
	/* pairs with the acquire fence of the reader: heap_counts(), prof/heap_sample.c */
	atomic_fetch_add_explicit(&r->values[i], n, memory_order_release);
}

/* All records, in no order; those that are made meanwhile may be among them. NULL: the first; returns NULL after the last. t->lost is not
 * one of them. */
struct stack_record *stack_next(const struct stack_table *t, const struct stack_record *r);
/* Bytes of records, and how many of them; any context. */
size_t stack_bytes(const struct stack_table *t);

/* Zeroed pages for what a table needs besides; NULL when memory is out or short. Contexts as stack_find(). */
void *stack_span(size_t bytes);

/* The caller's stack from the function on whose frame pointer is fp, whose own frame is left out: pcs[0] is where its caller goes on. Returns
 * the depth, at most max; never 0. Goroutine or system context with preemption off. */
uint32_t stack_here(uintptr_t fp, uintptr_t *pcs, uint32_t max);

#endif

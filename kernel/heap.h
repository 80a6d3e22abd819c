/*
 * The kernel heap, which is also malloc (kernel/malloc.c).
 *
 * Contexts: every function runs in goroutine, system or boot context, with any lock held whose rank comes
 * before heap; never in an interrupt or a page fault. An object may be freed on another hart than it was
 * allocated on.
 */
#ifndef KERNEL_HEAP_H
#define KERNEL_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Sets the heap up for so many harts, after page_init(). Boot, once. */
void heap_init(unsigned n_harts);

/* `size` bytes, contents undefined. Aligned to 16 bytes, or to 8 when size is at most 8; size 0 gives an
 * object of its own. NULL when out of memory (counted). */
void *heap_alloc(size_t size) __attribute__((warn_unused_result));
/* The same, filled with zeros. */
void *heap_alloc_zero(size_t size) __attribute__((warn_unused_result));
/* The same as heap_alloc(), aligned to `align` bytes: a power of two, at most 1 GiB. */
void *heap_aligned(size_t align, size_t size) __attribute__((warn_unused_result));
/* Changes an object's size, keeping its contents up to the smaller size; it may move. p may be NULL. NULL
 * when out of memory: the object stays as it was. */
void *heap_realloc(void *p, size_t size) __attribute__((warn_unused_result));
/* Frees an object; NULL is allowed. Asserts that p is the start of an object that is in use. */
void heap_free(void *p);
/* Bytes that may be used at p: at least the size asked for. */
size_t heap_usable(const void *p);

/* Gives this hart's cached objects and pages back. An idle hart calls it so that its memory serves others. */
void heap_drain(void);

/*
 * Sampling of allocations, for a profile (prof/heap.c). Sizes are those of heap_usable(). The functions run in every context that allocates,
 * with any lock held that its caller holds, and must not allocate themselves.
 */
struct heap_sampling {
	/* Which of the next objects of this size, of this hart and size, is the sampled one: 1 is the next; UINT64_MAX: none. Preemption off. */
	uint64_t (*distance)(size_t size);
	/* p was allocated, and nobody knows it yet; fp: frame pointer of a function of the heap, whose callers are the stack. It calls
	 * heap_sampled_set() if it wants to hear of the end of p. Preemption off since distance() said so. */
	void (*taken)(void *p, size_t size, uintptr_t fp);
	/* p, whose page is marked, is about to be freed, maybe one that was never taken. */
	void (*freed)(void *p);
};

extern const struct heap_sampling *heap_sampling; /* NULL: none; changes while the world is stopped */
/* Sets the functions, and asks for all distances anew. The world is stopped, or at boot. NULL: no sampling, and no page is marked. */
void heap_sampling_set(const struct heap_sampling *s);
/* Marks p's page, or takes the mark away: then no object that starts in it is in the profile. One caller at a time for a page. */
void heap_sampled_set(const void *p, bool sampled);

/* About so many bytes have moved between a hart and the slabs, or are a large object that came or went. Preemption off; any context that
 * allocates, with any lock held that its caller holds. NULL: nobody wants to know; changes while the world is stopped. */
extern void (*heap_moved_hook)(size_t bytes);
/* Bytes outside the slabs: in use, or kept by a hart for what it allocates next. Read while it changes; any context. */
size_t heap_taken(void);

/* While set, freed objects are filled with a pattern that is checked when they are handed out again, and
 * fresh objects with another. May change at any time. */
extern bool heap_poison;

struct heap_stats {
	size_t used_bytes, used_objects;   /* in use, by object size: what was asked for, rounded up */
	size_t large_bytes, large_objects; /* the part of it in objects of whole pages */
	size_t held_bytes;                 /* all pages that belong to the heap */
	size_t failed;                     /* requests answered with NULL */
};

struct heap_class_stats {
	size_t size;    /* bytes of one object */
	size_t objects; /* in use */
	size_t cached;  /* in hart caches */
	size_t slabs;
};

/* Figures read while other harts change them: each is right for a quiet heap and near otherwise. */
void heap_stats(struct heap_stats *s);
/* False when class is beyond the last one. */
bool heap_class_stats(unsigned class, struct heap_class_stats *s);

#endif

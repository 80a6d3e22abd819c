/* Slabs: the central lists of free objects below kernel/heap.c. Not for other users. */
#ifndef KERNEL_SLAB_H
#define KERNEL_SLAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/page.h"
#include "kernel/size_class.h"

/* A free object. Objects of class 0 (8 bytes) have no room for the mark. */
struct object {
	struct object *next;
	uintptr_t mark; /* object_mark(), - 1 if the rest is filled with poison */
};

/* What a free object's second word holds: differs per address, so that a copy of a free object is not one,
 * and is no address. */
static inline uintptr_t object_mark(const struct object *o)
{
	return ~(uintptr_t)o;
}

/* Takes up to `want` objects of a class, from slabs or from fresh pages, as a list with marks. Returns how
 * many; 0 when out of memory. System or boot context. */
unsigned slab_take(unsigned class, unsigned want, struct object **list);
/* Gives a list of objects of one class back; slabs that become empty go back to the pages. System or boot
 * context. */
void slab_give(unsigned class, struct object *list);
/* Whether p is the start of an object; if so, its index in its slab is stored in *index and the slab's first
 * page in *first. `page` is p's page, of kind PAGE_SLAB or PAGE_SLAB_BODY, sampled or not. Any context. */
static inline bool slab_index(uintptr_t p, struct page *page, unsigned *index, struct page **first)
{
	uint32_t back = (page->kind & ~PAGE_SAMPLED) == PAGE_SLAB_BODY ? page->body.back : 0;
	uint32_t offset = (uint32_t)(p % PAGE_SIZE) + (back << PAGE_SHIFT);
	const struct size_class *c = &size_classes[page->class];
	*index = (unsigned)((uint64_t)offset * c->reciprocal >> 32);
	*first = page - back;
	return *index * c->size == offset && *index < c->count;
}

struct slab_stats {
	size_t out;   /* objects outside the slabs: in use or in a hart's cache */
	size_t slabs; /* slabs with pages */
};

/* Figures of one class, read without a lock. */
struct slab_stats slab_stats(unsigned class);

#endif

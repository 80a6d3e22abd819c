/* The heap's objects of whole pages, and what they share with kernel/heap.c. Not for other users; contexts as in heap.h. */
#ifndef KERNEL_LARGE_H
#define KERNEL_LARGE_H

#include <stddef.h>

#include "kernel/heap.h"
#include "kernel/page.h"

enum {
	POISON_FREE = 0xdb,  /* fill of a free object while heap_poison is set */
	POISON_FRESH = 0xa5, /* fill of an object handed out while heap_poison is set */
};

static inline void heap_moved(size_t bytes)
{
	if (__builtin_expect(heap_moved_hook != NULL, 0))
		heap_moved_hook(bytes);
}

/* At least `size` bytes, aligned to 2^align_order pages; NULL when out of memory. */
void *large_alloc(size_t size, unsigned align_order) __attribute__((warn_unused_result));
/* Asserts that p is the start of such an object; page is p's. */
void large_free(void *p, struct page *page);
/* Gives pages back that the object does not need for `size` bytes, fewer than it has. Returns p. */
void *large_trim(void *p, struct page *page, size_t size);
/* What is in use. */
void large_stats(size_t *bytes, size_t *objects);

#endif

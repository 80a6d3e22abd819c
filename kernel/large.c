/* Owns the heap's objects of whole pages: each is a span of its own, whose first page's descriptor says how long it is. */
#include "kernel/large.h"

#include <stdatomic.h>
#include <string.h>

#include "kernel/assert.h"
#include "kernel/heap.h"
#include "kernel/preempt.h"
#include "kernel/slab.h"
#include "kernel/system.h"

static _Atomic size_t large_bytes, large_objects;

struct large_request {
	size_t pages;
	unsigned align_order;
	char *base;
	size_t keep;
};

static void large_alloc_sys(void *arg)
{
	struct large_request *r = arg;
	r->base = page_alloc_span(r->pages, r->align_order);
	if (r->base == NULL) {
		heap_drain();
		r->base = page_alloc_span(r->pages, r->align_order);
	}
}

static void large_free_sys(void *arg)
{
	struct large_request *r = arg;
	page_free_span(r->base, r->pages);
}

static void large_trim_sys(void *arg)
{
	struct large_request *r = arg;
	page_trim_span(r->base, r->pages, r->keep);
}

static void large_run(void (*fn)(void *), struct large_request *r)
{
	preempt_disable();
	ASSERT(arch_hart()->in_irq == 0, "an interrupt does not allocate");
	on_system_stack(fn, r);
	preempt_enable();
}

static void large_moved(size_t bytes)
{
	preempt_disable();
	heap_moved(bytes);
	preempt_enable();
}

/* Every large object asks for itself. */
static void *__attribute__((noinline)) large_sample(void *p, size_t bytes)
{
	preempt_disable();
	if (heap_sampling != NULL && heap_sampling->distance(bytes) == 1)
		heap_sampling->taken(p, bytes, (uintptr_t)__builtin_frame_address(0));
	preempt_enable();
	return p;
}

void *large_alloc(size_t size, unsigned align_order)
{
	struct large_request r = {.align_order = align_order};
	if (size <= PTRDIFF_MAX) {
		r.pages = (size + PAGE_SIZE - 1) >> PAGE_SHIFT;
		if (r.pages <= UINT32_MAX)
			large_run(large_alloc_sys, &r);
	}
	if (r.base == NULL)
		return NULL;
	struct page *page = page_find((uintptr_t)r.base);
	page->kind = PAGE_LARGE;
	page->large.pages = (uint32_t)r.pages;
	atomic_fetch_add_explicit(&large_bytes, r.pages << PAGE_SHIFT, memory_order_relaxed);
	atomic_fetch_add_explicit(&large_objects, 1, memory_order_relaxed);
	large_moved(r.pages << PAGE_SHIFT);
	/* What a slab left here may be the mark of a free object at this address: copied, and copied back by who reallocates to a small one that
	 * lies here again, it would make that one look free. */
	((struct object *)r.base)->mark = 0;
	if (heap_poison)
		memset(r.base, POISON_FRESH, r.pages << PAGE_SHIFT);
	return large_sample(r.base, r.pages << PAGE_SHIFT);
}

void large_free(void *p, struct page *page)
{
	ASSERT((page->kind & ~PAGE_SAMPLED) == PAGE_LARGE, "a heap pointer points to a live heap object");
	ASSERT((uintptr_t)p % PAGE_SIZE == 0, "a heap pointer is the start of an object");
	struct large_request r = {.pages = page->large.pages, .base = p};
	page->kind = PAGE_PLAIN;
	atomic_fetch_sub_explicit(&large_bytes, r.pages << PAGE_SHIFT, memory_order_relaxed);
	atomic_fetch_sub_explicit(&large_objects, 1, memory_order_relaxed);
	if (heap_poison)
		memset(p, POISON_FREE, r.pages << PAGE_SHIFT);
	large_run(large_free_sys, &r);
	large_moved(r.pages << PAGE_SHIFT);
}

void *large_trim(void *p, struct page *page, size_t size)
{
	struct large_request r = {.pages = page->large.pages, .base = p};
	r.keep = (size + PAGE_SIZE - 1) >> PAGE_SHIFT;
	if (r.keep == r.pages)
		return p;
	/* To a profile it is another object from here on. */
	if ((page->kind & PAGE_SAMPLED) != 0)
		heap_sampling->freed(p);
	page->kind = PAGE_PLAIN;
	large_run(large_trim_sys, &r);
	page->kind = PAGE_LARGE;
	page->large.pages = (uint32_t)r.keep;
	atomic_fetch_sub_explicit(&large_bytes, (r.pages - r.keep) << PAGE_SHIFT, memory_order_relaxed);
	large_moved((r.pages - r.keep) << PAGE_SHIFT);
	return large_sample(p, r.keep << PAGE_SHIFT);
}

void large_stats(size_t *bytes, size_t *objects)
{
	*bytes = atomic_load_explicit(&large_bytes, memory_order_relaxed);
	*objects = atomic_load_explicit(&large_objects, memory_order_relaxed);
}

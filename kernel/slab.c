/*
 * Owns the slabs and the central list of each size class.
 *
 *	class c: lock, partial --> slab --> slab --> 0		(linked by frame number through page
 *descriptors)
 *				    |
 *	first page's descriptor: class, live, first --> object --> object --> NULL	(free objects inside)
 *
 * A slab is a run of pages cut into objects of one class. It is on its class's partial list while it has both
 * a free object and a live one, on no list while it is full, and goes back to the pages when its last object
 * comes home.
 *
 * Invariants:
 * 1. live counts the objects outside the slab: in use, or in some hart's cache. Otherwise a slab would be
 *freed under somebody's object.
 * 2. kind, class and back are set before the first object leaves and cleared after the last came home.
 *    Otherwise heap_free() on any hart, which reads them with no lock, would take the wrong class.
 * 3. Pages are taken and given back with no class lock held. Otherwise the page lock's hold would add to it.
 */
#include "kernel/slab.h"

#include <stdatomic.h>

#include "kernel/assert.h"
#include "kernel/lock.h"
#include "kernel/page.h"

struct central {
	struct spinlock
		lock;     /* protects partial and, of the slabs of this class, live, first, links, objects */
	uint32_t partial; /* frame number */
	/* atomic: written under lock, read by slab_stats() */
	_Atomic size_t out, slabs;
} __attribute__((aligned(64)));

static struct central centrals[CLASS_COUNT] = {[0 ... CLASS_COUNT - 1] = {.lock = SPINLOCK_INIT(RANK_HEAP)}};

static void *frame_address(uint32_t frame)
{
	return (void *)((uintptr_t)frame << PAGE_SHIFT);
}

static struct page *frame_page(uint32_t frame)
{
	return page_find((uintptr_t)frame << PAGE_SHIFT);
}

static void count_add(_Atomic size_t *count, size_t n)
{
	size_t old = atomic_load_explicit(count, memory_order_relaxed);
	atomic_store_explicit(count, old + n, memory_order_relaxed);
}

static void partial_push(struct central *c, struct page *p, uint32_t frame)
{
	p->slab.prev = 0;
	p->slab.next = c->partial;
	if (c->partial != 0)
		frame_page(c->partial)->slab.prev = frame;
	c->partial = frame;
}

static void partial_remove(struct central *c, struct page *p)
{
	if (p->slab.prev != 0)
		frame_page(p->slab.prev)->slab.next = p->slab.next;
	else
		c->partial = p->slab.next;
	if (p->slab.next != 0)
		frame_page(p->slab.next)->slab.prev = p->slab.prev;
}

/* Cuts fresh pages into a slab of free objects, on no list. Returns its base; NULL when out of memory. */
static void *slab_make(unsigned class)
{
	const struct size_class *s = &size_classes[class];
	char *base = page_alloc_span(s->pages, 0);
	if (base == NULL)
		return NULL;
	struct page *p = page_find((uintptr_t)base);
	for (uint32_t i = 1; i < s->pages; i++) {
		p[i].kind = PAGE_SLAB_BODY;
		p[i].class = (uint8_t) class;
		p[i].body.back = i;
	}
	p->kind = PAGE_SLAB;
	p->class = (uint8_t) class;
	p->slab.live = 0;
	p->slab.first = 1;
	for (uint32_t i = 0; i < s->count; i++) {
		struct object *o = (struct object *)(base + (size_t)i * s->size);
		o->next = i + 1 < s->count ? (struct object *)((char *)o + s->size) : NULL;
		if (class > 0)
			o->mark = object_mark(o);
	}
	return base;
}

/* Gives the pages of a slab without live objects back. */
static void slab_unmake(void *base, unsigned class)
{
	const struct size_class *s = &size_classes[class];
	struct page *p = page_find((uintptr_t)base);
	for (uint32_t i = 0; i < s->pages; i++)
		p[i].kind = PAGE_PLAIN;
	page_free_span(base, s->pages);
}

/* Moves up to `want` free objects of the slab at `frame` to *list and returns how many. */
static unsigned slab_pop_locked(struct page *p, uint32_t frame, unsigned want, struct object **list)
{
	const struct size_class *s = &size_classes[p->class];
	char *base = frame_address(frame);
	struct object *o =
		p->slab.first == 0 ? NULL : (void *)(base + (p->slab.first - 1u) * (size_t)s->size);
	unsigned got = 0;
	while (got < want && o != NULL) {
		struct object *next = o->next;
		o->next = *list;
		*list = o;
		o = next;
		got++;
	}
	if (o == NULL) {
		p->slab.first = 0;
	} else {
		uintptr_t at = (uintptr_t)o - (uintptr_t)base;
		ASSERT(at / s->size < s->count && at % s->size == 0, "a free object is not written to");
		p->slab.first = (uint16_t)(at / s->size + 1);
	}
	p->slab.live = (uint16_t)(p->slab.live + got);
	return got;
}

unsigned slab_take(unsigned class, unsigned want, struct object **list)
{
	struct central *c = &centrals[class];
	unsigned got = 0;
	*list = NULL;
	spin_lock(&c->lock);
	while (got < want && c->partial != 0) {
		uint32_t frame = c->partial;
		struct page *p = frame_page(frame);
		got += slab_pop_locked(p, frame, want - got, list);
		if (p->slab.first == 0)
			partial_remove(c, p);
	}
	count_add(&c->out, got);
	spin_unlock(&c->lock);
	if (got > 0)
		return got;

	void *base = slab_make(class);
	if (base == NULL)
		return 0;
	struct page *p = page_find((uintptr_t)base);
	uint32_t frame = (uint32_t)((uintptr_t)base >> PAGE_SHIFT);
	spin_lock(&c->lock);
	got = slab_pop_locked(p, frame, want, list);
	if (p->slab.first != 0)
		partial_push(c, p, frame);
	count_add(&c->out, got);
	count_add(&c->slabs, 1);
	spin_unlock(&c->lock);
	return got;
}

void slab_give(unsigned class, struct object *list)
{
	struct central *c = &centrals[class];
	const struct size_class *s = &size_classes[class];
	struct object *empty = NULL; /* bases of slabs to free, linked through their first object */
	size_t given = 0, emptied = 0;
	spin_lock(&c->lock);
	while (list != NULL) {
		struct object *o = list;
		list = o->next;
		struct page *p, *page = page_find((uintptr_t)o);
		unsigned index;
		bool start = page != NULL && slab_index((uintptr_t)o, page, &index, &p);
		ASSERT(start, "a free object is not written to");
		char *base = (char *)o - (size_t)index * s->size;
		if (p->slab.first == 0) {
			o->next = NULL;
			partial_push(c, p, (uint32_t)((uintptr_t)base >> PAGE_SHIFT));
		} else {
			o->next = (struct object *)(base + (p->slab.first - 1u) * (size_t)s->size);
		}
		p->slab.first = (uint16_t)(index + 1);
		given++;
		ASSERT(p->slab.live > 0, "no more objects come home than left");
		if (--p->slab.live == 0) {
			partial_remove(c, p);
			((struct object *)base)->next = empty;
			empty = (struct object *)base;
			emptied++;
		}
	}
	count_add(&c->out, -given);
	count_add(&c->slabs, -emptied);
	spin_unlock(&c->lock);
	while (empty != NULL) {
		struct object *base = empty;
		empty = base->next;
		slab_unmake(base, class);
	}
}

struct slab_stats slab_stats(unsigned class)
{
	struct central *c = &centrals[class];
	return (struct slab_stats){
		.out = atomic_load_explicit(&c->out, memory_order_relaxed),
		.slabs = atomic_load_explicit(&c->slabs, memory_order_relaxed),
	};
}

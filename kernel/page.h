/*
 * Physical pages. RAM is identity mapped, so an address is both physical and virtual. page.c owns the lock,
 * the per-hart caches of single pages and the figures; buddy.c owns the blocks.
 *
 * Contexts: every function here runs in boot, system or page-fault context and nowhere else, because the page
 * lock is taken on stacks that cannot fault. A goroutine asks the heap (heap_aligned(PAGE_SIZE, n)), which
 * moves to the system stack for it.
 */
#ifndef KERNEL_PAGE_H
#define KERNEL_PAGE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/limits.h"

enum {
	PAGE_SHIFT = 12,
	PAGE_ORDER_MAX = 18,   /* largest block: 2^18 pages, 1 GiB */
	PAGE_ZONE_MAX = 32,    /* disjoint ranges of RAM */
	PAGE_CACHE_MAX = 32,   /* single pages kept by one hart */
	PAGE_CACHE_BATCH = 16, /* moved between a hart and the blocks at once */
	PAGE_CHUNK_SHIFT = 8,  /* frames whose descriptors are made ready together: 1 MiB of RAM */
};

_Static_assert(1 << PAGE_SHIFT == PAGE_SIZE, "page shift and page size agree");

struct page_range {
	uint64_t start, size; /* bytes; need not be page aligned */
};

enum page_state {
	PAGE_INSIDE, /* not the first frame of a block */
	PAGE_FREE,   /* first frame of a free block, on its order's list */
	PAGE_CACHED, /* free, in a hart's cache */
	PAGE_USED,   /* first frame of a block that was handed out */
};

/* What the owner of a page put there. PAGE_PLAIN when handed out, and again before it is given back. */
enum page_kind {
	PAGE_PLAIN,
	PAGE_SLAB,      /* first page of a slab: size class and live count are here */
	PAGE_SLAB_BODY, /* another page of a slab: says how far back the first one is */
	PAGE_LARGE,     /* first page of a heap object of whole pages */

	PAGE_SAMPLED =
		4, /* with one of these three: an object that starts here is in the heap profile (kernel/heap.h) */
};

/* One per frame of RAM. */
struct page {
	_Atomic uint8_t state; /* enum page_state; under the page lock, or by the hart that owns the page */
	uint8_t order;         /* of a block's first frame; under the page lock */
	uint8_t kind; /* enum page_kind; immutable, but for PAGE_SAMPLED, while an object lives in the page */
	uint8_t class; /* of a slab; immutable while an object lives in the page */
	union {
		struct {
			uint32_t next, prev; /* frame numbers, 0 ends the list; under the page lock */
		} block;
		struct {
			uint32_t next, prev; /* frame numbers, 0 ends the list; under the class's lock */
			uint16_t live;       /* objects outside the slab; under the class's lock */
			uint16_t first;      /* 1 + index of the first free object, 0: none; same lock */
		} slab;
		struct {
			uint32_t back; /* pages from the slab's first one; immutable */
		} body;
		struct {
			uint32_t pages; /* immutable */
		} large;
	};
};

_Static_assert(sizeof(struct page) == 16, "a page descriptor is 0.4 % of its page");

/* A contiguous range of RAM under management. Immutable after page_init(), except `ready`, and that `frames` of the largest grows once. */
struct page_zone {
	uint32_t first;     /* frame number */
	uint32_t frames;    /* length; written under the page lock */
	uint32_t chunk;     /* number of the first frame's chunk */
	struct page *pages; /* descriptor of frame first + i at [i] */
	_Atomic uint8_t
		*ready; /* per aligned chunk of frames: its descriptors are valid; set under the page lock */
};

extern struct page_zone page_zones[PAGE_ZONE_MAX]; /* the largest first */
extern unsigned page_zone_count;

/* Descriptor of the page that holds addr, if that is in zone z and its chunk is ready; else NULL. Takes no
 * lock. Any context. */
static inline struct page *page_find_in(const struct page_zone *z, uintptr_t addr)
{
	uintptr_t frame = addr >> PAGE_SHIFT, at = frame - z->first;
	if (__builtin_expect(at >= z->frames, 0))
		return NULL;
	size_t chunk = (frame >> PAGE_CHUNK_SHIFT) - z->chunk;
	if (__builtin_expect(!atomic_load_explicit(&z->ready[chunk], memory_order_relaxed), 0))
		return NULL;
	return &z->pages[at];
}

/* Descriptor of the page that holds addr; NULL when addr is not managed RAM, or never was in a block of less
 * than a chunk. Takes no lock. Any context. */
static inline struct page *page_find(uintptr_t addr)
{
	struct page *p = NULL;
	for (unsigned i = 0; i < page_zone_count && p == NULL; i++)
		p = page_find_in(&page_zones[i], addr);
	return p;
}

/* Takes over the RAM in ranges (any order, disjoint; page 0 and partial pages are left out), of
 * the largest one for now only the first 4 MiB or so. The descriptors are carved from the largest one; panics when it cannot hold them. Ranges beyond PAGE_ZONE_MAX are counted
 * in page_stats.ignored. Boot, once. */
void page_init(const struct page_range *ranges, size_t n);
/* Takes over the rest, at the latest before an allocation fails. System context; the argument is for on_system_stack(). */
void page_rest_sys(void *unused);

/* 2^order pages, aligned to their size, not zeroed. NULL when there is no such block (counted).
 * Order 0 comes from this hart's cache and seldom takes the lock. */
void *page_alloc(unsigned order) __attribute__((warn_unused_result));
void *page_alloc_zero(unsigned order) __attribute__((warn_unused_result));
/* Gives a block back. Asserts that p is the first page of a block of this order that is handed out. */
void page_free(void *p, unsigned order);

/* Exactly `pages` contiguous pages, aligned to 2^align_order pages; no power of two is rounded up to. NULL
 * when there is no such run (counted) or pages is 0. */
void *page_alloc_span(size_t pages, unsigned align_order) __attribute__((warn_unused_result));
void page_free_span(void *p, size_t pages);
/* Gives the pages of a span beyond the first `keep` back; keep is 1 or more. */
void page_trim_span(void *p, size_t pages, size_t keep);

/* Whether so little is free (1/64, at most 16 MiB) that it is kept for what cannot do without. A guess from figures that change meanwhile;
 * takes no lock. Any context. */
bool page_short(void);

/* Gives the single pages cached by this hart back. */
void page_drain(void);

struct page_stats {
	size_t total;   /* pages under management, descriptors not counted */
	size_t unused;  /* free, in hart caches included */
	size_t cached;  /* in hart caches */
	size_t peak;    /* most pages ever outside the blocks (handed out or cached) at once */
	size_t failed;  /* requests answered with NULL */
	size_t ignored; /* pages of RAM that page_init() left out */
	size_t free_blocks[PAGE_ORDER_MAX + 1]; /* by order */
};

/* Figures in pages. Other harts' caches are read while they change. Takes the page lock. */
void page_stats(struct page_stats *s);

#endif

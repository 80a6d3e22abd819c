/*
 * Owns the page lock, each hart's cache of single pages and the figures; the blocks are buddy.c's.
 *
 *	page_alloc(0) -- this hart's cache -- 16 at once, page lock --> blocks
 *	everything else ------------------------ page lock -----------> blocks
 *
 * Invariants:
 * 1. The page lock and a hart's cache are touched only in boot, system and page-fault context, whose stacks
 *    cannot fault, and a page fault never interrupts them. Otherwise the fault handler would wait for a lock
 *    its own hart holds, or hand out the page that was just being taken. Asserted by the cache's busy flag
 *and by the lock's recursion check.
 * 2. A page in a cache is PAGE_CACHED: neither free to merge nor handed out. Otherwise freeing it twice would
 *    not be noticed.
 */
#include "kernel/page.h"

#include <string.h>

#include "kernel/assert.h"
#include "kernel/buddy.h"
#include "kernel/lock.h"
#include "kernel/preempt.h"

enum { SHORT_MAX = (16 << 20) / PAGE_SIZE };

struct page_cache {
	/* owned by this hart */
	bool busy;
	void *pages[PAGE_CACHE_MAX];
	/* atomic: written by this hart, read by page_stats() */
	_Atomic uint16_t count; /* 16 bits: gcc for riscv64 stores wider atomics with an amoswap */
} __attribute__((aligned(64)));

static struct spinlock lock = SPINLOCK_INIT(RANK_PAGE); /* protects buddy.c's blocks, peak, failed */
static size_t peak, failed;
static struct page_cache caches[HART_MAX];

static void *frame_address(uint32_t frame)
{
	return (void *)((uintptr_t)frame << PAGE_SHIFT);
}

static uint32_t address_frame(const void *p)
{
	ASSERT((uintptr_t)p % PAGE_SIZE == 0, "a page address is page aligned");
	ASSERT(page_find((uintptr_t)p) != NULL, "only pages that were handed out are given back");
	return (uint32_t)((uintptr_t)p >> PAGE_SHIFT);
}

static void peak_update_locked(void)
{
	size_t used = buddy_stats.total - buddy_stats.unused;
	if (used > peak)
		peak = used;
}

static struct page_cache *cache_enter(void)
{
	struct page_cache *c = &caches[hart_index()];
	ASSERT(!c->busy,
	       "a page fault never interrupts the page allocator: it runs on stacks that cannot fault");
	c->busy = true;
	atomic_signal_fence(memory_order_seq_cst);
	return c;
}

static void cache_leave(struct page_cache *c, uint32_t count)
{
	atomic_store_explicit(&c->count, (uint16_t)count, memory_order_relaxed);
	atomic_signal_fence(memory_order_seq_cst);
	c->busy = false;
}

static uint32_t cache_count(struct page_cache *c)
{
	return atomic_load_explicit(&c->count, memory_order_relaxed);
}

static void state_set(const void *p, enum page_state state)
{
	atomic_store_explicit(&page_find((uintptr_t)p)->state, (uint8_t)state, memory_order_relaxed);
}

/* Gives the n coldest pages of a cache back and returns how many stay. */
static uint32_t cache_shrink(struct page_cache *c, uint32_t count, uint32_t n)
{
	spin_lock(&lock);
	for (uint32_t i = 0; i < n; i++) {
		state_set(c->pages[i], PAGE_USED);
		buddy_give_locked((uint32_t)((uintptr_t)c->pages[i] >> PAGE_SHIFT), 1);
	}
	spin_unlock(&lock);
	for (uint32_t i = n; i < count; i++)
		c->pages[i - n] = c->pages[i];
	return count - n;
}

static void *single_alloc(void)
{
	struct page_cache *c = cache_enter();
	uint32_t count = cache_count(c);
	if (count == 0) {
		spin_lock(&lock);
		uint32_t frame, n;
		while (count < PAGE_CACHE_BATCH &&
		       (frame = buddy_take_singles_locked(PAGE_CACHE_BATCH - count, &n)) != 0) {
			for (uint32_t i = 0; i < n; i++, count++) {
				c->pages[count] = frame_address(frame + i);
				state_set(c->pages[count], PAGE_CACHED);
			}
		}
		failed += count == 0;
		peak_update_locked();
		spin_unlock(&lock);
	}
	void *p = NULL;
	if (count > 0) {
		p = c->pages[--count];
		state_set(p, PAGE_USED);
	}
	cache_leave(c, count);
	return p;
}

static void single_free(void *p)
{
	uint32_t frame = address_frame(p);
	struct page *page = page_find((uintptr_t)frame << PAGE_SHIFT);
	ASSERT(atomic_load_explicit(&page->state, memory_order_relaxed) == PAGE_USED,
	       "a page is given back once, by its first page");
	ASSERT(page->order == 0, "a run is given back with the length it was taken with");
	ASSERT(page->kind == PAGE_PLAIN, "an owner removes its mark before it gives a page back");
	struct page_cache *c = cache_enter();
	uint32_t count = cache_count(c);
	if (count == PAGE_CACHE_MAX)
		count = cache_shrink(c, count, PAGE_CACHE_BATCH);
	state_set(p, PAGE_CACHED);
	c->pages[count] = p;
	cache_leave(c, count + 1);
}

void page_init(const struct page_range *ranges, size_t n)
{
	buddy_init(ranges, n);
	peak = failed = 0;
}

void page_rest_sys(void *unused)
{
	(void)unused;
	spin_lock(&lock);
	buddy_rest_locked();
	spin_unlock(&lock);
}

void *page_alloc_span(size_t pages, unsigned align_order)
{
	ASSERT(align_order <= PAGE_ORDER_MAX, "pages are aligned to at most the largest block");
	if (pages == 1 && align_order == 0)
		return single_alloc();
	spin_lock(&lock);
	uint32_t frame = buddy_take_locked(pages, align_order);
	failed += frame == 0;
	peak_update_locked();
	spin_unlock(&lock);
	return frame_address(frame);
}

void page_free_span(void *p, size_t pages)
{
	ASSERT(pages > 0, "a span has pages");
	if (pages == 1) {
		single_free(p);
		return;
	}
	uint32_t frame = address_frame(p);
	spin_lock(&lock);
	buddy_give_locked(frame, pages);
	spin_unlock(&lock);
}

void page_trim_span(void *p, size_t pages, size_t keep)
{
	ASSERT(keep > 0 && keep <= pages, "a span keeps one page or more");
	uint32_t frame = address_frame(p);
	spin_lock(&lock);
	buddy_trim_locked(frame, pages, keep);
	spin_unlock(&lock);
}

void *page_alloc(unsigned order)
{
	ASSERT(order <= PAGE_ORDER_MAX, "a block is at most 1 GiB");
	return page_alloc_span((size_t)1 << order, order);
}

/* 32 words a round: a store for each word and little else. The stores are volatile so that they stay what they are. */
static void zero(void *p, size_t pages)
{
	volatile uint64_t *w = p;
	const volatile uint64_t *end = w + pages * (PAGE_SIZE / sizeof *w);
#define ZERO4(i) w[i] = 0, w[(i) + 1] = 0, w[(i) + 2] = 0, w[(i) + 3] = 0
	for (; w != end; w += 32) {
		ZERO4(0), ZERO4(4), ZERO4(8), ZERO4(12);
		ZERO4(16), ZERO4(20), ZERO4(24), ZERO4(28);
	}
#undef ZERO4
}

void *page_alloc_zero(unsigned order)
{
	void *p = page_alloc(order);
	if (p != NULL)
		zero(p, (size_t)1 << order);
	return p;
}

void page_free(void *p, unsigned order)
{
	ASSERT(order <= PAGE_ORDER_MAX, "a block is at most 1 GiB");
	page_free_span(p, (size_t)1 << order);
}

bool page_short(void)
{
	size_t keep = buddy_stats.total / 64;
	return __atomic_load_n(&buddy_stats.unused, __ATOMIC_RELAXED) < (keep < SHORT_MAX ? keep : SHORT_MAX);
}

void page_drain(void)
{
	struct page_cache *c = cache_enter();
	cache_leave(c, cache_shrink(c, cache_count(c), cache_count(c)));
}

void page_stats(struct page_stats *s)
{
	memset(s, 0, sizeof *s);
	spin_lock(&lock);
	s->total = buddy_stats.total;
	s->unused = buddy_stats.unused;
	s->ignored = buddy_stats.ignored;
	s->peak = peak;
	s->failed = failed;
	memcpy(s->free_blocks, buddy_stats.blocks, sizeof s->free_blocks);
	spin_unlock(&lock);
	for (unsigned i = 0; i < HART_MAX; i++)
		s->cached += cache_count(&caches[i]);
	s->unused += s->cached;
}

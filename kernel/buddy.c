/*
 * Owns the blocks of free and used frames, over any number of disjoint zones.
 *
 * A block is 2^order frames, aligned to its size. Its first frame's descriptor, the head, says whether it is
 * free and its order; free heads are on a doubly linked list per order, linked by frame number. A run of any
 * length is the series of the largest aligned blocks that cover it from left to right, each with a used head:
 *
 *	frames  4   5   6   7   8  .  .  .  .  .  .  .  .  .  . 15  16  17  18
 *	heads   [used, 2      ][used, 3                            ][used,1][used,0]	a run of 15
 *
 * so that taking one means carving it from a free block and freeing the rest, and no length needs a table.
 *
 * Invariants, all under the page lock:
 * 1. Every frame of a zone lies in exactly one block. Otherwise memory is lost, or given out twice.
 * 2. Only a block's head has a state other than PAGE_INSIDE. Otherwise a merge would take a stale head inside
 *a used block for a free block.
 * 3. Two free buddies of one order do not exist side by side: give merges them. Otherwise a run may look
 *absent that is there.
 * 4. A head lies in a ready chunk: one whose descriptors were cleared. Inside a block of more than a chunk
 *the descriptors may never have been written, and are not read. Otherwise starting up would have to write
 *    every descriptor (4 MiB for 1 GiB of RAM).
 * 5. Of the largest zone only the first frames are in the lists when buddy_init() returns; buddy_rest_locked() adds the rest, once, before a
 *    take fails. Otherwise boot would touch descriptors all over the table, and with each a page of the host's that nobody has used yet.
 *    Where the two parts meet ends a block of the first, so rule 3 and the next paragraph hold across it.
 * 6. Frame 0 is never managed, so 0 ends a list and means "none".
 *
 * Reading the buddy of a block needs no ready check: the frame at the other half of a split, or of the first
 * cover of the zone, has been a head ever since.
 */
#include "kernel/buddy.h"

#include <string.h>

#include "kernel/assert.h"

enum {
	RUN_TRIES =
		1024, /* free blocks looked at when no single one is large enough; bounds the time under lock */
	START_FRAMES = 1024, /* of the largest zone, in its free lists from the start: boot needs no more */
};

struct page_zone page_zones[PAGE_ZONE_MAX];
unsigned page_zone_count;
struct buddy_stats buddy_stats;

static uint32_t heads[PAGE_ORDER_MAX + 1];
static uint32_t
	rest; /* frames of the largest zone that are not in its free lists yet, behind those that are */
static uint32_t packed_end; /* the frame after the last run whose length is no power of two, 0: none */

static struct page_zone *zone_of(uint32_t frame)
{
	for (unsigned i = 0; i < page_zone_count; i++)
		if (frame - page_zones[i].first < page_zones[i].frames)
			return &page_zones[i];
	panic("page frame %#lx lies in no zone", (unsigned long)frame);
}

static struct page *page_of(uint32_t frame)
{
	struct page_zone *z = zone_of(frame);
	return &z->pages[frame - z->first];
}

static unsigned state_of(const struct page *p)
{
	return atomic_load_explicit(&p->state, memory_order_relaxed);
}

static void state_set(struct page *p, enum page_state state)
{
	atomic_store_explicit(&p->state, (uint8_t)state, memory_order_relaxed);
}

static _Atomic uint8_t *chunk_ready(struct page_zone *z, uint32_t frame)
{
	return &z->ready[(frame >> PAGE_CHUNK_SHIFT) - z->chunk];
}

/* The descriptor of a frame that becomes a head: clears its chunk's descriptors the first time. */
static struct page *head_make(uint32_t frame, enum page_state state, unsigned order)
{
	struct page_zone *z = zone_of(frame);
	_Atomic uint8_t *ready = chunk_ready(z, frame);
	if (!atomic_load_explicit(ready, memory_order_relaxed)) {
		uint32_t lo = frame >> PAGE_CHUNK_SHIFT << PAGE_CHUNK_SHIFT,
			 hi = lo + (1u << PAGE_CHUNK_SHIFT);
		if (lo < z->first)
			lo = z->first;
		if (hi > z->first + z->frames)
			hi = z->first + z->frames;
		memset(&z->pages[lo - z->first], 0, (hi - lo) * sizeof(struct page));
		atomic_store_explicit(ready, 1, memory_order_relaxed);
	}
	struct page *p = &z->pages[frame - z->first];
	state_set(p, state);
	p->order = (uint8_t)order;
	return p;
}

static void list_push(uint32_t frame, unsigned order)
{
	struct page *p = head_make(frame, PAGE_FREE, order);
	p->block.prev = 0;
	p->block.next = heads[order];
	if (heads[order] != 0)
		page_of(heads[order])->block.prev = frame;
	heads[order] = frame;
	buddy_stats.blocks[order]++;
	buddy_stats.unused += (size_t)1 << order;
}

/* Takes a free block off its list; it has no head until the caller makes one. */
static void list_remove(uint32_t frame)
{
	struct page *p = page_of(frame);
	ASSERT(state_of(p) == PAGE_FREE, "only a free block is on a list of free blocks");
	unsigned order = p->order;
	if (p->block.prev != 0)
		page_of(p->block.prev)->block.next = p->block.next;
	else
		heads[order] = p->block.next;
	if (p->block.next != 0)
		page_of(p->block.next)->block.prev = p->block.prev;
	state_set(p, PAGE_INSIDE);
	buddy_stats.blocks[order]--;
	buddy_stats.unused -= (size_t)1 << order;
}

/* Adds a block that has no head to the free ones, merged with its free buddies. */
static void block_release(uint32_t frame, unsigned order)
{
	const struct page_zone *z = zone_of(frame);
	for (; order < PAGE_ORDER_MAX; order++) {
		uint64_t size = (uint64_t)1 << order, buddy = frame ^ size;
		if (buddy < z->first || buddy + size > (uint64_t)z->first + z->frames)
			break;
		const struct page *b = &z->pages[buddy - z->first];
		if (state_of(b) != PAGE_FREE || b->order != order)
			break;
		list_remove((uint32_t)buddy);
		if (buddy < frame)
			frame = (uint32_t)buddy;
	}
	list_push(frame, order);
}

/* Order of the first block of the run of `count` frames at `frame`. */
static unsigned run_order(uint32_t frame, size_t count)
{
	unsigned order = 0;
	while (order < PAGE_ORDER_MAX && (frame >> order & 1) == 0 && (size_t)2 << order <= count)
		order++;
	return order;
}

static void run_release(uint32_t frame, size_t count)
{
	while (count > 0) {
		unsigned order = run_order(frame, count);
		block_release(frame, order);
		frame += 1u << order;
		count -= (size_t)1 << order;
	}
}

static void run_mark_used(uint32_t frame, size_t count)
{
	while (count > 0) {
		unsigned order = run_order(frame, count);
		head_make(frame, PAGE_USED, order)->kind = PAGE_PLAIN;
		frame += 1u << order;
		count -= (size_t)1 << order;
	}
}

/* Undoes run_mark_used() after checking every head. */
static void run_unmark(uint32_t frame, size_t count)
{
	const struct page_zone *z = zone_of(frame);
	ASSERT(count <= z->frames - (frame - z->first), "a run is given back inside the zone it came from");
	while (count > 0) {
		unsigned order = run_order(frame, count);
		ASSERT(atomic_load_explicit(chunk_ready(zone_of(frame), frame), memory_order_relaxed),
		       "only pages that were handed out are given back");
		struct page *p = page_of(frame);
		ASSERT(state_of(p) == PAGE_USED, "a page is given back once, by its first page");
		ASSERT(p->order == order, "a run is given back with the length it was taken with");
		ASSERT(p->kind == PAGE_PLAIN, "an owner removes its mark before it gives a page back");
		state_set(p, PAGE_INSIDE);
		frame += 1u << order;
		count -= (size_t)1 << order;
	}
}

/* The free block that ends just before `frame`, or 0. */
static uint32_t free_before(const struct page_zone *z, uint32_t frame)
{
	for (unsigned order = 0; order <= PAGE_ORDER_MAX; order++) {
		uint32_t size = 1u << order;
		if ((frame & (size - 1)) != 0 || frame - z->first < size)
			return 0;
		uint32_t at = frame - size;
		if (!atomic_load_explicit(chunk_ready((struct page_zone *)z, at), memory_order_relaxed))
			continue;
		const struct page *p = &z->pages[at - z->first];
		if (state_of(p) == PAGE_FREE && p->order == order)
			return at;
	}
	return 0;
}

/* Takes every free block in [lo, hi) off its list, uses the run at `frame` and releases what is left. */
static void run_carve(uint32_t lo, uint32_t hi, uint32_t frame, size_t count)
{
	for (uint32_t at = lo; at < hi;) {
		uint32_t size = 1u << page_of(at)->order;
		list_remove(at);
		at += size;
	}
	run_mark_used(frame, count);
	run_release(lo, frame - lo);
	run_release(frame + (uint32_t)count, hi - frame - count);
}

/* End of the free frames from the free block at `at` on, looking no further than `enough`. */
static uint32_t free_end(const struct page_zone *z, uint32_t at, uint64_t enough)
{
	uint32_t end = z->first + z->frames;
	while (at < end && at < enough && state_of(&z->pages[at - z->first]) == PAGE_FREE)
		at += 1u << z->pages[at - z->first].order;
	return at;
}

/* Takes a run right behind the last one of odd length. Otherwise runs of 9 would use 9 frames of every 16. */
static uint32_t run_pack(size_t count)
{
	if (packed_end == 0)
		return 0;
	const struct page_zone *z = zone_of(packed_end);
	uint32_t from = packed_end, hi = free_end(z, from, (uint64_t)from + count);
	if (hi < from + count)
		return 0;
	run_carve(from, hi, from, count);
	return from;
}

/* Looks for a run among neighbouring free blocks of which none is large enough. A run of 2^(k+1) frames or
 * more contains an aligned block of 2^k, which is free and so part of a free block at least that large: one
 * look at the lists from k up finds a run, if RUN_TRIES suffices. */
static uint32_t run_search(size_t count, unsigned align_order)
{
	unsigned least = 0, tries = RUN_TRIES;
	uint64_t mask = ((uint64_t)1 << align_order) - 1;
	while ((size_t)4 << least <= count && least < PAGE_ORDER_MAX)
		least++;
	for (unsigned order = PAGE_ORDER_MAX + 1; order-- > least;) {
		for (uint32_t at = heads[order]; at != 0 && tries > 0;
		     at = page_of(at)->block.next, tries--) {
			const struct page_zone *z = zone_of(at);
			uint32_t lo = at;
			for (uint32_t b; (b = free_before(z, lo)) != 0;)
				lo = b;
			uint64_t from = ((uint64_t)lo + mask) & ~mask;
			uint32_t hi = free_end(z, at, from + count);
			if (from + count <= hi) {
				run_carve(lo, hi, (uint32_t)from, count);
				return (uint32_t)from;
			}
		}
	}
	return 0;
}

/* The first frame of a run from one free block, or from several that are neighbours. */
static uint32_t run_take(size_t count, unsigned align_order)
{
	unsigned order = align_order;
	while (order <= PAGE_ORDER_MAX && (size_t)1 << order < count)
		order++;
	for (; order <= PAGE_ORDER_MAX; order++) {
		uint32_t frame = heads[order];
		if (frame == 0)
			continue;
		run_carve(frame, frame + (1u << order), frame, count);
		return frame;
	}
	/* A whole aligned block that is free is one block already (invariant 3). */
	return count != (size_t)1 << align_order ? run_search(count, align_order) : 0;
}

static uint32_t take(size_t count, unsigned align_order)
{
	if (count == 0 || count > buddy_stats.unused)
		return 0;
	if (align_order > 0 || (count & (count - 1)) == 0)
		return run_take(count, align_order);
	uint32_t frame = run_pack(count);
	if (frame == 0)
		frame = run_take(count, 0);
	if (frame != 0) {
		const struct page_zone *z = zone_of(frame);
		uint64_t end = (uint64_t)frame + count;
		packed_end = end < (uint64_t)z->first + z->frames ? (uint32_t)end : 0;
	}
	return frame;
}

uint32_t buddy_take_locked(size_t count, unsigned align_order)
{
	uint32_t frame = take(count, align_order);
	if (frame == 0 && rest != 0) {
		buddy_rest_locked();
		frame = take(count, align_order);
	}
	return frame;
}

uint32_t buddy_take_singles_locked(uint32_t most, uint32_t *n)
{
	unsigned order = 0;
	while (order < PAGE_ORDER_MAX && heads[order] == 0)
		order++;
	if (heads[order] == 0)
		order = 0; /* of what is not in the lists yet */
	while (1u << order > most)
		order--;
	*n = 1u << order;
	uint32_t first = buddy_take_locked(*n, order);
	for (uint32_t i = 0; first != 0 && i < *n; i++)
		head_make(first + i, PAGE_USED, 0)->kind = PAGE_PLAIN;
	return first;
}

void buddy_give_locked(uint32_t frame, size_t count)
{
	run_unmark(frame, count);
	run_release(frame, count);
}

void buddy_trim_locked(uint32_t frame, size_t count, size_t keep)
{
	run_unmark(frame, count);
	run_mark_used(frame, keep);
	run_release(frame + (uint32_t)keep, count - keep);
}

/* Adds the whole pages of a range as a zone; the largest stays in front. */
static void zone_add(const struct page_range *r)
{
	uint64_t end = r->start + r->size;
	ASSERT(end >= r->start && end >> PAGE_SHIFT <= UINT32_MAX, "RAM ends below 16 TiB");
	uint64_t first = (r->start + PAGE_SIZE - 1) >> PAGE_SHIFT, last = end >> PAGE_SHIFT;
	if (first == 0)
		first = 1;
	if (first >= last)
		return;
	if (page_zone_count == PAGE_ZONE_MAX) {
		buddy_stats.ignored += last - first;
		return;
	}
	struct page_zone z = {.first = (uint32_t)first, .frames = (uint32_t)(last - first)};
	for (unsigned i = 0; i < page_zone_count; i++)
		ASSERT(last <= page_zones[i].first ||
			       first >= (uint64_t)page_zones[i].first + page_zones[i].frames,
		       "ranges of RAM are disjoint");
	page_zones[page_zone_count] = z;
	if (z.frames > page_zones[0].frames) {
		page_zones[page_zone_count] = page_zones[0];
		page_zones[0] = z;
	}
	page_zone_count++;
}

static size_t zone_chunks(const struct page_zone *z)
{
	return ((z->first + z->frames - 1) >> PAGE_CHUNK_SHIFT) - (z->first >> PAGE_CHUNK_SHIFT) + 1;
}

void buddy_init(const struct page_range *ranges, size_t n)
{
	ASSERT(page_zone_count == 0, "pages are set up once");
	memset(heads, 0, sizeof heads);
	memset(&buddy_stats, 0, sizeof buddy_stats);
	packed_end = 0;
	for (size_t i = 0; i < n; i++)
		zone_add(&ranges[i]);
	size_t frames = 0, chunks = 0;
	for (unsigned i = 0; i < page_zone_count; i++) {
		frames += page_zones[i].frames;
		chunks += zone_chunks(&page_zones[i]);
	}
	struct page_zone *big = &page_zones[0];
	size_t bytes = frames * sizeof(struct page) + chunks;
	size_t taken = (bytes + PAGE_SIZE - 1) >> PAGE_SHIFT;
	if (page_zone_count == 0 || taken >= big->frames)
		panic("no range of RAM can hold the page descriptors (%zu pages in %u ranges)", frames,
		      page_zone_count);

	struct page *pages = (struct page *)((uintptr_t)big->first << PAGE_SHIFT);
	_Atomic uint8_t *ready = (_Atomic uint8_t *)(pages + frames);
	memset((void *)ready, 0, chunks);
	for (unsigned i = 0; i < page_zone_count; i++) {
		struct page_zone *z = &page_zones[i];
		z->chunk = z->first >> PAGE_CHUNK_SHIFT;
		z->pages = pages;
		z->ready = ready;
		pages += z->frames;
		ready += zone_chunks(z);
	}
	big->first += (uint32_t)taken;
	big->frames -= (uint32_t)taken;
	big->chunk = big->first >> PAGE_CHUNK_SHIFT;
	/* Up to a chunk's end: chunks become ready as a whole. */
	uint32_t chunk = 1u << PAGE_CHUNK_SHIFT, start = START_FRAMES + chunk - big->first % chunk;
	rest = big->frames > start ? big->frames - start : 0;
	big->frames -= rest;
	for (unsigned i = 0; i < page_zone_count; i++) {
		buddy_stats.total += page_zones[i].frames;
		run_release(page_zones[i].first, page_zones[i].frames);
	}
}

void buddy_rest_locked(void)
{
	struct page_zone *big = &page_zones[0];
	uint32_t more = rest, frame = big->first + big->frames;
	rest = 0;
	__atomic_store_n(&big->frames, big->frames + more, __ATOMIC_RELAXED);
	buddy_stats.total += more;
	run_release(frame, more);
}

/* Blocks of pages: the binary buddy below kernel/page.c. Not for other users. */
#ifndef KERNEL_BUDDY_H
#define KERNEL_BUDDY_H

#include "kernel/page.h"

struct buddy_stats {
	size_t total, unused, ignored;
	size_t blocks[PAGE_ORDER_MAX + 1]; /* free, by order */
};

extern struct buddy_stats buddy_stats; /* guarded by the page lock */

/* Builds the zones, their descriptors and the free lists, of the largest zone for its first frames only. Boot, once. */
void buddy_init(const struct page_range *ranges, size_t n);
/* Adds the other frames of the largest zone, if that has not been done; buddy_take_locked() does when it has to. */
void buddy_rest_locked(void);
/* The first frame number of `count` contiguous free frames, aligned to 2^align_order, marked as used blocks;
 * 0 when there is no such run. */
uint32_t buddy_take_locked(size_t count, unsigned align_order);
/* Takes neighbouring frames, at most `most`, as so many used blocks of one frame each: the smallest free block, or a part of it. *n is how
 * many; returns the first, 0 when nothing is free. */
uint32_t buddy_take_singles_locked(uint32_t most, uint32_t *n);
/* Gives `count` frames from `frame` on back. Asserts that they are the used blocks that buddy_take_locked()
 * made for this count. */
void buddy_give_locked(uint32_t frame, size_t count);
/* Gives back all of a run but the first `keep` frames. */
void buddy_trim_locked(uint32_t frame, size_t count, size_t keep);

#endif

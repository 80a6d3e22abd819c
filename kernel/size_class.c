/*
 * Owns the table of size classes: 8, then every 16 up to 128, then eight steps to each doubling up to 32 KiB.
 * A request above 128 bytes wastes under 12.5 % of its object, and a slab is the fewest pages whose unused
 * tail is at most 12.5 %.
 *
 * Invariants:
 * 1. Every class but the first is a multiple of 16 bytes, and slabs start on a page. Otherwise an object of
 * 16 bytes or more would lack malloc's alignment.
 * 2. offset * reciprocal >> 32 is offset / size for every offset in a slab. Otherwise freeing an object would
 *    hit its neighbour. It holds while offset * size < 2^32.
 */
#include "kernel/size_class.h"

#include "kernel/assert.h"
#include "kernel/limits.h"

enum { BATCH_BYTES = 8192, BATCH_MAX = 32 };

struct size_class size_classes[CLASS_COUNT];
uint8_t class_fine[CLASS_FINE_MAX / 8 + 1], class_coarse[CLASS_SIZE_MAX / 128 + 1];

static void class_set(struct size_class *c, uint32_t size)
{
	uint32_t pages = 1, batch = BATCH_BYTES / size;
	while (pages * PAGE_SIZE % size > pages * PAGE_SIZE / 8)
		pages++;
	ASSERT((uint64_t)pages * PAGE_SIZE * size < 1ull << 32, "the reciprocal is exact in a slab");
	c->size = size;
	c->reciprocal = (uint32_t)(((1ull << 32) + size - 1) / size);
	c->pages = (uint16_t)pages;
	c->count = (uint16_t)(pages * PAGE_SIZE / size);
	c->batch = (uint16_t)(batch > BATCH_MAX ? BATCH_MAX : batch < 1 ? 1 : batch);
}

void size_class_init(void)
{
	unsigned n = 0;
	class_set(&size_classes[n++], 8);
	for (uint32_t size = 16, step = 16; size <= CLASS_SIZE_MAX; size += step) {
		while (size >= 16 * step)
			step *= 2;
		class_set(&size_classes[n++], size);
	}
	ASSERT(n == CLASS_COUNT, "the table has room for every class");
	unsigned fine = 0, coarse = 0;
	for (uint32_t i = 0; i < sizeof class_fine; i++) {
		while (size_classes[fine].size < i * 8)
			fine++;
		class_fine[i] = (uint8_t)fine;
	}
	for (uint32_t i = 0; i < sizeof class_coarse; i++) {
		while (size_classes[coarse].size < i * 128)
			coarse++;
		class_coarse[i] = (uint8_t)coarse;
	}
}

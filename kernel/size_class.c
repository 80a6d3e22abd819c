/*
 * Owns the table of size classes: 8, then every 16 up to 128, then eight steps to each doubling up to 32 KiB.
 * A request above 128 bytes wastes under 12.5 % of its object, and a slab is the fewest pages whose unused
 * tail is at most 12.5 %.
 *
 *	 n	size
 *	 0	8
 *	 1	16, 32 ... 128
 *	 9	144, 160 ... 256
 *	17	288, 320 ... 512
 *	25	576 ... 1024
 *	33	1152 ... 2048	and so on to 32768, which is 72
 *
 * The compiler makes the table: filling it in at run time was code that boot ran once.
 *
 * Invariants:
 * 1. Every class but the first is a multiple of 16 bytes, and slabs start on a page. Otherwise an object of
 * 16 bytes or more would lack malloc's alignment.
 * 2. offset * reciprocal >> 32 is offset / size for every offset in a slab. Otherwise freeing an object would
 *    hit its neighbour. It holds while offset * size < 2^32.
 */
#include "kernel/size_class.h"

#include "kernel/limits.h"

enum { BATCH_BYTES = 8192, BATCH_MAX = 32, SLAB_PAGES_MAX = 8 };

_Static_assert((uint64_t)SLAB_PAGES_MAX *PAGE_SIZE *CLASS_SIZE_MAX < UINT64_C(1) << 32,
	       "the reciprocal is exact in a slab");

#define FITS(size, pages) ((pages)*PAGE_SIZE % (size) <= (pages)*PAGE_SIZE / 8)
/* clang-format off */
#define PAGES(size) \
	(FITS(size, 1) ? 1 : FITS(size, 2) ? 2 : FITS(size, 3) ? 3 : FITS(size, 4) ? 4 : \
	 FITS(size, 5) ? 5 : FITS(size, 6) ? 6 : FITS(size, 7) ? 7 : SLAB_PAGES_MAX)
/* clang-format on */
#define BATCH(size) \
	(BATCH_BYTES / (size) > BATCH_MAX ? BATCH_MAX : BATCH_BYTES / (size) < 1 ? 1 : BATCH_BYTES / (size))
#define CLASS(n, size)                                                              \
	[n] = {                                                                     \
		size,        (uint32_t)(((UINT64_C(1) << 32) + (size)-1) / (size)), \
		PAGES(size), PAGES(size) * PAGE_SIZE / (size),                      \
		BATCH(size),                                                        \
	}
/* What the requests get that the class before is too small for, in steps of `unit` bytes. */
#define PLACES(n, before, size, unit) [(before) / (unit) + 1 ...(size) / (unit)] = (n)

/* Eight classes, the first of them number n, above `from` in steps of `step`. */
#define EIGHT(n, from, step)                                                                                 \
	CLASS(n, (from) + (step)), CLASS((n) + 1, (from) + 2 * (step)), CLASS((n) + 2, (from) + 3 * (step)), \
		CLASS((n) + 3, (from) + 4 * (step)), CLASS((n) + 4, (from) + 5 * (step)),                    \
		CLASS((n) + 5, (from) + 6 * (step)), CLASS((n) + 6, (from) + 7 * (step)),                    \
		CLASS((n) + 7, (from) + 8 * (step))
#define PLACE(n, from, step, k, unit) \
	PLACES((n) + (k), (from) + (k) * (step), (from) + ((k) + 1) * (step), unit)
#define EIGHT_PLACES(n, from, step, unit)                                                                    \
	PLACE(n, from, step, 0, unit), PLACE(n, from, step, 1, unit), PLACE(n, from, step, 2, unit),         \
		PLACE(n, from, step, 3, unit), PLACE(n, from, step, 4, unit), PLACE(n, from, step, 5, unit), \
		PLACE(n, from, step, 6, unit), PLACE(n, from, step, 7, unit)

const struct size_class size_classes[CLASS_COUNT] = {
	CLASS(0, 8),           EIGHT(1, 0, 16),        EIGHT(9, 128, 16),    EIGHT(17, 256, 32),
	EIGHT(25, 512, 64),    EIGHT(33, 1024, 128),   EIGHT(41, 2048, 256), EIGHT(49, 4096, 512),
	EIGHT(57, 8192, 1024), EIGHT(65, 16384, 2048),
};

const uint8_t class_fine[CLASS_FINE_MAX / 8 + 1] = {
	PLACES(0, 0, 8, 8),          PLACES(1, 8, 16, 8),          PLACE(1, 0, 16, 1, 8),
	PLACE(1, 0, 16, 2, 8),       PLACE(1, 0, 16, 3, 8),        PLACE(1, 0, 16, 4, 8),
	PLACE(1, 0, 16, 5, 8),       PLACE(1, 0, 16, 6, 8),        PLACE(1, 0, 16, 7, 8),
	EIGHT_PLACES(9, 128, 16, 8), EIGHT_PLACES(17, 256, 32, 8), EIGHT_PLACES(25, 512, 64, 8),
};

const uint8_t class_coarse[CLASS_SIZE_MAX / 128 + 1] = {
	EIGHT_PLACES(33, 1024, 128, 128),   EIGHT_PLACES(41, 2048, 256, 128),
	EIGHT_PLACES(49, 4096, 512, 128),   EIGHT_PLACES(57, 8192, 1024, 128),
	EIGHT_PLACES(65, 16384, 2048, 128),
};

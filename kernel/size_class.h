/* Size classes of the heap: which object size serves a request, and how many pages make a slab of it. */
#ifndef KERNEL_SIZE_CLASS_H
#define KERNEL_SIZE_CLASS_H

#include <stddef.h>
#include <stdint.h>

enum {
	CLASS_COUNT = 73,
	CLASS_SIZE_MAX = 32768, /* bytes; larger objects are whole pages */
	CLASS_FINE_MAX = 1024,  /* bytes; up to here the table has a step of 8, above of 128 */
};

struct size_class {
	uint32_t size;       /* bytes of one object: 8, or a multiple of 16 */
	uint32_t reciprocal; /* 2^32 / size, rounded up: turns an offset in a slab into an index */
	uint16_t pages;      /* of one slab */
	uint16_t count;      /* objects of one slab */
	uint16_t batch;      /* objects moved between a hart and the slabs at once */
};

extern const struct size_class size_classes[CLASS_COUNT]; /* immutable after size_class_init() */
extern const uint8_t class_fine[CLASS_FINE_MAX / 8 + 1], class_coarse[CLASS_SIZE_MAX / 128 + 1];

/* The smallest class that holds `size` bytes, at most CLASS_SIZE_MAX. Any context. */
static inline unsigned size_class_of(size_t size)
{
	return size <= CLASS_FINE_MAX ? class_fine[(size + 7) / 8] : class_coarse[(size + 127) / 128];
}

#endif

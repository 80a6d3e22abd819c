/*
 * How the PVH and ACPI readers see physical memory: through the caller, who knows what is mapped. The target
 * looks at its identity map; host tests and fuzzers at a buffer.
 */
#ifndef BOOT_PHYS_VIEW_H
#define BOOT_PHYS_VIEW_H

#include <stddef.h>
#include <stdint.h>

struct phys_view {
	/*
	 * The bytes [addr, addr + size) as one readable piece, of any alignment, or NULL. size is at least 1,
	 * and addr + size does not wrap.
	 */
	const uint8_t *(*at)(void *ctx, uint64_t addr, size_t size);
	void *ctx;
};

/* The bytes [addr, addr + size), or NULL; also when they would reach the end of the 64-bit addresses. */
static inline const uint8_t *phys_at(const struct phys_view *view, uint64_t addr, size_t size)
{
	return addr > UINT64_MAX - size ? NULL : view->at(view->ctx, addr, size);
}

/* Little-endian numbers at p, of any alignment. */
static inline uint16_t phys_u16(const uint8_t *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

static inline uint32_t phys_u32(const uint8_t *p)
{
	return (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
}

static inline uint64_t phys_u64(const uint8_t *p)
{
	return (uint64_t)phys_u32(p + 4) << 32 | phys_u32(p);
}

#endif

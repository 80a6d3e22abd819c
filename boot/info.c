/*
 * The boot information: RAM ranges with holes carved out, and the table of harts.
 *
 * RAM comes first and byte exact (add_ram), so that two ranges which meet inside a page keep that page; seal
 * aligns the result inwards; reservations then round outwards.
 *
 * 1. ram[] is sorted, disjoint and without empty ranges after every call, otherwise the page allocator would
 * own a page twice.
 * 2. After seal nothing adds memory, otherwise a range could come back over a reservation made before.
 * 3. Page 0 is never usable, otherwise an allocator over identity-mapped memory could hand out NULL.
 */
#include "boot/info.h"

#include "boot/line.h"
#include "kernel/assert.h"

#include <stdarg.h>
#include <string.h>

static const uint64_t page_mask = PAGE_SIZE - 1;

static const char *too_many_ranges(void)
{
	return boot_error("memory: more than %u separate usable ranges", (unsigned)BOOT_RAM_MAX);
}

void boot_info_init(struct boot_info *info, uint64_t boot_hart)
{
	memset(info, 0, sizeof *info);
	info->boot_hart_id = boot_hart;
}

void boot_info_warn(struct boot_info *info, const char *fmt, ...)
{
	if (info->warning[0] != '\0')
		return;
	va_list ap;
	va_start(ap, fmt);
	line_vformat(info->warning, sizeof info->warning, fmt, ap);
	va_end(ap);
}

/* Moves the ranges from `from` on, so that the first of them comes to `to`. Mostly none: not worth a call of memmove(). */
static void ranges_move(struct boot_info *info, uint32_t from, uint32_t to)
{
	for (uint32_t n = info->n_ram - from, i = 0; i < n; i++) {
		uint32_t at = from < to ? n - 1 - i : i;
		info->ram[to + at] = info->ram[from + at];
	}
}

const char *boot_info_add_ram(struct boot_info *info, uint64_t start, uint64_t size)
{
	ASSERT(info->ram_total == 0, "memory is added before it is sealed");
	if (size == 0)
		return NULL;
	if (start >= BOOT_PHYS_END || size > BOOT_PHYS_END - start)
		return boot_error("memory at %#lx: size %#lx leads beyond %#lx", start, size, BOOT_PHYS_END);

	struct boot_range new = {start, start + size};
	uint32_t lo = 0, hi;
	while (lo < info->n_ram && info->ram[lo].end < new.start)
		lo++;
	for (hi = lo; hi < info->n_ram && info->ram[hi].start <= new.end; hi++) {
		if (info->ram[hi].start < new.start)
			new.start = info->ram[hi].start;
		if (info->ram[hi].end > new.end)
			new.end = info->ram[hi].end;
	}
	/* [lo, hi) are the ranges that the new one touches: it takes their place */
	uint32_t n = info->n_ram - (hi - lo) + 1;
	if (n > BOOT_RAM_MAX)
		return too_many_ranges();
	ranges_move(info, hi, lo + 1);
	info->ram[lo] = new;
	info->n_ram = n;
	return NULL;
}

static bool ram_holds(const struct boot_info *info, uint64_t start, uint64_t size)
{
	for (uint32_t i = 0; i < info->n_ram; i++) {
		const struct boot_range *r = &info->ram[i];
		if (start >= r->start && start < r->end)
			return size <= r->end - start;
	}
	return false;
}

const char *boot_info_set_initrd(struct boot_info *info, uint64_t start, uint64_t size)
{
	ASSERT(info->ram_total == 0, "the initial ramdisk is set before memory is sealed");
	if (size == 0)
		return NULL;
	if (!ram_holds(info, start, size))
		return boot_error("initrd at %#lx: %lu bytes expected inside memory", start, size);
	info->initrd_start = start;
	info->initrd_size = size;
	return NULL;
}

static void range_remove(struct boot_info *info, uint32_t i)
{
	ranges_move(info, i + 1, i);
	info->n_ram--;
}

const char *boot_info_seal(struct boot_info *info)
{
	ASSERT(info->ram_total == 0, "memory is sealed once");
	uint32_t i = 0;
	while (i < info->n_ram) {
		struct boot_range *r = &info->ram[i];
		info->ram_total += r->end - r->start;
		r->start = (r->start + page_mask) & ~page_mask;
		r->end &= ~page_mask;
		if (r->start >= r->end)
			range_remove(info, i);
		else
			i++;
	}
	if (info->ram_total == 0)
		return boot_error("memory: the firmware reports none");
	const char *error = boot_info_reserve(info, 0, PAGE_SIZE);
	if (error == NULL)
		error = boot_info_reserve(info, info->initrd_start, info->initrd_size);
	return error;
}

const char *boot_info_reserve(struct boot_info *info, uint64_t start, uint64_t size)
{
	ASSERT(info->ram_total != 0, "memory is sealed before it is reserved");
	if (size == 0)
		return NULL;
	uint64_t last = size - 1 > UINT64_MAX - start ? UINT64_MAX : start + (size - 1);
	start &= ~page_mask;
	last |= page_mask; /* the last byte and not the end, which may be 2^64 */

	uint32_t i = 0;
	while (i < info->n_ram) {
		struct boot_range *r = &info->ram[i];
		if (r->end <= start || r->start > last) {
			i++;
		} else if (r->start < start && r->end - 1 > last) {
			if (info->n_ram == BOOT_RAM_MAX)
				return too_many_ranges();
			ranges_move(info, i, i + 1);
			info->n_ram++;
			r[0].end = start;
			r[1].start = last + 1;
			return NULL;
		} else if (r->start < start) {
			r->end = start;
			i++;
		} else if (r->end - 1 > last) {
			r->start = last + 1;
			i++;
		} else {
			range_remove(info, i);
		}
	}
	return NULL;
}

const char *boot_info_reserve_image(struct boot_info *info, uint64_t start, uint64_t size)
{
	uint64_t initrd_end = info->initrd_start + info->initrd_size;
	if (info->initrd_size != 0 && start < initrd_end && info->initrd_start < start + size)
		return boot_error("initrd at %#lx: expected clear of the kernel image, %#lx to %#lx",
				  info->initrd_start, start, start + size);
	return boot_info_reserve(info, start, size);
}

struct boot_hart *boot_info_find_hart(struct boot_info *info, uint64_t id)
{
	for (uint32_t i = 0; i < info->n_harts; i++) {
		if (info->hart[i].id == id)
			return &info->hart[i];
	}
	return NULL;
}

const char *boot_info_add_hart(struct boot_info *info, uint64_t id, struct boot_hart **slot)
{
	*slot = NULL;
	if (boot_info_find_hart(info, id) != NULL)
		return boot_error("hart %lu: listed twice, once expected", id);
	if (info->n_harts < HART_MAX) {
		*slot = &info->hart[info->n_harts++];
	} else {
		info->harts_ignored++;
		boot_info_warn(info, "more than %u harts: the others are ignored", (unsigned)HART_MAX);
		if (id != info->boot_hart_id)
			return NULL;
		*slot = &info->hart[HART_MAX - 1];
	}
	**slot = (struct boot_hart){.id = id, .plic_context = BOOT_NO_CONTEXT};
	return NULL;
}

const char *boot_info_check(struct boot_info *info)
{
	if (info->n_ram == 0)
		return boot_error("memory: all %lu bytes are reserved, none is usable", info->ram_total);
	if (info->n_harts == 0)
		return boot_error("harts: the firmware lists none that is enabled");
	if (boot_info_find_hart(info, info->boot_hart_id) == NULL)
		return boot_error("boot hart %lu: expected among the %u enabled harts the firmware lists",
				  info->boot_hart_id, info->n_harts);
	return NULL;
}

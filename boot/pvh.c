/*
 * PVH start info. Layouts from Xen's public/arch-x86/hvm/start_info.h, little-endian:
 *
 *   start info     magic u32, version u32, flags u32, nr_modules u32, modlist u64, cmdline u64, rsdp u64,
 *                  from version 1 on: memmap u64, memmap_entries u32, reserved u32
 *   module         paddr u64, size u64, cmdline u64, reserved u64
 *   memory entry   addr u64, size u64, type u32 (E820's: 1 is RAM), reserved u32
 *
 * 1. Only entries of type 1 are RAM, and where another entry overlaps one, the overlap is not: the cautious
 * reading of a map that contradicts itself.
 * 2. Nothing here sizes anything by the highest address: q35 lists a reserved range at 0xfd00000000.
 */
#include "boot/pvh.h"

#include "boot/line.h"

#include <string.h>

enum {
	INFO_SIZE_0 = 40,
	INFO_SIZE_1 = 56,
	MODULE_SIZE = 32,
	MODULE_MAX = 32, /* QEMU passes one */
	ENTRY_SIZE = 24,
	ENTRY_MAX = 1024, /* QEMU passes 6 to 9, E820 has at most 128 */
	TYPE_RAM = 1,
};

#define PVH_MAGIC UINT32_C(0x336ec578)

struct start_info {
	uint32_t version;
	uint32_t n_modules;
	uint64_t modules;
	uint64_t cmdline;
	uint64_t rsdp;
	uint64_t map;
	uint32_t n_entries;
};

static const char *start_info_read(const struct phys_view *view, uint64_t addr, struct start_info *s)
{
	const uint8_t *p = phys_at(view, addr, INFO_SIZE_0);
	if (p == NULL)
		return boot_error("PVH start info at %#lx: not in readable memory", addr);
	if (phys_u32(p) != PVH_MAGIC)
		return boot_error("PVH start info at %#lx: starts with %#lx, %#lx expected", addr,
				  (uint64_t)phys_u32(p), (uint64_t)PVH_MAGIC);
	*s = (struct start_info){
		.version = phys_u32(p + 4),
		.n_modules = phys_u32(p + 12),
		.modules = phys_u64(p + 16),
		.cmdline = phys_u64(p + 24),
		.rsdp = phys_u64(p + 32),
	};
	if (s->version == 0)
		return boot_error("PVH start info: version 0 brings no memory map, 1 or later expected");
	p = phys_at(view, addr, INFO_SIZE_1);
	if (p == NULL)
		return boot_error("PVH start info at %#lx: %u bytes expected, less is readable", addr,
				  (unsigned)INFO_SIZE_1);
	s->map = phys_u64(p + 40);
	s->n_entries = phys_u32(p + 48);
	return NULL;
}

static const char *cmdline_read(const struct phys_view *view, uint64_t addr, struct boot_info *out)
{
	for (uint32_t i = 0; addr != 0 && i < BOOT_CMDLINE_MAX; i++) {
		const uint8_t *p = phys_at(view, addr + i, 1); /* refuses the last byte: no wrap */
		if (p == NULL)
			return boot_error("command line at %#lx: leaves readable memory before it ends",
					  addr);
		out->cmdline[i] = (char)*p;
		if (*p == 0)
			return NULL;
	}
	if (addr == 0)
		return NULL;
	out->cmdline[0] = '\0';
	return boot_error("command line: at most %u characters expected", (unsigned)BOOT_CMDLINE_MAX - 1);
}

/* Walks the map once: adds RAM, or (reserve) takes the other entries out of it. */
static const char *map_apply(const struct phys_view *view, const struct start_info *s, bool reserve,
			     struct boot_info *out)
{
	const char *error = NULL;
	for (uint32_t i = 0; i < s->n_entries && error == NULL; i++) {
		const uint8_t *p = NULL;
		if (s->map <= UINT64_MAX - (uint64_t)i * ENTRY_SIZE)
			p = phys_at(view, s->map + (uint64_t)i * ENTRY_SIZE, ENTRY_SIZE);
		if (p == NULL)
			return boot_error("memory map at %#lx: entry %u of %u is not in readable memory",
					  s->map, i, s->n_entries);
		uint64_t start = phys_u64(p), size = phys_u64(p + 8);
		bool ram = phys_u32(p + 16) == TYPE_RAM;
		if (ram && !reserve)
			error = boot_info_add_ram(out, start, size);
		else if (!ram && reserve)
			error = boot_info_reserve(out, start, size);
	}
	return error;
}

/* The first module is the initial ramdisk. Others are kept out of the way, but nobody reads them. */
static const char *modules_apply(const struct phys_view *view, const struct start_info *s, bool reserve,
				 struct boot_info *out)
{
	const char *error = NULL;
	for (uint32_t i = 0; i < s->n_modules && error == NULL; i++) {
		const uint8_t *p = NULL;
		if (s->modules <= UINT64_MAX - i * MODULE_SIZE)
			p = phys_at(view, s->modules + i * MODULE_SIZE, MODULE_SIZE);
		if (p == NULL)
			return boot_error("module list at %#lx: entry %u of %u is not in readable memory",
					  s->modules, i, s->n_modules);
		if (reserve)
			error = boot_info_reserve(out, phys_u64(p), phys_u64(p + 8));
		else if (i == 0)
			error = boot_info_set_initrd(out, phys_u64(p), phys_u64(p + 8));
		else
			boot_info_warn(out, "PVH start info: %u modules, the first is used", s->n_modules);
	}
	return error;
}

const char *pvh_boot_info(const struct phys_view *view, uint64_t start_info, uint64_t boot_hart,
			  struct boot_info *out)
{
	struct start_info s;
	boot_info_init(out, boot_hart);
	const char *error = start_info_read(view, start_info, &s);
	if (error != NULL)
		return error;
	if (s.n_entries == 0 || s.n_entries > ENTRY_MAX)
		return boot_error("memory map: %u entries, 1 to %u expected", s.n_entries,
				  (unsigned)ENTRY_MAX);
	if (s.n_modules > MODULE_MAX)
		return boot_error("module list: %u entries, at most %u expected", s.n_modules,
				  (unsigned)MODULE_MAX);
	out->rsdp = s.rsdp;
	/* the PC's first serial port, where every PVH machine of ours has it; no table need say so */
	out->uart = (struct boot_uart){.base = 0x3f8, .irq = 4, .is_port = true};

	error = cmdline_read(view, s.cmdline, out);
	if (error == NULL)
		error = map_apply(view, &s, false, out);
	if (error == NULL)
		error = modules_apply(view, &s, false, out);
	if (error == NULL)
		error = boot_info_seal(out);
	if (error == NULL)
		error = map_apply(view, &s, true, out);
	if (error == NULL)
		error = modules_apply(view, &s, true, out);
	if (error == NULL && out->n_ram == 0)
		error = boot_error("memory map: no usable memory in %u entries", s.n_entries);
	return error;
}

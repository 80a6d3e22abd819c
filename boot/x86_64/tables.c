/*
 * The boot page tables above 4 GiB: one entry for each GiB that holds RAM, in the table whose first four
 * entry.S made. It reaches 512 GiB with 1 GiB pages; without them, as many GiB as there are spare
 * directories.
 */
#include "boot/x86_64/tables.h"

#include "arch/arch.h"
#include "boot/x86_64/entry.h"

enum {
	GIB_BITS = 30,
	ENTRIES = 512,
	SPARE = 28 /* directories of 2 MiB pages: 32 GiB with the first four */
};

extern uint64_t boot_pdpt[ENTRIES]; /* boot/x86_64/entry.S */

static uint64_t spare[SPARE][ENTRIES] __attribute__((aligned(4096)));

static bool map_gib(uint64_t index, unsigned *used)
{
	uint64_t addr = index << GIB_BITS;
	if (index >= ENTRIES)
		return false;
	if (boot_pdpt[index] != 0)
		return true;
	if (arch_platform.has_page_1g) {
		boot_pdpt[index] = addr | ENTRY_PAGE;
		return true;
	}
	if (*used == SPARE)
		return false;
	uint64_t *directory = spare[(*used)++];
	for (unsigned i = 0; i < ENTRIES; i++)
		directory[i] = (addr + ((uint64_t)i << 21)) | ENTRY_PAGE;
	boot_pdpt[index] = (uint64_t)directory | ENTRY_TABLE;
	return true;
}

const char *tables_extend(struct boot_info *info)
{
	unsigned used = 0;
	for (uint32_t i = 0; i < info->n_ram; i++) {
		if (info->ram[i].end <= TABLES_MAPPED)
			continue;
		for (uint64_t g = info->ram[i].start >> GIB_BITS; g << GIB_BITS < info->ram[i].end; g++) {
			if (map_gib(g, &used))
				continue;
			boot_info_warn(info, "memory from %#lx on is ignored: boot page tables end there",
				       (unsigned long)(g << GIB_BITS));
			return boot_info_reserve(info, g << GIB_BITS, UINT64_MAX);
		}
	}
	return NULL;
}

#include "tests/host/boot_sane.h"

#include <string.h>

const char *boot_insane(const struct boot_info *info)
{
	uint64_t usable = 0, last = 0;
	if (info->n_ram == 0 || info->n_ram > BOOT_RAM_MAX)
		return "1 to BOOT_RAM_MAX usable ranges";
	for (uint32_t i = 0; i < info->n_ram; i++) {
		const struct boot_range *r = &info->ram[i];
		if (r->start % PAGE_SIZE != 0 || r->end % PAGE_SIZE != 0)
			return "ranges are page aligned";
		if (r->start >= r->end || r->end > BOOT_PHYS_END || r->start < PAGE_SIZE)
			return "ranges are not empty, below the end of memory, and without page 0";
		if (i > 0 && r->start <= last)
			return "ranges are sorted, disjoint and apart";
		if (info->initrd_size != 0 && r->start < info->initrd_start + info->initrd_size &&
		    info->initrd_start < r->end)
			return "the initial ramdisk is not usable memory";
		last = r->end;
		usable += r->end - r->start;
	}
	if (usable > info->ram_total)
		return "no more memory is usable than there is";
	if (info->n_harts == 0 || info->n_harts > HART_MAX)
		return "1 to HART_MAX harts";
	bool boot = false;
	for (uint32_t i = 0; i < info->n_harts; i++) {
		boot = boot || info->hart[i].id == info->boot_hart_id;
		for (uint32_t j = 0; j < i; j++) {
			if (info->hart[i].id == info->hart[j].id)
				return "harts are all different";
		}
	}
	if (!boot)
		return "the boot hart is among the harts";
	if (memchr(info->cmdline, 0, sizeof info->cmdline) == NULL ||
	    memchr(info->warning, 0, sizeof info->warning) == NULL)
		return "texts end in NUL";
	if (info->uart.reg_shift > 3)
		return "register shift is at most 3";
	if (info->n_ioapics > BOOT_IOAPIC_MAX || info->n_overrides > BOOT_OVERRIDE_MAX)
		return "tables stay within their bounds";
	return NULL;
}

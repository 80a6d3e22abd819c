/* Fills struct boot_info from the PVH start info (x86_64): memory, command line, initial ramdisk. */
#ifndef BOOT_PVH_H
#define BOOT_PVH_H

#include "boot/info.h"
#include "boot/phys_view.h"

/*
 * Reads the start info at physical address start_info (EBX at entry) into out, which it empties first;
 * boot_hart is the APIC id of the hart that runs. Copies what it needs: nothing is read from the firmware's
 * memory afterwards. The initial ramdisk and page 0 are taken out of out->ram; the kernel's image is not: the
 * caller reserves it, and pages for its start-up code, with boot_info_reserve_image and boot_info_reserve.
 * Harts come from acpi_boot_info, which is called next. NULL, or one error line. Boot context, no allocation.
 */
const char *pvh_boot_info(const struct phys_view *view, uint64_t start_info, uint64_t boot_hart,
			  struct boot_info *out);

#endif

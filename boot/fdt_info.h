/* Fills struct boot_info from a device tree (riscv64). */
#ifndef BOOT_FDT_INFO_H
#define BOOT_FDT_INFO_H

#include "boot/info.h"

/*
 * Reads the flattened device tree at fdt (identity mapped; at most limit bytes may be read) into out, which
 * it empties first. boot_hart is the id of the hart that runs (a0 at entry; the tree's own field for it is
 * often 0 regardless). Firmware regions, the blob itself and the initial ramdisk are taken out of out->ram;
 * the kernel's image is not: the caller reserves it with boot_info_reserve_image. NULL, or one error line.
 * Boot context, no allocation.
 */
const char *fdt_boot_info(const void *fdt, size_t limit, uint64_t boot_hart, struct boot_info *out);

#endif

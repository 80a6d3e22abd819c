/* The boot page tables, which entry.S began. */
#ifndef BOOT_X86_64_TABLES_H
#define BOOT_X86_64_TABLES_H

#include <stdint.h>

#include "boot/info.h"

/* What the boot page tables map from the start, bytes from address 0. */
#define TABLES_MAPPED (UINT64_C(1) << 32)

/* Extends the boot page tables over the RAM above 4 GiB, so that the page allocator may use all it is given
 * before the final tables exist; takes RAM out of info that they cannot reach, with a warning. NULL, or an
 * error line. Boot hart, once. */
const char *tables_extend(struct boot_info *info);

#endif

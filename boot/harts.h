/* Making struct hart for each hart the firmware reports, with its wired stacks. Boot context. */
#ifndef BOOT_HARTS_H
#define BOOT_HARTS_H

#include "boot/info.h"

struct hart;

/* Makes the running processor be harts[0], on stacks of the image: needs nothing but the console. */
struct hart *hart_boot(uint64_t hwid);
/* Takes the pages below the boot hart's stacks out of the page tables. After arch_mmu_init(). */
void harts_guard_boot(void);
/* Makes harts[1...] from info. */
void harts_make(const struct boot_info *info);
/* Asks the firmware to start them; says which one it refused. */
void harts_start(void);

#endif

/* First C of each hart, called by boot/x86_64/entry.S. */
#ifndef BOOT_X86_64_START_H
#define BOOT_X86_64_START_H

#include <stdint.h>

struct hart;

/* Boot hart; start_info is the physical address that the firmware passed. */
_Noreturn void start(uint32_t start_info);
/* Another hart, on its system stack and the kernel's page tables. */
_Noreturn void start_secondary(struct hart *h);

#endif

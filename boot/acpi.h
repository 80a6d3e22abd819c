/* Fills the harts and interrupt controllers of struct boot_info from ACPI's static tables (x86_64). */
#ifndef BOOT_ACPI_H
#define BOOT_ACPI_H

#include "boot/info.h"
#include "boot/phys_view.h"

/*
 * Reads the tables behind info->rsdp (set by pvh_boot_info, as is info->boot_hart_id): MADT for harts, local
 * APIC, IOAPICs and interrupt overrides; FADT for the power-off registers. Runs no AML. Ends with
 * boot_info_check. NULL, or one error line. Boot context, no allocation.
 */
const char *acpi_boot_info(const struct phys_view *view, struct boot_info *info);

/* Where the ISA interrupt irq arrives at the IOAPICs, and with which flags: itself and 0 without an override.
 */
uint32_t boot_info_gsi(const struct boot_info *info, uint8_t irq, uint16_t *flags);

#endif

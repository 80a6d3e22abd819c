/* The PCI host bridge that a device tree describes. PCI Bus Binding to Open Firmware, revision 2.1; binding "pci-host-ecam-generic". */
#ifndef BOOT_FDT_PCI_H
#define BOOT_FDT_PCI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fdt_pci {
	uint64_t ecam, ecam_size; /* configuration space; ecam_size 0: there is no such bridge */
	uint64_t io, io_bus,
		io_size; /* where ports are in memory, the first one's number on the bus, how many; 0: none */
	const uint8_t *map; /* in the tree */
	uint32_t map_size, map_mask[2];
};

/* Looks for one in the tree at fdt, as fdt_boot_info() does: NULL, or one error line. Any context. */
const char *fdt_pci_find(const void *fdt, size_t limit, struct fdt_pci *out);

/* The PLIC source at which pin 1 to 4 (INTA to INTD) of function 0 of a device on bus 0 arrives; 0: none. */
uint32_t fdt_pci_line(const struct fdt_pci *pci, uint32_t device, uint32_t pin);

#endif

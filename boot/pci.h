/* Registers of a device's configuration on PCI: PCI Local Bus Specification 3.0, sections 6.1 and 6.2. How they are reached is each machine's own. */
#ifndef BOOT_PCI_H
#define BOOT_PCI_H

enum {
	PCI_BUS_DEVICES = 32,

	PCI_ID = 0x00,
	PCI_COMMAND = 0x04,
	PCI_CLASS = 0x08,
	PCI_BAR = 0x10, /* the first of PCI_BARS, 4 bytes each */
	PCI_CAPABILITIES = 0x34,
	PCI_IRQ = 0x3c,

	PCI_BARS = 6,
	PCI_BAR_PORT = 1, /* of ports, not memory */
	PCI_BAR_64 = 4,   /* the next one has the upper half */

	PCI_COMMAND_PORTS = 1 << 0,
	PCI_COMMAND_MEMORY = 1 << 1,
	PCI_COMMAND_MASTER = 1 << 2,
	PCI_COMMAND_NO_INTX = 1 << 10,
	PCI_STATUS_CAPABILITIES = 1 << 20, /* in the word at PCI_COMMAND */
};

#endif

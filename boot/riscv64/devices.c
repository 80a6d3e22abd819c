/* Devices that are looked for only when they are wanted. */
#include "arch/arch.h"
#include "boot/boot.h"
#include "boot/fdt_pci.h"
#include "boot/pci.h"
#include "kernel/uart.h"
#include "kernel/virtio.h"

enum { MMIO_DEVICE_ID = 2, MMIO_CONFIG = 0x100 }; /* word of the registers; bytes behind them */

enum {
	BUS_BYTES = PCI_BUS_DEVICES << 15, /* PCI Express Base Specification 3.0, section 7.2.2 */
	CLASS_16550 = 0x070002,
	UART_PORTS = 8,
	FIRST_PORT = 0x1000, /* behind those that ISA devices have */
};

bool boot_virtio_find(const struct boot_info *info, uint32_t device_id, struct virtio_place *place)
{
	for (uint32_t i = 0; i < info->n_virtio; i++) {
		const volatile uint32_t *regs = (const volatile uint32_t *)(uintptr_t)info->virtio[i].base;
		if (regs[MMIO_DEVICE_ID] != device_id)
			continue;
		*place = (struct virtio_place){
			.kind = VIRTIO_MMIO,
			.base = info->virtio[i].base,
			.config = info->virtio[i].base + MMIO_CONFIG,
			.line = {.number = info->virtio[i].irq, .level = true},
		};
		return true;
	}
	return false;
}

bool boot_uart_console(const struct boot_info *info, struct uart_place *place)
{
	*place = (struct uart_place){.at = arch_platform.uart,
				     .line = {.number = info->uart.irq, .level = true}};
	return info->uart.irq != 0;
}

/* ---- a second UART: QEMU's virt has one, and a bus for more (-device pci-serial) ---- */

static volatile uint32_t *pci_register(const struct fdt_pci *pci, uint32_t device, uint32_t reg)
{
	return (volatile uint32_t *)(uintptr_t)(pci->ecam + ((uint64_t)device << 15) + reg);
}

/* Its ports, which no firmware gives it here. False: they are no eight ports. */
static bool ports_give(const struct fdt_pci *pci, uint32_t device, uint64_t *base)
{
	volatile uint32_t *bar = pci_register(pci, device, PCI_BAR);
	*bar = UINT32_MAX;
	if ((*bar & 3) != PCI_BAR_PORT || (*bar & ~UINT32_C(3)) != (uint32_t)-UART_PORTS)
		return false;
	*bar = (uint32_t)pci->io_bus + FIRST_PORT;
	*base = pci->io + FIRST_PORT;
	return true;
}

bool boot_uart_second(const struct boot_info *info, struct uart_place *place)
{
	struct fdt_pci pci;
	if (fdt_pci_find(info->fdt, info->fdt_size, &pci) != NULL || pci.ecam_size < BUS_BYTES ||
	    pci.io_size < FIRST_PORT + UART_PORTS || pci.ecam > ARCH_DEVICES_END - BUS_BYTES ||
	    pci.io > ARCH_DEVICES_END - pci.io_size || pci.io_bus > UINT16_MAX)
		return false;
	for (uint32_t device = 0; device < PCI_BUS_DEVICES; device++) {
		if (*pci_register(&pci, device, PCI_CLASS) >> 8 != CLASS_16550)
			continue;
		uint32_t line = fdt_pci_line(&pci, device, *pci_register(&pci, device, PCI_IRQ) >> 8 & 0xff);
		*place = (struct uart_place){.line = {.number = line, .level = true}};
		if (line == 0 || !ports_give(&pci, device, &place->at.base))
			continue;
		volatile uint32_t *command = pci_register(&pci, device, PCI_COMMAND);
		*command = ((*command & 0xffff) | PCI_COMMAND_PORTS) & ~PCI_COMMAND_NO_INTX;
		return true;
	}
	return false;
}

/*
 * Devices that are looked for only when they are wanted: virtio on bus 0 of PCI (q35), else in microvm's slots, which only its AML describes.
 *
 * PCI Local Bus Specification 3.0, section 3.2.2.3.2 (how a device's configuration is read through two ports); VIRTIO 1.1, section 4.1.4
 * (capabilities).
 */
#include "arch/x86_64/instr.h"
#include "boot/acpi.h"
#include "boot/boot.h"
#include "boot/pci.h"
#include "kernel/uart.h"
#include "kernel/virtio.h"

enum {
	CONFIG_ADDRESS = 0xcf8,
	CONFIG_DATA = 0xcfc,
	CAPABILITY_VENDOR = 0x09,
	CAPABILITIES_MAX = 48, /* as many as fit */
	VIRTIO_CAP_COMMON = 1,
	VIRTIO_CAP_NOTIFY = 2,
	VIRTIO_CAP_ISR = 3,
	VIRTIO_CAP_DEVICE = 4,
	VIRTIO_CAPS = 5,

	VIRTIO_VENDOR = 0x1af4,
	VIRTIO_MODERN = 0x1040,       /* + device id */
	VIRTIO_TRANSITIONAL = 0x1000, /* + an older number: 3 for a console, as its device id */

	COM2 = 0x2f8,
	COM2_IRQ = 3,
	UART_SCRATCH = 7,

	MICROVM_SLOTS = 0xfeb00000,
	MICROVM_SLOT = 512, /* bytes */
	MICROVM_N = 24,
	MICROVM_GSI = 24, /* of slot 0 */
	MMIO_MAGIC = 0x74726976,
	MMIO_CONFIG = 0x100,
};

static uint32_t pci_read(uint32_t device, uint32_t reg)
{
	outl(CONFIG_ADDRESS, UINT32_C(1) << 31 | device << 11 | (reg & 0xfc));
	return inl(CONFIG_DATA);
}

static void pci_write(uint32_t device, uint32_t reg, uint32_t value)
{
	outl(CONFIG_ADDRESS, UINT32_C(1) << 31 | device << 11 | (reg & 0xfc));
	outl(CONFIG_DATA, value);
}

/* The address in a base address register; 0: not in memory below 4 GiB, where device space is mapped. */
static uint64_t bar_address(uint32_t device, uint32_t bar)
{
	if (bar >= PCI_BARS)
		return 0;
	uint32_t low = pci_read(device, PCI_BAR + 4 * bar);
	if ((low & PCI_BAR_PORT) != 0 ||
	    ((low & PCI_BAR_64) != 0 &&
	     (bar == PCI_BARS - 1 || pci_read(device, PCI_BAR + 4 * bar + 4) != 0)))
		return 0;
	return low & ~UINT32_C(15);
}

/* Where its capabilities say that the structures of virtio 1 lie. False: some are missing. */
static bool pci_place(uint32_t device, struct virtio_place *place)
{
	uint64_t found[VIRTIO_CAPS] = {0};
	if ((pci_read(device, PCI_COMMAND) & PCI_STATUS_CAPABILITIES) == 0)
		return false;
	uint32_t at = pci_read(device, PCI_CAPABILITIES) & 0xfc;
	for (int n = 0; at != 0 && n < CAPABILITIES_MAX; n++) {
		uint32_t head = pci_read(device, at), kind = head >> 24;
		uint64_t base = bar_address(device, pci_read(device, at + 4) & 0xff);
		if ((head & 0xff) == CAPABILITY_VENDOR && kind < VIRTIO_CAPS && found[kind] == 0 &&
		    base != 0) {
			found[kind] = base + pci_read(device, at + 8);
			if (kind == VIRTIO_CAP_NOTIFY)
				place->notify_step = pci_read(device, at + 16);
		}
		at = head >> 8 & 0xfc;
	}
	place->kind = VIRTIO_PCI;
	place->base = found[VIRTIO_CAP_COMMON];
	place->notify = found[VIRTIO_CAP_NOTIFY];
	place->isr = found[VIRTIO_CAP_ISR];
	place->config = found[VIRTIO_CAP_DEVICE];
	return place->base != 0 && place->notify != 0 && place->isr != 0 && place->config != 0;
}

static bool pci_find(const struct boot_info *info, uint32_t device_id, struct virtio_place *place)
{
	for (uint32_t device = 0; device < PCI_BUS_DEVICES; device++) {
		uint32_t id = pci_read(device, PCI_ID);
		if ((id & 0xffff) != VIRTIO_VENDOR ||
		    (id >> 16 != VIRTIO_MODERN + device_id && id >> 16 != VIRTIO_TRANSITIONAL + device_id))
			continue;
		*place = (struct virtio_place){0};
		if (!pci_place(device, place))
			continue;
		uint16_t flags;
		uint32_t gsi = boot_info_gsi(info, (uint8_t)pci_read(device, PCI_IRQ), &flags);
		place->line = (struct arch_irq_line){.number = gsi, .level = true, .low = (flags & 3) == 3};
		pci_write(device, PCI_COMMAND,
			  (pci_read(device, PCI_COMMAND) & 0xffff) | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
		return true;
	}
	return false;
}

static bool slot_find(uint32_t device_id, struct virtio_place *place)
{
	for (uint32_t i = 0; i < MICROVM_N; i++) {
		uint64_t base = MICROVM_SLOTS + (uint64_t)i * MICROVM_SLOT;
		const volatile uint32_t *regs = (const volatile uint32_t *)base;
		if (regs[0] != MMIO_MAGIC || regs[2] != device_id)
			continue;
		*place = (struct virtio_place){
			.kind = VIRTIO_MMIO,
			.base = base,
			.config = base + MMIO_CONFIG,
			.line = {.number = MICROVM_GSI + i, .level = true},
		};
		return true;
	}
	return false;
}

bool boot_virtio_find(const struct boot_info *info, uint32_t device_id, struct virtio_place *place)
{
	/* A machine without PM1 registers has hardware-reduced ACPI: microvm, which has no PCI by default. */
	return pci_find(info, device_id, place) || (info->pm1a_port == 0 && slot_find(device_id, place));
}

/* Where an interrupt of the ISA bus arrives. */
static struct arch_irq_line isa_line(const struct boot_info *info, uint32_t irq)
{
	uint16_t flags;
	uint32_t gsi = boot_info_gsi(info, (uint8_t)irq, &flags);
	return (struct arch_irq_line){.number = gsi, .level = (flags >> 2 & 3) == 3, .low = (flags & 3) == 3};
}

bool boot_uart_console(const struct boot_info *info, struct uart_place *place)
{
	*place = (struct uart_place){.at = {.base = info->uart.base}, .line = isa_line(info, info->uart.irq)};
	return true;
}

bool boot_uart_second(const struct boot_info *info, struct uart_place *place)
{
	*place = (struct uart_place){.at = {.base = COM2}, .line = isa_line(info, COM2_IRQ)};
	/* A byte in its scratch register stays there; where no device is, all bits are read as ones. */
	arch_uart_put(&place->at, UART_SCRATCH, 0x5a);
	return arch_uart_get(&place->at, UART_SCRATCH) == 0x5a;
}

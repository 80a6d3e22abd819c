/* Devices that are looked for only when they are wanted. */
#include "boot/boot.h"
#include "kernel/uart.h"
#include "kernel/virtio.h"

enum { MMIO_DEVICE_ID = 2, MMIO_CONFIG = 0x100 }; /* word of the registers; bytes behind them */

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

/* QEMU's virt has one. */
bool boot_uart_second(const struct boot_info *info, struct uart_place *place)
{
	(void)info;
	(void)place;
	return false;
}

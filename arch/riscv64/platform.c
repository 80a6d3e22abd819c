/* The board: where its devices are, and how it ends. */
#include "arch/arch.h"

#include "arch/riscv64/sbi.h"
#include "kernel/assert.h"

/* QEMU's virt, until the device tree says otherwise: a device tree that cannot be read is reported too. */
struct arch_platform arch_platform = {
	.uart = {.base = 0x10000000},
	.test_base = 0x100000,
	.timebase_hz = 10000000,
};

enum {
	TEST_PASS = 0x5555,
	TEST_RESET = 0x7777,
	TEST_FAIL = 0x3333, /* with the status in the upper half; status 0 would read as a pass */
};

void arch_exit(unsigned code)
{
	arch_irq_disable();
	if (arch_platform.test_base != 0) {
		volatile uint32_t *test = (volatile uint32_t *)(uintptr_t)arch_platform.test_base;
		*test = code == 0 ? TEST_PASS : code << 16 | TEST_FAIL;
	}
	sbi_shutdown();
	arch_halt();
}

void arch_reset(void)
{
	arch_irq_disable();
	sbi_reboot();
	if (arch_platform.test_base != 0)
		*(volatile uint32_t *)(uintptr_t)arch_platform.test_base = TEST_RESET;
	arch_halt();
}

const char *arch_name(void)
{
	return "riscv64";
}

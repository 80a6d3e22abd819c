/* The end of the machine. */
#include "arch/arch.h"
#include "arch/x86_64/instr.h"

enum {
	DEBUG_EXIT_PORT =
		0xf4,          /* -device isa-debug-exit,iobase=0xf4: value v ends QEMU with status 2 v + 1 */
	PM1_SLEEP_S5 = 0x2000, /* SLP_EN, SLP_TYP 0: q35's S5 */
	RESET_PORT = 0xcf9,    /* the chip set's reset control: hard reset of processor and board */
	RESET_HARD = 0x06,
	SLEEP_CONTROL_S5 = 0x34, /* SLP_EN, SLP_TYP 5: microvm's S5 */
};

static void power_off(void)
{
	const struct arch_platform *p = &arch_platform;
	if (p->pm1a_port != 0)
		outw((uint16_t)p->pm1a_port, PM1_SLEEP_S5);
	if (p->sleep_control != 0 && p->sleep_control_is_port)
		outb((uint16_t)p->sleep_control, SLEEP_CONTROL_S5);
	else if (p->sleep_control != 0)
		*(volatile uint8_t *)p->sleep_control = SLEEP_CONTROL_S5;
}

void arch_exit(unsigned code)
{
	arch_irq_disable();
	outb(DEBUG_EXIT_PORT, (uint8_t)((code - 1) / 2));
	power_off();
	arch_halt();
}

void arch_reset(void)
{
	static const struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) no_idt = {0, 0};
	arch_irq_disable();
	outb(RESET_PORT, RESET_HARD);
	/* microvm has no such port: a triple fault */
	__asm__ volatile("lidt %0; ud2" ::"m"(no_idt));
	arch_halt();
}

/*
 * The boot hart's first C: reads what the firmware left behind, measures the clock, and goes on to
 * boot_main(). All that is needed of the firmware's memory is copied here, before page 0 is unmapped or the
 * trampoline is written.
 */
#include "boot/x86_64/start.h"

#include "arch/x86_64/cpu.h"
#include "arch/x86_64/instr.h"
#include "arch/x86_64/mmu.h"
#include "arch/x86_64/segments.h"
#include "boot/acpi.h"
#include "boot/boot.h"
#include "boot/pvh.h"
#include "boot/x86_64/entry.h"
#include "boot/x86_64/tables.h"
#include "kernel/hart.h"

enum {
	PIC1_MASK = 0x21,
	PIC2_MASK = 0xa1,
	PIC_ALL = 0xff,
	COM1_IRQ = 4,
};

extern const char __image_start[];

static struct boot_info info;

/* The thread-local block of every hart until the kernel gives it one: all zero, so that nobody is running.
 * The thread pointer is its end, where a pointer to itself is expected. */
static struct {
	uint64_t block[128];
	uintptr_t self;
} boot_tls;

static const uint8_t *firmware_at(void *ctx, uint64_t addr, size_t size)
{
	(void)ctx;
	bool mapped = addr < TABLES_MAPPED && size <= TABLES_MAPPED - addr;
	return mapped ? (const uint8_t *)addr : NULL;
}

static void check(const char *error)
{
	if (error != NULL)
		boot_fail("%s", error);
}

static void platform_fill(void)
{
	arch_platform.lapic_base = info.lapic_base;
	_Static_assert((int)BOOT_IOAPIC_MAX == (int)ARCH_IOAPICS, "room for those that boot keeps");
	for (uint32_t i = 0; i < info.n_ioapics; i++) {
		arch_platform.ioapic[i].base = info.ioapic[i].base;
		arch_platform.ioapic[i].first = info.ioapic[i].gsi_base;
	}
	arch_platform.n_ioapics = info.n_ioapics;
	arch_platform.pm1a_port = info.pm1a_port;
	arch_platform.sleep_control = info.sleep_control;
	arch_platform.sleep_control_is_port = info.sleep_control_is_port;
}

void start(uint32_t start_info)
{
	uint64_t entry_ticks = arch_ticks();
	cpu_detect();
	cpu_setup();
	boot_tls.self = (uintptr_t)&boot_tls.self;
	arch_set_tls(boot_tls.self);
	segments_init();
	/* The PIC's lines would arrive as exceptions; microvm's firmware leaves them open. */
	outb(PIC1_MASK, PIC_ALL);
	outb(PIC2_MASK, PIC_ALL);
	if (!arch_platform.has_nx)
		boot_fail("processor: expected one with no-execute pages (NX)");

	const struct phys_view view = {firmware_at, NULL};
	uint64_t apic_id = cpuid(1, 0).b >> 24;
	check(pvh_boot_info(&view, start_info, apic_id, &info));
	check(acpi_boot_info(&view, &info));
	check(boot_info_reserve(&info, TRAMPOLINE_PAGE, PAGE_SIZE));
	check(boot_info_reserve_image(&info, (uint64_t)__image_start,
				      mmu_image_end() - (uint64_t)__image_start));
	check(tables_extend(&info));
	check(boot_info_check(&info));
	info.uart = (struct boot_uart){.base = ARCH_COM1, .irq = COM1_IRQ, .is_port = true};
	platform_fill();
	info.entry_ticks = entry_ticks;
	boot_main(&info);
}

void start_secondary(struct hart *h)
{
	cpu_setup();
	arch_set_tls(boot_tls.self);
	boot_secondary(h);
}

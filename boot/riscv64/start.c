/* From the firmware's device tree to boot_main(). */
#include "boot/riscv64/start.h"

#include "arch/arch.h"
#include "boot/boot.h"
#include "boot/fdt_info.h"
#include "boot/line.h"

/* The most of a device tree that is read, in bytes. QEMU puts it this far below the end of RAM. */
#define FDT_LIMIT UINT64_C(0x200000)

extern const char __image_start[], __image_end[];

static struct boot_info info;

static void platform_set(void)
{
	if (info.uart.base != 0) {
		arch_platform.uart.base = info.uart.base;
		arch_platform.uart.shift = info.uart.reg_shift;
	}
	arch_platform.test_base = info.sifive_test_base;
	arch_platform.rtc_base = info.rtc_base;
	arch_platform.timebase_hz = info.timebase_hz;
	arch_platform.tree_base = (uintptr_t)info.fdt;
	arch_platform.tree_size = info.fdt_size;
	const struct boot_hart *boot_hart = boot_info_find_hart(&info, info.boot_hart_id);
	if (boot_hart != NULL && boot_hart->plic_context != BOOT_NO_CONTEXT) {
		arch_platform.plic_base = info.plic_base;
		arch_platform.plic_context = boot_hart->plic_context;
	}
	arch_platform.sstc = info.isa_sstc;
}

/* RAM beyond the identity map cannot be used. */
static const char *clip_ram(void)
{
	uint32_t last = info.n_ram - 1;
	if (info.ram[last].end <= ARCH_WIRED_BASE)
		return NULL;
	boot_info_warn(&info, "RAM at and beyond %#lx is not used", (uint64_t)ARCH_WIRED_BASE);
	return boot_info_reserve(&info, ARCH_WIRED_BASE, info.ram[last].end - ARCH_WIRED_BASE);
}

void boot_start(uint64_t hart_id, const void *fdt, uint64_t entry_ticks)
{
	const char *error = fdt_boot_info(fdt, FDT_LIMIT, hart_id, &info);
	if (error == NULL) {
		platform_set();
		error = boot_info_reserve_image(&info, (uintptr_t)__image_start,
						(uint64_t)(__image_end - __image_start));
	}
	if (error == NULL)
		error = clip_ram();
	if (error == NULL)
		error = boot_info_check(&info);
	if (error != NULL)
		boot_fail("%s", error);
	info.entry_ticks = entry_ticks;
	boot_main(&info);
}

/* The device tree has said the rate. */
void boot_clock_begin(void)
{
}

void boot_clock_end(void)
{
}

void boot_trap_report(uint64_t cause, uintptr_t pc, uintptr_t addr)
{
	static bool again;
	if (again)
		arch_halt();
	again = true;
	boot_fail("%s", boot_error("trap while booting: scause %#lx, pc %#lx, stval %#lx", cause, pc, addr));
}

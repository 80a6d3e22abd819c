/*
 * boot_main(): the machine-independent half of boot, in the order things come to life:
 *
 *	console -> this hart -> pages -> page tables -> heap -> harts -> clock -> scheduler -> main's goroutine
 *
 * which goes on (boot/program.c): symbols -> wall clock -> options -> profile -> main()
 *
 * Each step may use what is left of it and nothing else. Until the scheduler runs there is one hart and no goroutine.
 */
#include "boot/boot.h"

#include <stdarg.h>
#include <string.h>

#include "arch/arch.h"
#include "boot/harts.h"
#include "boot/program.h"
#include "kernel/clock.h"
#include "kernel/console.h"
#include "kernel/exit.h"
#include "kernel/g.h"
#include "kernel/hart.h"
#include "kernel/heap.h"
#include "kernel/page.h"
#include "kernel/print.h"
#include "sched/sched.h"

void boot_fail(const char *fmt, ...)
{
	char line[256];
	va_list ap;
	va_start(ap, fmt);
	size_t n = print_format(line, sizeof line, fmt, ap);
	va_end(ap);
	console_panic_text("boot: ", 6);
	console_panic_text(line, n);
	console_panic_text("\nhb: exit 2\n", 12);
	arch_exit(exit_code(EXIT_STATUS_PANIC));
}

static void memory_start(const struct boot_info *info)
{
	struct page_range ranges[BOOT_RAM_MAX];
	struct arch_range mapped[BOOT_RAM_MAX + 1];
	size_t n = 0;
	for (uint32_t i = 0; i < info->n_ram; i++) {
		uint64_t size = info->ram[i].end - info->ram[i].start;
		ranges[i] = (struct page_range){info->ram[i].start, size};
		mapped[n++] = (struct arch_range){info->ram[i].start, size};
	}
	if (info->initrd_size > 0) {
		uint64_t start = info->initrd_start & ~(uint64_t)(PAGE_SIZE - 1);
		uint64_t end =
			(info->initrd_start + info->initrd_size + PAGE_SIZE - 1) & ~(uint64_t)(PAGE_SIZE - 1);
		mapped[n++] = (struct arch_range){start, end - start};
	}
	page_init(ranges, info->n_ram);
	arch_mmu_init(mapped, n);
	harts_guard_boot();
	heap_init(info->n_harts);
}

static void run(struct g *g0, struct arch_context *from, uintptr_t word)
{
	(void)g0;
	(void)from;
	(void)word;
	sched_loop(arch_hart());
}

/* From the running stack, for good, to the scheduler, whose root frame is at top of h's system stack. */
_Noreturn static void scheduler_enter(struct hart *h, uintptr_t top)
{
	const struct arch_context loop = {.sp = arch_context_fresh(top), .tls = h->g0->tls};
	arch_begin_last(NULL, &loop, &h->cur, h->g0, SWITCH_NONE, run);
}

void boot_main(struct boot_info *info)
{
	console_init();
	struct hart *h = hart_boot(info->boot_hart_id);
	boot_clock_begin();
	memory_start(info);
	harts_make(info);
	boot_clock_end();
	clock_init();
	for (uint32_t i = 0; i < hart_count; i++)
		sched_hart_init(harts[i]);
	arch_set_tls(h->g0->tls);
	if (go_boot(program_run, info, "main") == 0)
		boot_fail("out of memory: no room for the first goroutine");
	harts_start();
	scheduler_enter(h, h->sys_stack_top);
}

void boot_secondary(struct hart *h)
{
	arch_set_tls(h->g0->tls);
	arch_hart_enter(h);
	scheduler_enter(h, h->sys_stack_top - PAGE_SIZE); /* below what runs here, on the same stack */
}

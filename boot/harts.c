/*
 * Harts and their wired stacks. Those of the boot hart lie in the image, as it needs them before there is memory to give; those of the
 * others in the wired region:
 *
 *	| guard page, absent | interrupt | guard | exception | guard | NMI | guard | panic | guard | system |
 */
#include "boot/harts.h"

#include <string.h>

#include "boot/boot.h"
#include "kernel/g.h"
#include "kernel/hart.h"
#include "kernel/heap.h"
#include "kernel/page.h"
#include "kernel/print.h"
#include "kernel/tls.h"

/* Pages, each a power of two. */
static const uint8_t stack_order[STACK_KINDS] = {
	[STACK_IRQ] = 2, [STACK_EXC] = 2, [STACK_NMI] = 2, [STACK_PANIC] = 3, [STACK_SYS] = 4};

enum { BOOT_STACK_PAGES = 4 + 4 + 4 + 8 + 16 + STACK_KINDS, BOOT_TLS_SIZE = 4096 };

struct hart *harts[HART_MAX];
uint32_t hart_count;

static struct hart boot_hart;
static char boot_stacks[BOOT_STACK_PAGES * PAGE_SIZE]
	__attribute__((aligned(4096), section(".noinit,\"aw\",@nobits#")));
static char boot_tls[BOOT_TLS_SIZE] __attribute__((aligned(64)));
static struct g boot_g;

static void stack_set(struct hart *h, enum hart_stack kind, uintptr_t lo)
{
	uintptr_t *const tops[STACK_KINDS] = {
		[STACK_IRQ] = &h->irq_stack_top, [STACK_EXC] = &h->exc_stack_top,
		[STACK_NMI] = &h->nmi_stack_top, [STACK_PANIC] = &h->panic_stack_top,
		[STACK_SYS] = &h->sys_stack_top,
	};
	h->stack_lo[kind] = lo;
	*tops[kind] = lo + ((uintptr_t)PAGE_SIZE << stack_order[kind]);
}

struct hart *hart_boot(uint64_t hwid)
{
	struct hart *h = &boot_hart;
	h->self = h;
	h->hwid = hwid;
	uintptr_t at = (uintptr_t)boot_stacks;
	for (int k = 0; k < STACK_KINDS; k++) {
		at += PAGE_SIZE; /* the guard */
		stack_set(h, (enum hart_stack)k, at);
		at += (uintptr_t)PAGE_SIZE << stack_order[k];
	}
	if (tls_size() > sizeof boot_tls)
		boot_fail("thread-local variables of %lu bytes, expected at most %d",
			  (unsigned long)tls_size(), BOOT_TLS_SIZE);
	boot_g.preempt_off = 1;
	boot_g.name = "boot";
	arch_set_tls(tls_make(boot_tls, &boot_g));
	harts[0] = h;
	hart_count = 1;
	arch_hart_enter(h);
	return h;
}

void harts_guard_boot(void)
{
	for (int k = 0; k < STACK_KINDS; k++)
		arch_mmu_clear(boot_hart.stack_lo[k] - PAGE_SIZE);
	arch_tlb_flush_all();
}

static struct hart *hart_make(uint32_t index, uint64_t hwid)
{
	static uintptr_t next = ARCH_WIRED_BASE;
	struct hart *h = heap_aligned(64, sizeof *h);
	if (h == NULL)
		boot_fail("out of memory: no room for hart %u", index);
	memset(h, 0, sizeof *h);
	h->self = h;
	h->index = index;
	h->hwid = hwid;
	for (int k = 0; k < STACK_KINDS; k++) {
		size_t size = (size_t)PAGE_SIZE << stack_order[k];
		void *pages = page_alloc_zero(stack_order[k]);
		next += PAGE_SIZE; /* the guard */
		if (pages == NULL ||
		    arch_mmu_map(next, (uintptr_t)pages, size, ARCH_PROT_READ | ARCH_PROT_WRITE) != 0)
			boot_fail("out of memory: no room for the stacks of hart %u", index);
		stack_set(h, (enum hart_stack)k, next);
		next += size;
	}
	return h;
}

void harts_make(const struct boot_info *info)
{
	for (uint32_t i = 0; i < info->n_harts; i++) {
		if (info->hart[i].id == info->boot_hart_id)
			continue;
		harts[hart_count] = hart_make(hart_count, info->hart[i].id);
		hart_count++;
	}
}

void harts_start(void)
{
	for (uint32_t i = 1; i < hart_count; i++)
		if (boot_hart_start(harts[i]) != 0)
			print_line("hb: hart %u (hardware id %lu) did not start", i,
				   (unsigned long)harts[i]->hwid);
}

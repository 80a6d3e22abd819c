/*
 * The stack region (see stack.h).
 *
 * 1. A slot's page tables exist before its bit in live[] is set. Otherwise the fault handler would need to make tables with interrupts
 *    off.
 * 2. The entry is set by compare-and-swap; the loser of a race gives its frame back. Otherwise two harts that touch one fresh page
 *    would each write to a frame of their own.
 */
#include "kernel/stack.h"

#include <stdatomic.h>

#include "kernel/assert.h"
#include "kernel/g.h"
#include "kernel/hart.h"
#include "kernel/lock.h"
#include "kernel/page.h"
#include "kernel/panic.h"

enum { SLOTS_PER_TABLE = (2 << 20) / STACK_SLOT };

static struct spinlock stack_lock = SPINLOCK_INIT(RANK_STACK); /* protects n_slots */
static uint32_t n_slots;
static _Atomic uint64_t live[STACK_SLOTS_MAX / 64];
static _Atomic size_t committed;

bool stack_alloc(uintptr_t *lo, uintptr_t *hi)
{
	spin_lock(&stack_lock);
	uint32_t slot = n_slots;
	uintptr_t base = ARCH_STACK_BASE + (uintptr_t)slot * STACK_SLOT;
	bool ok = slot < STACK_SLOTS_MAX && (uintptr_t)(slot + 1) * STACK_SLOT <= ARCH_STACK_SIZE;
	if (ok && slot % SLOTS_PER_TABLE == 0)
		ok = arch_mmu_prepare(base, SLOTS_PER_TABLE * STACK_SLOT) == 0;
	if (ok) {
		n_slots++;
		/* pairs with the acquire in stack_fault() */
		atomic_fetch_or_explicit(&live[slot / 64], 1ull << slot % 64, memory_order_release);
	}
	spin_unlock(&stack_lock);
	*lo = base + STACK_GUARD;
	*hi = base + STACK_SLOT;
	return ok;
}

static void guard_hit(struct arch_frame *f, uintptr_t addr)
{
	const struct g *g = arch_hart()->cur;
	if (addr >= g->stack_lo - STACK_GUARD && addr < g->stack_lo)
		panic_at(f, "stack overflow: goroutine %lu used its %lu KiB (address %p)",
			 (unsigned long)g->id, (unsigned long)((g->stack_hi - g->stack_lo) >> 10),
			 (void *)addr);
	panic_at(f, "access to the guard below another goroutine's stack (address %p)", (void *)addr);
}

bool stack_fault(struct arch_frame *f, uintptr_t addr)
{
	if (addr < ARCH_STACK_BASE || addr - ARCH_STACK_BASE >= (uintptr_t)STACK_SLOTS_MAX * STACK_SLOT)
		return false;
	uint32_t slot = (uint32_t)((addr - ARCH_STACK_BASE) / STACK_SLOT);
	uint64_t bits = atomic_load_explicit(&live[slot / 64], memory_order_acquire);
	if ((bits >> slot % 64 & 1) == 0)
		return false;
	if ((addr - ARCH_STACK_BASE) % STACK_SLOT < STACK_GUARD)
		guard_hit(f, addr);
	void *page = page_alloc_zero(0);
	if (page == NULL)
		panic_at(f, "out of memory: no page for the stack of goroutine %lu",
			 (unsigned long)arch_hart()->cur->id);
	switch (arch_mmu_fill(addr & ~(uintptr_t)(PAGE_SIZE - 1), (uintptr_t)page)) {
	case ARCH_FILL_DONE:
		atomic_fetch_add_explicit(&committed, 1, memory_order_relaxed);
		return true;
	case ARCH_FILL_PRESENT:
		page_free(page, 0);
		return true;
	default:
		panic_at(f, "stack slot %u has no page table", slot);
	}
}

size_t stack_pages(void)
{
	return atomic_load_explicit(&committed, memory_order_relaxed);
}

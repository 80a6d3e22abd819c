/*
 * The stack region (see stack.h): an arena for each class of slots.
 *
 *	ARCH_STACK_BASE + 0      64 MiB slots, 48
 *	                + 3 GiB  8 MiB slots, 384
 *	                + 6 GiB  1 MiB slots, 2,048
 *	                + 8 GiB  192 KiB slots to the end of the region: 1,004,885 of them in 192 GiB
 *
 * 1. A slot's page tables exist before the slot is counted in n. Otherwise the fault handler would need to make tables with interrupts
 *    off.
 * 2. The entry is set by compare-and-swap; the loser of a race gives its frame back. Otherwise two harts that touch one fresh page
 *    would each write to a frame of their own.
 * 3. A started goroutine's first page is there (stack_commit), and the last pages of memory are kept for stacks that grow. Otherwise
 *    starting goroutines until memory is out would kill one that runs.
 */
#include "kernel/stack.h"

#include <stdatomic.h>

#include "kernel/assert.h"
#include "kernel/g.h"
#include "kernel/hart.h"
#include "kernel/lock.h"
#include "kernel/page.h"
#include "kernel/panic.h"

#define GIB UINT64_C(0x40000000)

enum {
	TABLE_SPAN = 2 << 20, /* bytes of address space behind one page table */
	RED_ZONE = 128,       /* bytes below sp that a leaf function may use: System V ABI for x86-64 */
};

static struct arena {
	uint64_t slot, base, size; /* bytes; base from ARCH_STACK_BASE; immutable */
	uint64_t prepared;         /* page tables exist for so many bytes; under stack_lock */
	_Atomic uint32_t n;        /* slots given out; written under stack_lock, read by the fault handler */
} arenas[STACK_CLASSES] = {
	{.slot = 192 << 10, .base = 8 * GIB, .size = ARCH_STACK_SIZE - 8 * GIB},
	{.slot = 1 << 20, .base = 6 * GIB, .size = 2 * GIB},
	{.slot = 8 << 20, .base = 3 * GIB, .size = 3 * GIB},
	{.slot = 64 << 20, .base = 0, .size = 3 * GIB},
};

static struct spinlock stack_lock = SPINLOCK_INIT(RANK_STACK); /* protects the arenas */
static _Atomic size_t committed, uncommitted;                  /* pages, ever */
_Atomic bool stack_grew;

int stack_class(size_t size)
{
	for (int c = 0; c < STACK_CLASSES; c++)
		if (size <= arenas[c].slot - STACK_GUARD)
			return c;
	return -1;
}

size_t stack_slot_size(unsigned class)
{
	return arenas[class].slot;
}

uint32_t stack_slots(unsigned class, uint32_t n, uintptr_t *lo)
{
	struct arena *a = &arenas[class];
	spin_lock(&stack_lock);
	uint32_t first = atomic_load_explicit(&a->n, memory_order_relaxed), end = first;
	while (end < first + n && (end + 1) * a->slot <= a->size) {
		while (a->prepared < (end + 1) * a->slot &&
		       arch_mmu_prepare(ARCH_STACK_BASE + a->base + a->prepared, TABLE_SPAN) == 0)
			a->prepared += TABLE_SPAN;
		if (a->prepared < (end + 1) * a->slot)
			break;
		end++;
	}
	/* pairs with the acquire in arena_of() */
	atomic_store_explicit(&a->n, end, memory_order_release);
	spin_unlock(&stack_lock);
	*lo = ARCH_STACK_BASE + a->base + first * a->slot + STACK_GUARD;
	return end - first;
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

/* The arena in which addr lies in a slot that was given out; *at is the distance from that slot's low end. */
static const struct arena *arena_of(uintptr_t addr, uint64_t *at)
{
	if (!stack_region_holds(addr))
		return NULL;
	for (int c = 0; c < STACK_CLASSES; c++) {
		const struct arena *a = &arenas[c];
		uint64_t offset = addr - ARCH_STACK_BASE - a->base;
		if (offset >= a->size)
			continue;
		*at = offset % a->slot;
		/* pairs with the release in stack_slots() */
		return offset / a->slot < atomic_load_explicit(&a->n, memory_order_acquire) ? a : NULL;
	}
	return NULL;
}

/* Commits a page in this frame. False when there is none: memory is out. */
static bool page_fill(uintptr_t page, void *frame)
{
	if (frame == NULL)
		return false;
	switch (arch_mmu_fill(page, (uintptr_t)frame)) {
	case ARCH_FILL_DONE:
		atomic_fetch_add_explicit(&committed, 1, memory_order_relaxed);
		break;
	case ARCH_FILL_PRESENT:
		page_free(frame, 0);
		break;
	default:
		panic("a stack slot has no page table (address %p)", (void *)page);
	}
	return true;
}

bool stack_commit(uintptr_t hi)
{
	/* with whatever is in the frame: of its own stack a goroutine reads what it has written */
	return !page_short() && page_fill(hi - PAGE_SIZE, page_alloc(0));
}

bool stack_fault(struct arch_frame *f, uintptr_t addr)
{
	uint64_t at;
	if (arena_of(addr, &at) == NULL)
		return false;
	if (at < STACK_GUARD)
		guard_hit(f, addr);
	struct g *g = arch_hart()->cur;
	if (!page_fill(addr & ~(uintptr_t)(PAGE_SIZE - 1), page_alloc_zero(0)))
		panic_at(f, "out of memory: no page for the stack of goroutine %lu", (unsigned long)g->id);
	if (addr - g->stack_lo < g->stack_hi - g->stack_lo)
		atomic_store_explicit(&g->grown, G_GREW, memory_order_relaxed);
	if (!atomic_load_explicit(&stack_grew, memory_order_relaxed))
		atomic_store_explicit(&stack_grew, true, memory_order_relaxed);
	return true;
}

uintptr_t stack_unused(const struct g *g)
{
	if ((atomic_load_explicit(&g->status, memory_order_relaxed) & G_STATUS_MASK) == G_DEAD)
		return g->stack_hi;
#ifndef MUTANT_shrink_unowned
	ASSERT(g_owned(g) && g->area == NULL, "a stack is shrunk by its owner, while its goroutine waits");
#endif
	return (g->ctx.sp - RED_ZONE) & ~(uintptr_t)(PAGE_SIZE - 1);
}

size_t stack_uncommit(const struct g *g, uintptr_t *at, uint64_t *frames, size_t max)
{
#ifndef MUTANT_shrink_unowned
	ASSERT(g_owned(g), "a stack is shrunk only by its owner");
	ASSERT(*at % PAGE_SIZE == 0 && *at <= stack_unused(g) && *at >= g->stack_lo,
	       "whole pages below sp - 128 are taken from a stack");
#endif
	size_t n = 0;
	while (*at > g->stack_lo && n < max) {
		*at -= PAGE_SIZE;
		uint64_t frame = arch_mmu_clear(*at);
		if (frame != 0)
			frames[n++] = frame;
	}
	atomic_fetch_add_explicit(&uncommitted, n, memory_order_relaxed);
	return n;
}

size_t stack_pages(void)
{
	size_t gone = atomic_load_explicit(&uncommitted, memory_order_relaxed);
	return stack_commits() - gone;
}

size_t stack_commits(void)
{
	return atomic_load_explicit(&committed, memory_order_relaxed);
}

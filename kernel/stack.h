/*
 * Goroutine stacks: slots of virtual address space, each with a guard gap at its low end; pages are committed on first touch by the page
 * fault handler, whoever touches them.
 *
 *	slot:  | guard, 64 KiB, never mapped | usable, 192 KiB, grows down <- top |
 */
#ifndef KERNEL_STACK_H
#define KERNEL_STACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arch/arch.h"

enum {
	STACK_SLOT = 256 << 10, /* bytes */
	STACK_GUARD = 64 << 10,
	STACK_SLOTS_MAX = 1 << 18, /* 64 GiB of address space */
};

/* Whether addr lies where goroutine stacks do. Any context. */
static inline bool stack_region_holds(uintptr_t addr)
{
	return addr >= ARCH_STACK_BASE && addr - ARCH_STACK_BASE < ARCH_STACK_SIZE;
}

/* Gives out a slot: [*lo, *hi) is its usable part. False when address space or memory for page tables is out. System or boot
 * context. */
__attribute__((warn_unused_result)) bool stack_alloc(uintptr_t *lo, uintptr_t *hi);

/* Page-fault context: commits the page of a live slot. False when addr is in none; a guard hit is reported and does not return. */
bool stack_fault(struct arch_frame *f, uintptr_t addr);

/* Pages committed to goroutine stacks now. Any context. */
size_t stack_pages(void);

#endif

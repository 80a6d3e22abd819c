/*
 * Goroutine stacks: slots of virtual address space, each with a guard gap at its low end; pages are committed on first touch by the page
 * fault handler, whoever touches them.
 *
 *	slot:  | guard, 64 KiB, never mapped | usable, grows down <- top |
 *
 * Slots come in classes by size, each class in an arena of its own, so that an address says which slot it lies in.
 */
#ifndef KERNEL_STACK_H
#define KERNEL_STACK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arch/arch.h"
#include "kernel/limits.h"

struct g;

enum {
	STACK_GUARD = 64 << 10, /* bytes */
	STACK_CLASSES = 4,
	STACK_DEFAULT = 0, /* class: 128 KiB usable */
	STACK_MAIN = 2,    /* class of main's goroutine: 8 MiB less the guard */
};

/* Whether addr lies where goroutine stacks do. Any context. */
static inline bool stack_region_holds(uintptr_t addr)
{
	return addr >= ARCH_STACK_BASE && addr - ARCH_STACK_BASE < ARCH_STACK_SIZE;
}

/* The smallest class with `size` usable bytes, 0 meaning the default; -1 when there is none. Any context. */
int stack_class(size_t size);
/* Bytes of a slot, guard included. Any context. */
size_t stack_slot_size(unsigned class);

/* Gives out up to n slots of a class, one behind the other: returns how many, *lo is the low end of the first one's usable part. Fewer
 * than asked for, or 0, when address space or memory for page tables is out. They are not given back. System or boot context. */
__attribute__((warn_unused_result)) uint32_t stack_slots(unsigned class, uint32_t n, uintptr_t *lo);

/* Commits the page below hi, which nobody touches meanwhile, unless it is there. False when memory is out, or so short that running
 * goroutines could soon not grow any more. System or boot context. */
__attribute__((warn_unused_result)) bool stack_commit(uintptr_t hi);

/* Page-fault context: commits the page of a slot that was given out. False when addr is in none; a guard hit is reported and does not
 * return. */
bool stack_fault(struct arch_frame *f, uintptr_t addr);

/* Raised when a stack got a page after its first one; lowered by the shrinker (sched/shrink.c). */
extern _Atomic bool stack_grew; /* written relaxed; rule 4 of sched/shrink.c */

/* Where g's stack is not in use any more: the end of the whole pages below sp - 128 of one that waits; its top when it has ended. By the
 * owner. */
uintptr_t stack_unused(const struct g *g);

/* Takes the pages of g's stack below *at out of the page table, from the top down, and puts their frames into frames[], at most max; returns
 * how many. *at is where it stopped: g->stack_lo, or above it when max was reached; at first at most stack_unused(). The frames are in the
 * translations of every hart until a shoot-down (kernel/shootdown.h). Goroutine or system context, by the owner. */
size_t stack_uncommit(const struct g *g, uintptr_t *at, uint64_t *frames, size_t max);

/* Pages committed to goroutine stacks now. Any context. */
size_t stack_pages(void);
/* Pages committed to them so far. Any context. */
size_t stack_commits(void);

#endif

/*
 * Which stack is this, and walking over stack boundaries: from a hart's system, trap or panic stack into the goroutine it serves. A walk
 * reads only inside stacks that the hart or goroutine at hand owns, and only present pages.
 */
#ifndef KERNEL_WALK_H
#define KERNEL_WALK_H

#include <stdbool.h>

#include "arch/arch.h"

struct g;
struct hart;

enum {
	WALK_COMPLETE = 1,  /* reached a root frame */
	WALK_TRUNCATED = 2, /* more frames than max */
	WALK_BROKEN = 4,    /* no rule, or a frame outside the stack */
};

struct walk_bounds {
	uintptr_t lo, hi;
};

/* Whether pc is in the switch between two stacks, where sp and the thread pointer may disagree. Any context. */
static inline bool walk_in_switch(uintptr_t pc)
{
	return pc >= (uintptr_t)__switch_start && pc < (uintptr_t)__switch_end;
}

/* Whether there is a page at addr. Any context. */
bool walk_page_present(uintptr_t addr);

/* The stack of h or of g (may be NULL) that holds sp. False when none does. Any context. */
bool walk_find(uintptr_t sp, const struct hart *h, const struct g *g, struct walk_bounds *b);

/*
 * Walks from *u: pcs[0] is the exact pc, the others are return addresses. g: the goroutine whose stack may be entered, NULL for none.
 * Returns the depth (at most max), *flags gets WALK_ bits. Any context, by the owner of both stacks; takes no lock.
 */
unsigned walk_frames(struct arch_unwind *u, const struct hart *h, const struct g *g, uintptr_t *pcs,
		     unsigned max, unsigned *flags);

/*
 * Stacks of the running code by frame pointers, for what happens here and now (events, blocking, allocations): at most 80 instructions
 * for 10 frames and 7 for each further one, against hundreds for walk_frames().
 *
 * They need each function on the way to have a frame pointer and to have made its call, which all C of the image has but sched/chan.c
 * (tools/sources.mk). A caller of such a function would be missing. So code that is called from there says how many of the innermost
 * frames to take by the rules of the symbol table, until one past the last function without a frame pointer:
 *
 *	n = walk_here(0, pcs, max);	here, and everybody further out has a frame pointer
 *	n = walk_here(2, pcs, max);	chan_send() called us, and we may be inlined or not
 *
 * All pcs are looked up one lower, the first, which lies in the function that calls, too. Interrupts and preemption may be on. Goroutine context, or
 * system context, whose stack is continued into the goroutine that it serves; there, all of it goes by the rules.
 */

/* From the caller, whose frame pointer is fp. Returns the depth; max > 0. */
unsigned walk_frame_pointers(uintptr_t fp, uintptr_t *pcs, size_t max);

/* The same from pc, to be looked up one lower, in a function whose stack pointer is sp and whose frame pointer is fp; `exact` frames by the rules. */
unsigned walk_frame_pointers_after(unsigned exact, uintptr_t pc, uintptr_t sp, uintptr_t fp, uintptr_t *pcs,
				   size_t max);

/* The same on the hart's system stack, all by the rules: what the two above do there. */
unsigned walk_from_system(uintptr_t pc, uintptr_t sp, uintptr_t fp, uintptr_t *pcs, size_t max);

/* From the function that this is written in, whose frame stays as it is until the walk is over: it is no tail call. */
static inline __attribute__((always_inline)) unsigned walk_here(unsigned exact, uintptr_t *pcs, size_t max)
{
	unsigned n =
		exact == 0 ? walk_frame_pointers(arch_fp(), pcs, max)
			   : walk_frame_pointers_after(exact, arch_pc() + 1, arch_sp(), arch_fp(), pcs, max);
	__asm__ volatile("" : "+r"(n));
	return n;
}

#endif

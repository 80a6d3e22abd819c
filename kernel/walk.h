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

/* The stack of h or of g (may be NULL) that holds sp. False when none does. Any context. */
bool walk_find(uintptr_t sp, const struct hart *h, const struct g *g, struct walk_bounds *b);

/*
 * Walks from *u: pcs[0] is the exact pc, the others are return addresses. g: the goroutine whose stack may be entered, NULL for none.
 * Returns the depth (at most max), *flags gets WALK_ bits. Any context, by the owner of both stacks; takes no lock.
 */
unsigned walk_frames(struct arch_unwind *u, const struct hart *h, const struct g *g, uintptr_t *pcs,
		     unsigned max, unsigned *flags);

#endif

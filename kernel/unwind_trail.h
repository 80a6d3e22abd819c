/*
 * The trail of a walk: what it has read of a stack. Another stack with the same words in the same places gives the same walk, and to look
 * at them takes some ten instructions a word. See unwind_trail.c.
 */
#ifndef KERNEL_UNWIND_TRAIL_H
#define KERNEL_UNWIND_TRAIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/unwind.h"

/* A word of a stack, and what it was. Distances are bytes from the upper end of the stack. */
struct trail_word {
	uintptr_t below;
	uintptr_t value; /* a return address; or a frame pointer, as a distance */
};

struct trail {
	uintptr_t pc, sp_below; /* where the walk began */
	uintptr_t fp_below;     /* UINTPTR_MAX: its frame pointer was not used */
	uint32_t n_fps, n_pcs;  /* words: first the frame pointers, then the return addresses */
	struct trail_word words[];
};

enum { TRAIL_WORDS_MAX = 64 };

/* Bytes of a trail of n words. */
static inline size_t trail_size(uint32_t n)
{
	return sizeof(struct trail) + n * sizeof(struct trail_word);
}

/*
 * The trail of the walk from *r over the stack that ends at hi; t has room for TRAIL_WORDS_MAX words. False: the walk is not one that
 * reaches its root by plain frames with so many words, and *t means nothing. Contexts as unwind_walk(); all of the stack from r->sp on is
 * readable.
 */
bool trail_make(struct trail *t, const struct unwind_regs *r, uintptr_t hi);

/* Whether the walk from *r over the stack that ends at hi has this trail. The same. */
static inline bool trail_fits(const struct trail *t, const struct unwind_regs *r, uintptr_t hi)
{
	if (r->pc != t->pc || hi - r->sp != t->sp_below ||
	    (t->fp_below != UINTPTR_MAX && hi - r->fp != t->fp_below))
		return false;
	const struct trail_word *w = t->words, *pcs = w + t->n_fps, *end = pcs + t->n_pcs;
	for (; w < pcs; w++)
		if (hi - *(const uintptr_t *)(hi - w->below) != w->value)
			return false;
	for (; w < end; w++)
		if (*(const uintptr_t *)(hi - w->below) != w->value)
			return false;
	return true;
}

#endif

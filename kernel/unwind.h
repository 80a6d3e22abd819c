/*
 * Stack walks. unwind_walk(): exact at every instruction, from the rules in the symbol table, for samples and
 * reports. unwind_fp(): by frame pointers, for synchronous stacks (trace, block and heap profiles), in a few
 * instructions a frame. Both take no lock, allocate nothing, use no floating point, end after at most `max`
 * frames, and read nothing but words inside the given bounds: no stack content makes them fault. Any context,
 * by the owner of the stack.
 */
#ifndef KERNEL_UNWIND_H
#define KERNEL_UNWIND_H

#include <stdbool.h>
#include <stdint.h>

/* The registers a walk starts from; ra (x1, a leaf's return address) counts on riscv64 only. */
struct unwind_regs {
	uintptr_t pc, sp, fp, ra;
};

/* The stack: addresses [lo, hi). */
struct unwind_bounds {
	uintptr_t lo, hi;
	/*
	 * NULL, or whether the 4 KiB page that holds addr can be read without a fault: asked once for each
	 * page that the walk enters.
	 */
	bool (*readable)(uintptr_t addr);
};

enum {
	UNWIND_COMPLETE = 1,  /* reached the frame that is marked as the root */
	UNWIND_TRUNCATED = 2, /* more than `max` frames: the outer ones are missing */
	UNWIND_BROKEN = 4, /* an address without rule, or a frame against the rules: outer ones are missing */
	UNWIND_LEFT = 8,   /* an interrupted place on another stack: *r holds it, walk on there */
	UNWIND_FP = 16, /* there is no symbol table: by frame pointers; the caller of a leaf may be missing */
};

/*
 * Walks from *r, which may stand at any instruction. pcs[0] is the exact pc, the others are return addresses,
 * so that all but the first are looked up one lower; an interrupted place further out is stored plus one to
 * fit. Returns the number of pcs (0 only for max 0) and sets *flags to UNWIND_ bits, of which exactly one of
 * the first four is set. On return *r holds the registers of the last pc, from which a walk may go on with
 * other bounds. Only after UNWIND_LEFT, and when a return address is outside of text (broken), they are one
 * frame further, whose pc is not stored: a walk that goes on after UNWIND_LEFT stores it first, exact, so its
 * caller adds one to have it like the others.
 */
unsigned unwind_walk(struct unwind_regs *r, const struct unwind_bounds *b, uintptr_t *pcs, unsigned max,
		     unsigned *flags);
/* The same; known: the start of a 4 KiB page that need not be asked for, or 0. */
unsigned unwind_walk_known(struct unwind_regs *r, const struct unwind_bounds *b, uintptr_t known,
			   uintptr_t *pcs, unsigned max, unsigned *flags);

/*
 * Walks by frame pointers from a function that has set up its frame and is not a leaf: pc lies in it, fp is
 * its frame pointer. Stores pc and the return addresses, returns their number (0 only for max 0). Stops at fp
 * 0 and at any frame outside of the bounds; `readable` is not asked, so all pages from the frame up must be
 * present or faultable.
 */
unsigned unwind_fp(uintptr_t pc, uintptr_t fp, const struct unwind_bounds *b, uintptr_t *pcs, unsigned max);

/*
 * The callers of the function whose frame pointer is *fp, without itself: pcs[0] is where its caller goes on.
 * Returns their number, 0 when the record at *fp is not inside; max is at least 1. *fp becomes the frame pointer
 * at which the walk ended, which may be one of another stack.
 */
unsigned unwind_fp_callers(uintptr_t *fp, const struct unwind_bounds *b, uintptr_t *pcs, unsigned max);

/* The same for frame records {caller's fp, return address} at fp + record: for tests of the other
 * architecture. */
unsigned unwind_fp_record(uintptr_t pc, uintptr_t fp, intptr_t record, const struct unwind_bounds *b,
			  uintptr_t *pcs, unsigned max);

#endif

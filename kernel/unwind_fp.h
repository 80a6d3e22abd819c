/*
 * The walk by frame pointers, inline, so that the place of a frame's record is part of the loads: for kernel/unwind.c, kernel/walk.c and prof/wait.c.
 */
#ifndef KERNEL_UNWIND_FP_H
#define KERNEL_UNWIND_FP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Says that what this function does is meant, though C has no word for it. */
#define UNALIGNED_MEANT __attribute__((no_sanitize("alignment")))

/*
 * What is added to a frame pointer on a stack that ends at hi. The record {caller's fp, return address} of a frame lies at fp + record;
 * frame pointers are counted from one above the highest whose record is on the stack. They are then large numbers, so that one comparison
 * says both that a frame lies above the one before and that its record is on the stack.
 */
static inline uintptr_t unwind_fp_below(uintptr_t hi, const intptr_t record)
{
	uintptr_t below = 15 + (uintptr_t)record - hi;
	__asm__("" : "+r"(below)); /* adding it leaves its operands as they are, subtracting it might not */
	return below;
}

/*
 * From a frame whose record is on the stack; max > 0. 6 to 7 instructions a frame. A record that is not aligned costs time only.
 */
UNALIGNED_MEANT static inline __attribute__((always_inline)) unsigned unwind_fp_inline(
	uintptr_t pc, uintptr_t fp, const intptr_t record, uintptr_t below, uintptr_t *pcs, size_t max)
{
	uintptr_t *p = pcs, *const end_8 = pcs + max - 8, at = fp + below, to;
	pcs[0] = pc;
/* Stores the k-th return address behind p, and goes on from frame `from` to `to`, both counted so. */
#define FRAME_RECORD(k, from, to)                                \
	p[k] = ((const uintptr_t *)(fp + (uintptr_t)record))[1]; \
	fp = ((const uintptr_t *)(fp + (uintptr_t)record))[0];   \
	to = fp + below;                                         \
	if (__builtin_expect(to <= from, 0))                     \
		return (unsigned)(p + (k) + 1 - pcs);
	for (; (intptr_t)p < (intptr_t)end_8; p += 8) {
		FRAME_RECORD(1, at, to)
		FRAME_RECORD(2, to, at)
		FRAME_RECORD(3, at, to)
		FRAME_RECORD(4, to, at)
		FRAME_RECORD(5, at, to)
		FRAME_RECORD(6, to, at)
		FRAME_RECORD(7, at, to)
		FRAME_RECORD(8, to, at)
	}
	for (; (intptr_t)(p - 7) < (intptr_t)end_8; p++) {
		FRAME_RECORD(1, at, to)
		at = to;
	}
#undef FRAME_RECORD
	return (unsigned)(p + 1 - pcs);
}

/*
 * Whether a walk of the callers from fp would begin with exactly the return addresses behind pcs, before `last`, with which every stack ends
 * and which must be among them: in 5 to 6 instructions a frame. A frame's record is looked at only when the return address below it is the
 * expected one, so the function that has the frame is the one in which the earlier walk found it in place; a function keeps its frame
 * pointer wherever it calls.
 */
UNALIGNED_MEANT static inline __attribute__((always_inline)) bool unwind_fp_are(uintptr_t fp,
										const intptr_t record,
										const uintptr_t *pcs,
										uintptr_t last)
{
/* Looks at the k-th return address behind pcs, and goes on to its function's frame. The end is said to be likely: the deeper a frame, the fewer
 * waits get there, and the less it is worth a register. */
#define FRAME_IS(k)                                                                          \
	if (__builtin_expect(pcs[k] == last, 1))                                             \
		return true;                                                                 \
	if (__builtin_expect(((const uintptr_t *)(fp + (uintptr_t)record))[1] != pcs[k], 0)) \
		return false;                                                                \
	fp = ((const uintptr_t *)(fp + (uintptr_t)record))[0]
#define FRAMES_ARE   \
	FRAME_IS(1); \
	FRAME_IS(2); \
	FRAME_IS(3); \
	FRAME_IS(4)
	FRAMES_ARE; /* before the loop: fp and pcs are copied there only */
	for (;;) {
		pcs += 4;
		FRAMES_ARE;
	}
#undef FRAMES_ARE
#undef FRAME_IS
}

#endif

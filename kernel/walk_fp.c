/*
 * The stack of the running code by frame pointers (see walk.h). A file of its own, because it is built without one: it is tens of
 * instructions, and a frame costs five of them (tools/sources.mk).
 *
 * A frame that is not on the stack of the running goroutine is one on the system stack, which serves it or belongs to the scheduler.
 */
#include "kernel/walk.h"

#include "kernel/g.h"
#include "kernel/unwind_fp.h"

unsigned walk_frame_pointers(uintptr_t fp, uintptr_t *pcs, size_t max)
{
	const struct g *g = g_self();
	uintptr_t pc = (uintptr_t)__builtin_return_address(0);
	uintptr_t below = unwind_fp_below(g->stack_hi, ARCH_FRAME_RECORD);
	if (__builtin_expect(fp + below < g->stack_lo - ARCH_FRAME_RECORD + below, 0))
		return walk_from_system(pc, arch_sp(), fp, pcs, max);
	return unwind_fp_inline(pc, fp, ARCH_FRAME_RECORD, below, pcs, max);
}

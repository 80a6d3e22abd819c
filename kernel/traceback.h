/*
 * Symbolised tracebacks in the form of Go's debug=2:
 *
 *	goroutine 7 (name) [chan receive, 2 minutes, locked to thread]:
 *	function(...)
 *		file:line +0x24
 *	created by other in goroutine 1
 *		file:line +0x8
 *
 * The 50 innermost and the 50 outermost frames; "...N frames elided..." stands for those between. Calls that were inlined are frames of
 * their own, without an offset. A goroutine without a name, and main's, has none in the first line, which then is Go's to the letter.
 *
 * Context: that of the report; the stack that is walked belongs to the caller (docs/invariants.md, rule 3).
 */
#ifndef KERNEL_TRACEBACK_H
#define KERNEL_TRACEBACK_H

#include "arch/arch.h"
#include "kernel/report.h"

struct g;
struct hart;

/* The registers at the caller, to walk from. Any context. */
static inline __attribute__((always_inline)) void traceback_here(struct arch_unwind *u)
{
	*u = (struct arch_unwind){.pc = arch_pc(), .sp = arch_sp(), .fp = arch_fp(), .ra = 0};
}

/* The first line; status: "running", "runnable" or why it waits; minutes: of waiting, not shown when 0. */
void traceback_header(struct report *r, const struct g *g, const char *status, uint64_t minutes);
/* The frames from *u on, without the first `skip`. h: the hart whose stacks may be walked, NULL for none; g: the goroutine. */
void traceback_frames(struct report *r, const struct arch_unwind *u, const struct hart *h, const struct g *g,
		      unsigned skip);
/* The frames of a goroutine that does not run. */
void traceback_parked(struct report *r, const struct g *g);
/* The stack that there was at a call in the past, which pc is the return address of: the frames of the call, and those further out of the
 * innermost function of that name that *u, as for traceback_frames(), still stands in. Without one the call alone. */
void traceback_past(struct report *r, uintptr_t pc, const struct arch_unwind *u, const struct hart *h,
		    const struct g *g);
/* Who started g: nothing for main's goroutine. */
void traceback_created_by(struct report *r, const struct g *g);

#endif

/*
 * Walking over stack boundaries (see walk.h). There are two: a trap, whose frame says where the interrupted code's stack is, and
 * arch_call_on(), whose frame pointer does.
 */
#include "kernel/walk.h"

#include "kernel/g.h"
#include "kernel/hart.h"
#include "kernel/panic.h"
#include "kernel/stack.h"
#include "kernel/unwind.h"

enum {
	WIRED_GUARD = 4096,
	SEGMENTS_MAX = 5
}; /* panic stack, exception stack, interrupt stack, system stack, goroutine stack */

bool walk_page_present(uintptr_t addr)
{
	return arch_mmu_lookup(addr) != 0;
}

static bool inside(uintptr_t sp, uintptr_t lo, uintptr_t hi, struct walk_bounds *b)
{
	if (lo == 0 || sp < lo || sp > hi)
		return false;
	*b = (struct walk_bounds){lo, hi};
	return true;
}

/* The same for a stack of a hart, or the guard page where it overflowed; below that is the top of another. */
static bool wired(uintptr_t sp, uintptr_t lo, uintptr_t hi, struct walk_bounds *b)
{
	return inside(sp, lo, hi, b) ||
	       (lo != 0 && inside(sp, lo - WIRED_GUARD + 1, lo, b) && (b->hi = hi) != 0);
}

bool walk_find(uintptr_t sp, const struct hart *h, const struct g *g, struct walk_bounds *b)
{
#ifdef MUTANT_sp_bound
	if (g != NULL)
		sp += g->stack_hi - g->stack_lo + STACK_GUARD;
#endif
	/* A goroutine that overflowed stands in its guard, where nothing is present; its callers' frames are above. */
	if (g != NULL && inside(sp, g->stack_lo - STACK_GUARD, g->stack_hi, b))
		return true;
	return h != NULL && (wired(sp, h->stack_lo[STACK_SYS], h->sys_stack_top, b) ||
			     wired(sp, h->stack_lo[STACK_IRQ], h->irq_stack_top, b) ||
			     wired(sp, h->stack_lo[STACK_EXC], h->exc_stack_top, b) ||
			     wired(sp, h->stack_lo[STACK_PANIC], h->panic_stack_top, b) ||
			     wired(sp, h->stack_lo[STACK_NMI], h->nmi_stack_top, b));
}

/* The rule of stack ownership. */
static void owner_check(const struct g *g)
{
	if (g != NULL && g != g_self() && !g_owned(g) && g != arch_hart()->left && !panic_in_progress())
		panic("a stack is walked only by its owner: goroutine %lu", (unsigned long)g->id);
}

unsigned walk_frames(struct arch_unwind *u, const struct hart *h, const struct g *g, uintptr_t *pcs,
		     unsigned max, unsigned *flags)
{
	struct unwind_regs r = {u->pc, u->sp, u->fp, u->ra};
	struct walk_bounds b, to;
	unsigned n = 0, how;
	bool exact = false;
	owner_check(g);
	*flags = WALK_BROKEN;
	if (max == 0)
		return 0;
	if (!walk_find(r.sp, h, g, &b)) {
		pcs[0] = r.pc;
		return 1;
	}
	for (int segment = 0; segment < SEGMENTS_MAX; segment++) {
		struct unwind_bounds bounds = {b.lo, b.hi, walk_page_present};
		unsigned got = unwind_walk(&r, &bounds, pcs + n, max - n, &how);
		pcs[n] +=
			exact; /* an interrupted place further out, to be looked up one lower like a return address */
		n += got;
		exact = false;
		if (how & UNWIND_COMPLETE)
			*flags = WALK_COMPLETE;
		else if (how & UNWIND_TRUNCATED)
			*flags = WALK_TRUNCATED;
		if (*flags != WALK_BROKEN)
			break;
		if ((how & UNWIND_LEFT) && n < max) {
			/* Between two stacks, or with an sp that lies nowhere: whose stack this one is cannot be told. */
			if (walk_in_switch(r.pc) || !walk_find(r.sp, h, g, &to)) {
				pcs[n++] = r.pc + 1;
				break;
			}
			b = to;
			exact = true;
		} else if ((how & UNWIND_BROKEN) && walk_in_switch(r.pc) && walk_find(r.fp, h, g, &to) &&
			   to.lo != b.lo) {
			/* arch_call_on(): its frame lies on the stack it came from; take its pc again from there. */
			r.sp = r.fp - 16;
			b = to;
			n--;
		} else {
			break;
		}
	}
	*u = (struct arch_unwind){r.pc, r.sp, r.fp, r.ra};
	return n;
}

unsigned walk_from_system(uintptr_t pc, uintptr_t sp, uintptr_t fp, uintptr_t *pcs, size_t max)
{
	struct arch_unwind u = {.pc = pc - 1, .sp = sp, .fp = fp};
	struct hart *h = arch_hart(); /* preemption is off on this stack */
	unsigned flags, n = walk_frames(&u, h, h->serving, pcs, (unsigned)max, &flags);
	pcs[0]++;
	return n;
}

unsigned walk_frame_pointers_after(unsigned exact, uintptr_t pc, uintptr_t sp, uintptr_t fp, uintptr_t *pcs,
				   size_t max)
{
	const struct g *g = g_self();
	if (sp - g->stack_lo >= g->stack_hi - g->stack_lo)
		return walk_from_system(pc, sp, fp, pcs, max);
	struct unwind_bounds b = {.lo = g->stack_lo, .hi = g->stack_hi};
	struct unwind_regs r = {.pc = pc - 1, .sp = sp, .fp = fp};
	unsigned flags, n = unwind_walk(&r, &b, pcs, exact < max ? exact + 1 : (unsigned)max, &flags);
	pcs[0]++;
	if (!(flags & UNWIND_TRUNCATED) || n == max)
		return n;
	b.lo = r.sp;
	return n - 1 + unwind_fp(pcs[n - 1], r.fp, &b, pcs + n - 1, (unsigned)max - n + 1);
}

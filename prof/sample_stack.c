/*
 * Which stack a sample has.
 *
 * 1. A stack is walked only if the thread pointer's g is hart->cur, sp lies in that g's or the hart's system stack, and pc is outside the
 *    switch code. Otherwise the walk could mix two goroutines; such a sample is counted with pc and [switch] or [system].
 * 2. The system stack is continued into the goroutine only while hart->serving is set. Otherwise that stack may be somebody else's by now.
 * 3. A handler's stack (only an NMI finds one) is continued into what the handler interrupted, whose thread pointer is still loaded; the
 *    walk ends if that was the switch. Otherwise rule 1 would not hold there.
 * 4. An NMI that finds trap entry before it has saved what it interrupted walks that, by rule 1, with trap entry in front.
 */
#include "prof/impl.h"

#include <string.h>

#include "kernel/g.h"
#include "kernel/page.h"
#include "kernel/symtab.h"
#include "kernel/unwind.h"
#include "kernel/walk.h"
#include "prof/builder.h"
#include "sched/sched.h"

enum stack_kind { STACK_NOT, STACK_GOROUTINE, STACK_SYSTEM, STACK_HANDLER };

static enum stack_kind stack_kind(const struct hart *h, const struct arch_frame *f,
				  const struct arch_unwind *u)
{
	const struct g *g = h->cur;
	struct walk_bounds b;
	if (g == NULL || arch_frame_tls(f) != g->tls)
		return STACK_NOT;
#ifndef MUTANT_switch_pc
	if (walk_in_switch(u->pc))
		return STACK_NOT;
#endif
	if (g != h->g0 && u->sp >= g->stack_lo && u->sp <= g->stack_hi)
		return STACK_GOROUTINE;
	if (!walk_find(u->sp, h, NULL, &b))
		return STACK_NOT;
	if (b.lo == h->stack_lo[STACK_SYS])
		return STACK_SYSTEM;
	return b.lo == h->stack_lo[STACK_IRQ] || b.lo == h->stack_lo[STACK_EXC] ? STACK_HANDLER : STACK_NOT;
}

/* The walk of the running goroutine's own stack, which is nearly always whole: 0, if it is not. */
static uint32_t walk_short(const struct arch_unwind *u, const struct g *g, struct sample *s)
{
	struct unwind_regs r = {u->pc, u->sp, u->fp, u->ra};
	const struct unwind_bounds b = {g->stack_lo, g->stack_hi, walk_page_present};
	uintptr_t first = g->stack_hi - PAGE_SIZE; /* who was started has this page until it ends */
	unsigned flags;
	unsigned n = unwind_walk_known(&r, &b, first, s->pcs, SAMPLE_DEPTH_MAX, &flags);
	return (flags & UNWIND_COMPLETE) != 0 ? n : 0;
}

/* Every sample but one of the goroutine's own stack that is walked in one go. n: frames that are known already. */
static __attribute__((noinline)) void stack_take(const struct hart *h, enum stack_kind kind,
						 struct arch_unwind *u, unsigned n, struct sample *s)
{
	const struct g *g = NULL;
	unsigned flags;
	switch (kind) {
	case STACK_NOT:
		s->pcs[1] = walk_in_switch(u->pc) ? PROF_FRAME_SWITCH : PROF_FRAME_SYSTEM;
		s->depth = 2;
		return;
	case STACK_GOROUTINE:
		g = h->cur;
		break;
	case STACK_SYSTEM:
		g = h->serving != NULL ? h->cur : NULL;
		break;
	case STACK_HANDLER:
		g = h->cur != h->g0 ? h->cur : NULL;
		break;
	}
	s->labels = g != NULL ? labels_id_irq(g->labels) : 0;
	s->depth = n + walk_frames(u, h, g, s->pcs + n, SAMPLE_DEPTH_MAX - n, &flags);
	s->pcs[n] += n; /* an interrupted place further out, to be looked up one lower */
	if ((flags & WALK_TRUNCATED) && s->depth == SAMPLE_DEPTH_MAX)
		s->pcs[s->depth - 1] = PROF_FRAME_TRUNCATED;
}

void sample_stack_irq(const struct hart *h, const struct arch_frame *f, struct sample *s)
{
	struct arch_unwind u;
	unsigned n = 0; /* frames that are known already: where trap entry was interrupted */
	arch_frame_unwind(f, &u);
	s->pcs[0] = u.pc;
	if ((s->flags & SAMPLE_IRQ_OFF) != 0)
		n = arch_frame_unwind_outer(f, &u);
	s->g = h->cur != NULL ? h->cur->id : 0;
	s->labels = 0;
	enum stack_kind kind = stack_kind(h, f, &u);
	if (kind == STACK_GOROUTINE && n == 0 && (s->depth = walk_short(&u, h->cur, s)) > 0)
		s->labels = labels_id_irq(h->cur->labels);
	else
		stack_take(h, kind, &u, n, s);
}

void sample_masked_resolve(struct sample *s)
{
	struct symtab_function masker, at;
	uintptr_t pc = s->pcs[0] - 1; /* it is a return address, and a leaf is exact */
	bool known = symtab_function(pc, &masker);
	uint32_t i = s->depth;
	for (uint32_t k = 1; known && k < s->depth && i == s->depth; k++)
		if (symtab_function(s->pcs[k] - (k > 1), &at) && at.start == masker.start)
			i = k;
	if (i == s->depth) { /* the function that turned interrupts off has returned */
		s->pcs[1] = PROF_FRAME_IRQ_OFF;
		s->depth = 2;
	} else {
		memmove(s->pcs + 1, s->pcs + i + 1, (s->depth - i - 1) * sizeof s->pcs[0]);
		s->depth -= i;
	}
	s->pcs[0] = pc;
}

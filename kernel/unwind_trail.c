/*
 * The trail of a walk (see unwind_trail.h). A walk is a function of the registers where it begins, of the image's rules, and of the words it
 * reads: each rule says where the next words lie, and their values say which rule is the next. So, by induction over the frames, two stacks
 * have the same walk if these words are equal, frame pointers, which are addresses in their own stack, counted from its end.
 *
 * 1. Every word that decides about the walk is in the trail: each return address, and each frame pointer that a rule counts from. Otherwise a
 *    stack would be taken for another one. A frame pointer that is only handed on, and may be data of a function without one, is not.
 * 2. Only a walk that reaches its root has a trail. Otherwise bounds would decide about it, too, and they differ between stacks.
 */
#include "kernel/unwind_trail.h"

#include <string.h>

#include "kernel/unwind_rules.h"

struct maker {
	struct trail *t;
	uintptr_t hi;
	struct trail_word pcs[TRAIL_WORDS_MAX];
	uint32_t n_fps, n_pcs;
	uintptr_t fp_at; /* where the frame pointer was read; 0: it is the one at the beginning */
	bool fp_noted;
};

/* A word that may be read. */
static bool on_stack(const struct maker *m, uintptr_t at, uintptr_t lo)
{
	return (at & 7) == 0 && at >= lo && at <= m->hi - 8;
}

static bool fp_note(struct maker *m, uintptr_t fp)
{
	if (m->fp_noted)
		return true;
	m->fp_noted = true;
	if (m->fp_at == 0) {
		m->t->fp_below = m->hi - fp;
		return true;
	}
	if (m->n_fps + m->n_pcs == TRAIL_WORDS_MAX)
		return false;
	m->t->words[m->n_fps++] = (struct trail_word){m->hi - m->fp_at, m->hi - fp};
	return true;
}

/* Leaves one frame. */
static bool frame_note(struct maker *m, const struct symtab_rule *rule, struct unwind_regs *r)
{
	if ((rule->cfa != SYMTAB_CFA_SP && rule->cfa != SYMTAB_CFA_FP) || rule->flags != 0 ||
	    rule->pc_slot == SYMTAB_SLOT_NONE || (rule->cfa == SYMTAB_CFA_FP && !fp_note(m, r->fp)))
		return false;
	uintptr_t cfa = (rule->cfa == SYMTAB_CFA_SP ? r->sp : r->fp) + (uintptr_t)(intptr_t)rule->cfa_offset;
	uintptr_t pc_at = cfa + (uintptr_t)(intptr_t)rule->pc_slot * 8;
	if (cfa <= r->sp || cfa > m->hi || !on_stack(m, pc_at, r->sp) ||
	    m->n_fps + m->n_pcs == TRAIL_WORDS_MAX)
		return false;
	r->pc = *(const uintptr_t *)pc_at;
	m->pcs[m->n_pcs++] = (struct trail_word){m->hi - pc_at, r->pc};
	if (rule->fp_slot != SYMTAB_SLOT_NONE) {
		uintptr_t fp_at = cfa + (uintptr_t)(intptr_t)rule->fp_slot * 8;
		if (!on_stack(m, fp_at, r->sp))
			return false;
		r->fp = *(const uintptr_t *)fp_at;
		m->fp_at = fp_at;
		m->fp_noted = false;
	}
	r->sp = cfa;
	return true;
}

bool trail_make(struct trail *t, const struct unwind_regs *r, uintptr_t hi)
{
	const struct symtab_table *table = symtab_table();
	struct maker m = {.t = t, .hi = hi};
	struct unwind_regs u = *r;
	if (table == NULL)
		return false;
	*t = (struct trail){.pc = r->pc, .sp_below = hi - r->sp, .fp_below = UINTPTR_MAX};
	for (uintptr_t place = u.pc;; place = u.pc - 1) {
		const struct symtab_rule *rule = unwind_rule(table, place);
		if (rule == NULL)
			return false;
		if (rule->cfa == SYMTAB_CFA_ROOT)
			break;
		if (!frame_note(&m, rule, &u))
			return false;
	}
	t->n_fps = m.n_fps;
	t->n_pcs = m.n_pcs;
	memcpy(t->words + m.n_fps, m.pcs, m.n_pcs * sizeof m.pcs[0]);
	return m.n_pcs > 0;
}

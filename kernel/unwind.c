/*
 * Walking a stack by the rules of the symbol table. A rule says, for the state before one
 * instruction, where the frame's canonical address (CFA: sp of the caller at the call) is, and
 * where the caller's pc and fp are from there; that is all that differs between instructions and
 * between architectures. On riscv64 the caller's pc may still be in register ra, but only in the
 * innermost frame and in one that was interrupted; on x86-64 no rule says so.
 *
 *   high   | caller's frame ...     |
 *   CFA -> +------------------------+
 *          | return address  (pc)   |  CFA - 8
 *          | caller's fp            |  CFA - 16
 *          | ...                    |
 *   sp  -> +------------------------+
 *
 * Invariants:
 * 1. Only 8-byte aligned words in [max(lo, sp), hi) are read, and only on pages that `readable`
 *    admits; in the frame where the walk starts also those in the red zone below sp, where x86-64's
 *    leaf functions keep live words. Otherwise a sample of a goroutine whose registers are in
 *    flight would fault inside an interrupt.
 * 2. The CFA of each frame is above the one before (the first at or above sp). Otherwise a cycle in
 *    a damaged stack would be walked for ever; as it is, depth is bounded by max and by the stack's
 *    size.
 * 3. An address without rule ends the walk as broken; no guess is made by frame pointer. Otherwise
 *    a profile would show stacks that never were. Only when there is no table at all do frame
 *    pointers serve, and the flag says so.
 */
#include "kernel/unwind.h"

#include <stddef.h>

#include "kernel/unwind_fp.h"
#include <string.h>

#include "kernel/unwind_rules.h"
#ifdef MUTANT_epilogue
#include "kernel/symtab.h"
#endif

enum { PAGE = 4096 };

/*
 * Where a frame's record {caller's fp, return address} lies from its frame pointer: both architectures put it
 * right below the CFA, but riscv64's fp is the CFA and x86-64's is the record. The compiler knows which (a
 * constant).
 */
static inline intptr_t frame_record(void)
{
	return (intptr_t)__builtin_dwarf_cfa() - 16 - (intptr_t)__builtin_frame_address(0);
}

/* Whether it is the rule of a frame with a frame pointer: CFA = end of fp's record, which holds pc and fp. */
static bool rule_is_usual(const struct symtab_rule *rule)
{
	return rule->cfa == SYMTAB_CFA_FP && rule->flags == 0 && rule->pc_slot == -1 && rule->fp_slot == -2 &&
	       rule->cfa_offset == frame_record() + 16;
}

const struct symtab_rule *unwind_rule_search(const struct symtab_table *t, uint32_t offset)
{
	uint32_t page = offset >> t->page_shift;
	if (page + 1 >= t->n_pages)
		return NULL;
	uint32_t lo = t->pages[page], hi = t->pages[page + 1];
	if (lo >= hi || hi > t->n_rows)
		return NULL;
	uint32_t unit = (offset & ((1u << t->page_shift) - 1)) >> t->unit_shift;
	uint32_t last =
		unit << t->rule_bits | ((1u << t->rule_bits) - 1); /* no row at or before pc is larger */
	const uint16_t *row = t->rows + lo;
	for (uint32_t n = hi - lo; n > 1;) { /* row[0] holds, and the wanted one is among row[0 .. n - 1] */
		uint32_t half = n / 2;
		row = row[half] <= last ? row + half : row;
		n -= half;
	}
#ifdef MUTANT_epilogue
	/* Behind a stretch with a frame pointer the rule stays as it was, to the end of the function. */
	struct symtab_function f;
	uint32_t at = (page << t->page_shift) + ((uint32_t)(*row >> t->rule_bits) << t->unit_shift);
	if (row > t->rows + lo && t->rules[row[-1] & ((1u << t->rule_bits) - 1)].cfa == SYMTAB_CFA_FP &&
	    symtab_function(t->text_base + at, &f) && f.start != t->text_base + at)
		row--;
#endif
	uint32_t number = *row & ((1u << t->rule_bits) - 1);
	if (number >= t->n_rules)
		return NULL;
	const struct symtab_rule *rule = &t->rules[number];
	if (rule->cfa == SYMTAB_CFA_NONE ||
	    ((rule->flags & SYMTAB_RULE_WIDE) != 0 && number + 1 >= t->n_rules))
		return NULL;
	uint64_t kept = (uint64_t)(offset + 1) << 32 | (rule_is_usual(rule) ? SYMTAB_RULE_USUAL : 0) | number;
	__atomic_store_n(symtab_rule_slot(offset), kept, __ATOMIC_RELAXED);
	return rule;
}

/* What a walk knows of the stack; lo rises with each frame. */
struct stack {
	uintptr_t lo, hi;
	uintptr_t page; /* the page that was last found readable; 1: none */
	bool (*readable)(uintptr_t addr);
};

/* Reads the word at addr, if the walk may. */
static inline bool word_read(struct stack *s, uintptr_t addr, uintptr_t *out)
{
	if ((addr & 7) != 0 || addr < s->lo || addr >= s->hi)
		return false;
	if (s->readable != NULL && (addr & -(uintptr_t)PAGE) != s->page) {
		if (!s->readable(addr))
			return false;
		s->page = addr & -(uintptr_t)PAGE;
	}
	*out = *(const uintptr_t *)addr;
	return true;
}

static inline uintptr_t slot_address(uintptr_t cfa, int slot)
{
	return cfa + (uintptr_t)(intptr_t)slot * 8;
}

/* The registers of the frame that an interrupted or otherwise wide rule describes. */
static __attribute__((noinline)) bool wide_apply(struct stack *s, const struct symtab_rule *rule,
						 uintptr_t cfa, struct unwind_regs *r)
{
	const struct symtab_rule_wide *w = (const void *)(rule + 1);
	struct unwind_regs up = {.pc = r->ra, .sp = cfa, .fp = r->fp, .ra = 0};
	if (w->pc_slot != SYMTAB_SLOT_NONE_WIDE && !word_read(s, slot_address(cfa, w->pc_slot), &up.pc))
		return false;
	if (w->fp_slot != SYMTAB_SLOT_NONE_WIDE && !word_read(s, slot_address(cfa, w->fp_slot), &up.fp))
		return false;
	if (w->sp_slot != SYMTAB_SLOT_NONE_WIDE && !word_read(s, slot_address(cfa, w->sp_slot), &up.sp))
		return false;
	if (w->ra_slot != SYMTAB_SLOT_NONE_WIDE && !word_read(s, slot_address(cfa, w->ra_slot), &up.ra))
		return false;
	*r = up;
	return true;
}

/* The frame's CFA; 0 when it cannot be read. */
static inline uintptr_t cfa_find(struct stack *s, const struct symtab_rule *rule, const struct unwind_regs *r)
{
	uintptr_t cfa = (rule->cfa == SYMTAB_CFA_SP ? r->sp : r->fp) + (uintptr_t)(intptr_t)rule->cfa_offset;
	if (rule->cfa == SYMTAB_CFA_FP_DEREF && !word_read(s, cfa, &cfa))
		return 0;
	return cfa;
}

/* Replaces *r by the caller's registers. False when the frame is against invariants 1 or 2. */
static inline __attribute__((always_inline)) bool frame_leave(struct stack *s, const struct symtab_rule *rule,
							      bool innermost, struct unwind_regs *r)
{
	uintptr_t cfa = cfa_find(s, rule, r);
	if (cfa < r->sp || cfa < s->lo || cfa > s->hi || (cfa & 7) != 0)
		return false;
	uintptr_t pc = r->ra, fp = r->fp;
	if ((rule->flags & SYMTAB_RULE_WIDE) != 0) {
		struct stack wide_stack = *s; /* copies: only these need to lie in memory */
		struct unwind_regs wide = *r;
		if (!wide_apply(&wide_stack, rule, cfa, &wide))
			return false;
		*r = wide;
		s->lo = cfa;
		return true;
	}
	if (rule->pc_slot != SYMTAB_SLOT_NONE) {
		if (cfa == r->sp || !word_read(s, slot_address(cfa, rule->pc_slot), &pc))
			return false;
	} else if (!innermost) {
		return false; /* ra was lost at the call */
	}
	if (rule->fp_slot != SYMTAB_SLOT_NONE && !word_read(s, slot_address(cfa, rule->fp_slot), &fp))
		return false;
	*r = (struct unwind_regs){.pc = pc, .sp = cfa, .fp = fp, .ra = 0};
	s->lo = cfa;
	return true;
}

/*
 * The same in a short way for the rule that most frames have, in compiled code with frame pointers: CFA = fp
 * + n, caller's pc and fp in the two words below. False: not that rule, or not so simple; nothing is changed
 * then.
 */
static inline __attribute__((always_inline)) bool frame_leave_usual(struct stack *s,
								    const struct symtab_rule *rule,
								    struct unwind_regs *r)
{
	uintptr_t cfa = r->fp + (uintptr_t)(intptr_t)rule->cfa_offset, at = cfa - 16;
	bool usual =
		rule->cfa == SYMTAB_CFA_FP && rule->flags == 0 && rule->pc_slot == -1 && rule->fp_slot == -2;
	if (!usual || at < s->lo || at >= cfa || cfa > s->hi || (at & 7) != 0 || at < r->sp)
		return false;
	if (s->readable != NULL && ((at ^ s->page) >= PAGE || ((at + 8) ^ s->page) >= PAGE))
		return false;
	const uintptr_t *words = (const uintptr_t *)at;
	*r = (struct unwind_regs){.pc = words[1], .sp = cfa, .fp = words[0], .ra = 0};
	s->lo = cfa;
	return true;
}

/* No table: by frame pointers, held to the same invariants. */
static unsigned walk_without_table(struct stack *s, struct unwind_regs *r, uintptr_t *pcs, unsigned max,
				   unsigned *flags)
{
	unsigned n = 0;
	intptr_t record = frame_record();
	*flags = UNWIND_FP | UNWIND_TRUNCATED;
	for (pcs[n++] = r->pc; n < max; n++) {
		uintptr_t at = r->fp + (uintptr_t)record, fp;
		if (!word_read(s, at, &fp) || !word_read(s, at + 8, &r->pc)) {
			*flags = UNWIND_FP | (r->fp == 0 ? UNWIND_COMPLETE : UNWIND_BROKEN);
			break;
		}
		pcs[n] = r->pc;
		*r = (struct unwind_regs){.pc = r->pc, .sp = at + 16, .fp = fp, .ra = 0};
		s->lo = at + 16;
	}
	return n;
}

struct place {
	size_t n; /* depth */
	const struct symtab_rule *rule;
};

/*
 * Leaves frames of the usual rule as long as they come one after the other on the page that was last found readable, with rules that were asked
 * for lately: some 25 instructions each, where the loop below takes 80. The first of them stands at *r, at depth n, and has `rule`. If the depth is
 * more then, *r has changed, and the rule is the one for it if that was asked for lately, else NULL.
 */
static __attribute__((noinline)) struct place usual_leave(const struct symtab_table *t, struct stack *s,
							  struct unwind_regs *r, uintptr_t *pcs, size_t n,
							  size_t max, const struct symtab_rule *rule)
{
	const uintptr_t record = (uintptr_t)frame_record(), text = t->text_base, size = t->text_limit - text;
	uintptr_t lo = s->lo > r->sp ? s->lo : r->sp, last = s->page + PAGE < s->hi ? s->page + PAGE : s->hi;
	uintptr_t fp = r->fp, pc = r->pc, *to = pcs + n, *end = pcs + max;
	uint64_t kept = 0;
	if (lo < s->page)
		lo = s->page;
	last -= 16;
	while (to < end) {
		uintptr_t at = fp + record;
		if (at < lo || at > last || (at & 7) != 0)
			break;
		uintptr_t up = ((const uintptr_t *)at)[1], offset = up - 1 - text;
		if (offset >= size)
			break;
		fp = ((const uintptr_t *)at)[0];
		lo = at + 16;
		*to++ = pc = up;
		kept = __atomic_load_n(symtab_rule_slot((uint32_t)offset), __ATOMIC_RELAXED);
		if (kept >> 31 != (offset + 1) * 2 + 1)
			break;
	}
	if (to > pcs + n) {
		*r = (struct unwind_regs){.pc = pc, .sp = lo, .fp = fp, .ra = 0};
		s->lo = lo;
		rule = kept >> 32 == pc - text ? &t->rules[(uint32_t)kept & ~SYMTAB_RULE_USUAL] : NULL;
	}
	return (struct place){(size_t)(to - pcs), rule};
}

unsigned unwind_walk(struct unwind_regs *r, const struct unwind_bounds *b, uintptr_t *pcs, unsigned max,
		     unsigned *flags)
{
	return unwind_walk_known(r, b, 0, pcs, max, flags);
}

unsigned unwind_walk_known(struct unwind_regs *r, const struct unwind_bounds *b, uintptr_t known,
			   uintptr_t *pcs, unsigned max, unsigned *flags)
{
	const struct symtab_table *t = symtab_table();
	uintptr_t live = r->sp - (t != NULL ? t->red_zone : 0);
	if (live > r->sp)
		live = 0;
	struct stack s = {.lo = b->lo > live ? b->lo : live, .hi = b->hi, .page = 1, .readable = b->readable};
	*flags = UNWIND_TRUNCATED;
	if (max == 0)
		return 0;
	if (t == NULL)
		return walk_without_table(&s, r, pcs, max, flags);
	const uintptr_t text = t->text_base, size = t->text_limit - text;
	unsigned n = 0, end = UNWIND_BROKEN;
	bool exact = true; /* r->pc is where the frame stands, not where a call returns to */
	uintptr_t page = r->sp & -(uintptr_t)PAGE; /* where most walks are short enough to stay */
	if (page != 0 && page == known)
		s.page = page;
	else if (r->sp >= s.lo && r->sp < s.hi && (s.readable == NULL || s.readable(r->sp)))
		s.page = page;
	const struct symtab_rule *rule = unwind_rule(t, r->pc);
	pcs[n++] = r->pc;
	while (rule != NULL) {
		if (rule_is_usual(rule)) {
			struct place to = usual_leave(t, &s, r, pcs, n, max, rule);
			if (to.n > n) {
				n = (unsigned)to.n;
				rule = to.rule != NULL ? to.rule : unwind_rule(t, r->pc - 1);
				exact = false;
				continue;
			}
		}
		if (rule->cfa == SYMTAB_CFA_ROOT) {
			end = UNWIND_COMPLETE;
			break;
		}
		if (n == max) {
			end = UNWIND_TRUNCATED;
			break;
		}
		bool usual = frame_leave_usual(&s, rule, r);
		if (!usual && !frame_leave(&s, rule, exact, r))
			break;
		exact = !usual && (rule->flags & SYMTAB_RULE_SIGNAL) != 0;
		if (exact) {
			if (r->sp < s.lo || r->sp > s.hi) {
				end = UNWIND_LEFT;
				break;
			}
			s.lo = r->sp;
		}
		uintptr_t offset = r->pc - !exact - text;
		if (offset >= size)
			break;
		pcs[n++] = r->pc + exact;
		rule = unwind_rule_at(t, (uint32_t)offset);
	}
	*flags = end;
	return n;
}

UNALIGNED_MEANT unsigned unwind_fp_record(uintptr_t pc, uintptr_t fp, intptr_t record,
					  const struct unwind_bounds *b, uintptr_t *pcs, unsigned max)
{
	uintptr_t at = fp + (uintptr_t)record;
	if (max == 0)
		return 0;
	if (b->hi < b->lo || b->hi - b->lo < 16 || at < b->lo || at > b->hi - 16) {
		pcs[0] = pc;
		return 1;
	}
	return unwind_fp_inline(pc, fp, record, unwind_fp_below(b->hi, record), pcs, max);
}

unsigned unwind_fp(uintptr_t pc, uintptr_t fp, const struct unwind_bounds *b, uintptr_t *pcs, unsigned max)
{
	return unwind_fp_record(pc, fp, frame_record(), b, pcs, max);
}

UNALIGNED_MEANT unsigned unwind_fp_callers(uintptr_t *fp, const struct unwind_bounds *b, uintptr_t *pcs,
					   unsigned max)
{
	const intptr_t record = frame_record();
	uintptr_t at = *fp, next, top = b->hi - 16 - (uintptr_t)record;
	unsigned n = 0;
	if (at + (uintptr_t)record < b->lo || at > top)
		return 0;
	for (;; at = next) {
		const uintptr_t *words = (const uintptr_t *)(at + (uintptr_t)record);
		pcs[n++] = words[1];
		next = words[0];
		if (n == max || next <= at || next > top)
			break;
	}
	*fp = next;
	return n;
}

/*
 * For each stretch of code the rule that its CFI gives, as libdw reads it: .eh_frame first, then .debug_frame
 * (libgcc's assembly carries CFI partly there only). Code of a known function without CFI gets the default
 * rule: it is assembly that does not move sp, so the caller's frame is as at entry. Alignment between
 * functions keeps the rule before it.
 */
#include "tools/symtab/unwind.h"

#include <dwarf.h>
#include <stdlib.h>
#include <string.h>

enum {
	GAP_MIN = 64,               /* bytes without function or CFI that are more than alignment */
	SLOT_LOST = INT32_MIN,      /* CFI says undefined */
	SLOT_SAME = INT32_MIN + 1,  /* unchanged */
	SLOT_WRONG = INT32_MIN + 2, /* CFI says what a rule cannot hold */
};

/* A rule with its slots in words from the CFA, or SLOT_*. */
struct rule {
	int cfa; /* enum symtab_cfa */
	int32_t cfa_offset;
	int32_t pc, fp, sp, ra;
	bool signal;
};

struct stretch {
	uint64_t pc;
	struct rule rule;
};

struct rows {
	struct stretch *all;
	size_t n;
	const struct image *im;
};

static struct rule rule_none(void)
{
	return (struct rule){SYMTAB_CFA_NONE, 0, 0, 0, 0, 0, false};
}

static struct rule rule_default(const struct image *im)
{
	bool leaf_register = im->reg_ra >= 0;
	return (struct rule){.cfa = SYMTAB_CFA_SP,
			     .cfa_offset = leaf_register ? 0 : 8,
			     .pc = leaf_register ? SLOT_SAME : -1,
			     .fp = SLOT_SAME,
			     .sp = SLOT_SAME,
			     .ra = SLOT_LOST};
}

/* Where `reg` of the caller is: a slot, or SLOT_*. */
static int32_t slot_read(Dwarf_Frame *frame, int reg)
{
	Dwarf_Op mem[3], *ops;
	size_t n;
	if (dwarf_frame_register(frame, reg, mem, &ops, &n) != 0)
		return SLOT_WRONG;
	if (n == 0)
		return ops == NULL ? SLOT_SAME : SLOT_LOST;
	int64_t offset = 0;
	if (ops[0].atom != DW_OP_call_frame_cfa || n > 2)
		return SLOT_WRONG;
	if (n == 2) {
		if (ops[1].atom != DW_OP_plus_uconst)
			return SLOT_WRONG;
		offset = (int64_t)ops[1].number;
	}
	return offset % 8 == 0 && offset / 8 > SYMTAB_SLOT_NONE_WIDE && offset / 8 <= INT16_MAX
		       ? (int32_t)(offset / 8)
		       : SLOT_WRONG;
}

static bool cfa_read(const struct image *im, Dwarf_Frame *frame, struct rule *r)
{
	Dwarf_Op *ops;
	size_t n;
	if (dwarf_frame_cfa(frame, &ops, &n) != 0 || n < 1 || n > 2)
		return false;
	int reg;
	int64_t offset;
	if (ops[0].atom == DW_OP_bregx) {
		reg = (int)ops[0].number;
		offset = (int64_t)ops[0].number2;
	} else if (ops[0].atom >= DW_OP_breg0 && ops[0].atom <= DW_OP_breg31) {
		reg = ops[0].atom - DW_OP_breg0;
		offset = (int64_t)ops[0].number;
	} else {
		return false;
	}
	bool deref = n == 2 && ops[1].atom == DW_OP_deref;
	if ((n == 2 && !deref) || offset != (int32_t)offset)
		return false;
	if (reg == im->reg_fp)
		r->cfa = deref ? SYMTAB_CFA_FP_DEREF : SYMTAB_CFA_FP;
	else if (reg == im->reg_sp && !deref)
		r->cfa = SYMTAB_CFA_SP;
	else
		return false;
	r->cfa_offset = (int32_t)offset;
	return true;
}

/* The rule of a CFI row, or false when a rule cannot hold what it says. */
static bool rule_read(const struct image *im, Dwarf_Frame *frame, int reg_return, bool signal, struct rule *r)
{
	*r = (struct rule){.signal = signal, .sp = SLOT_SAME, .ra = SLOT_LOST};
	r->pc = slot_read(frame, reg_return);
	if (r->pc == SLOT_LOST) {
		*r = rule_none();
		r->cfa = SYMTAB_CFA_ROOT;
		return true;
	}
	if (!cfa_read(im, frame, r))
		return false;
	r->fp = slot_read(frame, im->reg_fp);
	if (r->fp == SLOT_LOST)
		r->fp = SLOT_SAME; /* the value is of no use, and no rule of the caller's will ask for it */
	if (signal) {
		r->sp = slot_read(frame, im->reg_sp);
		if (im->reg_ra >= 0)
			r->ra = slot_read(frame, im->reg_ra);
		if (r->ra == SLOT_SAME)
			r->ra = SLOT_LOST;
	}
	bool pc_lost = r->pc == SLOT_SAME && (reg_return != im->reg_ra || signal);
	return !pc_lost && r->pc != SLOT_WRONG && r->fp != SLOT_WRONG && r->sp != SLOT_WRONG &&
	       r->ra != SLOT_WRONG;
}

static bool rule_equal(const struct rule *a, const struct rule *b)
{
	return a->cfa == b->cfa && a->cfa_offset == b->cfa_offset && a->pc == b->pc && a->fp == b->fp &&
	       a->sp == b->sp && a->ra == b->ra && a->signal == b->signal;
}

static void stretch_add(struct rows *rows, uint64_t pc, struct rule rule)
{
	if (rows->n > 0 && rule_equal(&rows->all[rows->n - 1].rule, &rule))
		return;
	ARRAY_ROOM(rows->all, rows->n);
	rows->all[rows->n++] = (struct stretch){pc, rule};
}

/* Adds the CFI row at pc and returns where it ends; 0 when no CFI covers pc. */
static uint64_t cfi_add(struct rows *rows, Dwarf_CFI *cfi, uint64_t pc, struct function *in)
{
	Dwarf_Frame *frame;
	Dwarf_Addr start, end;
	bool signal;
	if (cfi == NULL || dwarf_cfi_addrframe(cfi, pc, &frame) != 0)
		return 0;
	int reg_return = dwarf_frame_info(frame, &start, &end, &signal);
	struct rule rule;
	if (reg_return < 0 || end <= pc)
		return 0;
	if (!rule_read(rows->im, frame, reg_return, signal, &rule)) {
		if (in != NULL)
			in->refused += end - pc;
		rule = rule_none();
	}
	stretch_add(rows, pc, rule);
	free(frame);
	return end;
}

static void text_walk(struct rows *rows, struct function *f, size_t n)
{
	const struct image *im = rows->im;
	Dwarf_CFI *eh = dwarf_getcfi_elf(im->elf), *debug = im->dwarf ? dwarf_getcfi(im->dwarf) : NULL;
	uint64_t gap = 0; /* start of code without function and CFI, 0: none */
	for (uint64_t pc = im->text_base; pc < im->text_limit;) {
		struct function *in = functions_find(f, n, pc);
		uint64_t end = cfi_add(rows, eh, pc, in);
		if (end == 0)
			end = cfi_add(rows, debug, pc, in);
		if (end == 0 && in == NULL) {
			if (gap == 0)
				gap = pc;
			if (pc - gap == GAP_MIN)
				stretch_add(rows, gap, rule_none());
			pc += 1u << im->unit_shift;
			continue;
		}
		gap = 0;
		if (end == 0) {
			stretch_add(rows, pc, rule_default(im));
			end = pc + (1u << im->unit_shift);
		} else if (in != NULL && pc == in->start) {
			in->has_cfi = true;
		}
		/* A row of CFI may span several functions only if they are one piece of assembly: stop at
		 * each start. */
		uint64_t stop = in ? in->start + in->size : end;
		pc = end < stop ? end : stop;
	}
}

static bool slot_narrow(int32_t slot)
{
	return slot == SLOT_SAME || (slot > SYMTAB_SLOT_NONE && slot <= INT8_MAX);
}

/* Number of the rule in `out`; adds it when it is new. */
static size_t rule_number(struct buffer *out, const struct rule *r)
{
	struct symtab_rule rule = {.cfa_offset = r->cfa_offset, .cfa = (uint8_t)r->cfa};
	struct symtab_rule_wide wide = {
		.pc_slot = (int16_t)(r->pc < INT16_MIN ? SYMTAB_SLOT_NONE_WIDE : r->pc),
		.fp_slot = (int16_t)(r->fp < INT16_MIN ? SYMTAB_SLOT_NONE_WIDE : r->fp),
		.sp_slot = (int16_t)(r->sp < INT16_MIN ? SYMTAB_SLOT_NONE_WIDE : r->sp),
		.ra_slot = (int16_t)(r->ra < INT16_MIN ? SYMTAB_SLOT_NONE_WIDE : r->ra),
	};
	uint8_t bytes[16];
	size_t size = 8;
	if (r->signal || !slot_narrow(r->pc) || !slot_narrow(r->fp)) {
		rule.flags = (uint8_t)(SYMTAB_RULE_WIDE | (r->signal ? SYMTAB_RULE_SIGNAL : 0));
		memcpy(bytes + 8, &wide, 8);
		size = 16;
	} else {
		rule.pc_slot = (int8_t)(r->pc == SLOT_SAME ? SYMTAB_SLOT_NONE : r->pc);
		rule.fp_slot = (int8_t)(r->fp == SLOT_SAME ? SYMTAB_SLOT_NONE : r->fp);
	}
	memcpy(bytes, &rule, 8);
	for (size_t i = 0; i < out->size; i += 8) {
		const struct symtab_rule *old = (const void *)(out->data + i);
		bool old_wide = (old->flags & SYMTAB_RULE_WIDE) != 0;
		if (out->size - i >= size && memcmp(out->data + i, bytes, size) == 0)
			return i / 8;
		if (old_wide)
			i += 8;
	}
	buffer_put(out, bytes, size);
	return out->size / 8 - size / 8;
}

void unwind_make(const struct image *im, struct function *f, size_t n, struct unwind_parts *out)
{
	struct rows rows = {.im = im};
	stretch_add(&rows, im->text_base, rule_none()); /* the first page too has a row at its start */
	text_walk(&rows, f, n);
	*out = (struct unwind_parts){0};
	size_t *numbers = grow(NULL, rows.n, sizeof *numbers);
	for (size_t i = 0; i < rows.n; i++)
		numbers[i] = rule_number(&out->rules, &rows.all[i].rule);
	while ((size_t)1 << out->rule_bits < out->rules.size / 8)
		out->rule_bits++;
	if (out->rule_bits > SYMTAB_RULE_BITS_MAX)
		die("%zu different unwind rules: more than the %d that the table's format can number",
		    out->rules.size / 8, 1 << SYMTAB_RULE_BITS_MAX);
	uint64_t page_size = (uint64_t)1 << (16 - out->rule_bits + im->unit_shift);
	size_t next = 0; /* first stretch behind the page's start */
	uint32_t n_rows = 0;
	for (uint64_t page = im->text_base; page < im->text_limit; page += page_size) {
		buffer_put(&out->pages, &n_rows, sizeof n_rows);
		while (next < rows.n && rows.all[next].pc <= page)
			next++;
		for (size_t i = next ? next - 1 : 0; i < rows.n && rows.all[i].pc < page + page_size; i++) {
			uint64_t at = rows.all[i].pc > page ? rows.all[i].pc - page : 0;
			uint16_t row = (uint16_t)(at >> im->unit_shift << out->rule_bits | numbers[i]);
			buffer_put(&out->rows, &row, sizeof row);
			n_rows++;
		}
	}
	buffer_put(&out->pages, &n_rows, sizeof n_rows);
}

/*
 * Judge one: a walk by the call frame information of the ELF file, as libdw reads it, with every register the stop brought. What a place
 * says is asked once and kept.
 */
#include <dwarf.h>
#include <stdlib.h>
#include <string.h>

#include "tests/stepping/judge/judge.h"

enum { REGS = 65, OPS = 6, ROWS = 1 << 18, SEPC = 4417, SSCRATCH = 4416 };

enum rule_kind { RULE_SAME, RULE_UNDEFINED, RULE_AT };

struct rule {
	enum rule_kind kind;
	uint8_t n;
	Dwarf_Op ops[OPS];
};

struct row {
	uint64_t pc;
	bool known, signal;
	int return_reg;
	struct rule cfa;
	unsigned n;
	struct {
		int reg;
		struct rule rule;
	} rules[40];
};

struct state {
	uint64_t regs[REGS];
	const struct step_stop *stop;
	bool first; /* sepc and sscratch count */
};

static struct row *rows[ROWS];
static Dwarf_CFI *eh, *debug;

void cfi_open(const struct image *im)
{
	eh = dwarf_getcfi_elf(im->elf);
	debug = im->dwarf != NULL ? dwarf_getcfi(im->dwarf) : NULL;
}

static void ops_copy(struct rule *r, const Dwarf_Op *ops, size_t n)
{
	if (n > OPS)
		die("an expression of %zu operations", n);
	r->kind = RULE_AT;
	r->n = (uint8_t)n;
	memcpy(r->ops, ops, n * sizeof *ops);
}

/* A function without call frame information: assembly that does not move sp. */
static void row_default(const struct image *im, struct row *row)
{
	row->return_reg = im->riscv ? 1 : 16;
	ops_copy(&row->cfa,
		 &(Dwarf_Op){.atom = DW_OP_bregx, .number = im->riscv ? 2 : 7, .number2 = im->riscv ? 0 : 8},
		 1);
	if (im->riscv)
		return;
	row->rules[0].reg = 16;
	const Dwarf_Op at[2] = {{.atom = DW_OP_call_frame_cfa},
				{.atom = DW_OP_plus_uconst, .number = (Dwarf_Word)-8}};
	ops_copy(&row->rules[0].rule, at, 2);
	row->n = 1;
}

static struct row *row_find(const struct image *im, uint64_t pc)
{
	struct row **slot = &rows[(pc >> im->riscv) % ROWS];
	if (*slot != NULL && (*slot)->pc == pc)
		return *slot;
	free(*slot);
	struct row *row = *slot = calloc(1, sizeof *row);
	row->pc = pc;
	Dwarf_Frame *frame = NULL;
	Dwarf_Addr start, end;
	if ((eh == NULL || dwarf_cfi_addrframe(eh, pc, &frame) != 0) &&
	    (debug == NULL || dwarf_cfi_addrframe(debug, pc, &frame) != 0)) {
		uint64_t distance;
		row->known = strcmp(image_function(pc, &distance), "?") != 0;
		row_default(im, row);
		return row;
	}
	Dwarf_Op mem[3], *ops;
	size_t n;
	row->known = true;
	row->return_reg = dwarf_frame_info(frame, &start, &end, &row->signal);
	if (dwarf_frame_cfa(frame, &ops, &n) != 0)
		die("no CFA at %#lx", (unsigned long)pc);
	ops_copy(&row->cfa, ops, n);
	for (int reg = 0; reg <= (im->riscv ? 64 : 16); reg++) {
		if (im->riscv && reg > 31 && reg != 64)
			continue;
		if (dwarf_frame_register(frame, reg, mem, &ops, &n) != 0)
			die("no rule for register %d at %#lx", reg, (unsigned long)pc);
		if (n == 0 && ops == NULL)
			continue;
		row->rules[row->n].reg = reg;
		if (n == 0)
			row->rules[row->n].rule.kind = RULE_UNDEFINED;
		else
			ops_copy(&row->rules[row->n].rule, ops, n);
		row->n++;
	}
	free(frame);
	return row;
}

static bool register_get(const struct state *st, uint64_t reg, uint64_t *out)
{
	if (reg == SEPC || reg == SSCRATCH) {
		*out = reg == SEPC ? st->stop->outer_pc : st->stop->sscratch;
		return st->first;
	}
	if (reg >= REGS)
		return false;
	*out = st->regs[reg];
	return true;
}

/* The value of an expression; of a register's rule, the value of the register. */
static bool evaluate(const struct state *st, const struct rule *r, bool is_register, uint64_t cfa,
		     uint64_t *out)
{
	uint64_t v = 0, word;
	bool value = false; /* v is it, not where it is */
	for (unsigned i = 0; i < r->n; i++) {
		const Dwarf_Op *op = &r->ops[i];
		if (op->atom >= DW_OP_breg0 && op->atom <= DW_OP_breg31) {
			if (!register_get(st, op->atom - DW_OP_breg0, &v))
				return false;
			v += op->number;
		} else if (op->atom == DW_OP_bregx) {
			if (!register_get(st, op->number, &v))
				return false;
			v += op->number2;
		} else if (op->atom == DW_OP_regx || (op->atom >= DW_OP_reg0 && op->atom <= DW_OP_reg31)) {
			if (!register_get(
				    st, op->atom == DW_OP_regx ? op->number : (uint64_t)op->atom - DW_OP_reg0,
				    &v))
				return false;
			value = true;
		} else if (op->atom == DW_OP_call_frame_cfa) {
			v = cfa;
		} else if (op->atom == DW_OP_plus_uconst) {
			v += op->number;
		} else if (op->atom == DW_OP_deref) {
			if (!stop_read(st->stop, v, &word))
				return false;
			v = word;
		} else if (op->atom == DW_OP_stack_value) {
			value = true;
		} else if (op->atom != DW_OP_nop) {
			die("operation %#x in call frame information", op->atom);
		}
	}
	if (is_register && !value) {
		if (!stop_read(st->stop, v, &word))
			return false;
		v = word;
	}
	*out = v;
	return true;
}

void cfi_walk(const struct image *im, const struct step_stop *s, struct list *out)
{
	struct state st = {.stop = s, .first = true}, up;
	int reg_sp = im->riscv ? 2 : 7;
	for (int reg = 0; reg < REGS; reg++) {
		int word = stop_word(im, reg);
		st.regs[reg] = word >= 0 ? s->frame[word] : 0;
	}
	uint64_t place = stop_pc(im, s);
	out->n = 0;
	out->pcs[out->n++] = place;
	out->end = END_RULE;
	while (out->n < LIST_MAX) {
		const struct row *row = row_find(im, place);
		uint64_t cfa;
		if (!row->known)
			return;
		for (unsigned i = 0; i < row->n; i++)
			if (row->rules[i].reg == row->return_reg &&
			    row->rules[i].rule.kind == RULE_UNDEFINED) {
				out->end = END_ROOT;
				return;
			}
		out->end = END_MEMORY;
		if (!evaluate(&st, &row->cfa, false, 0, &cfa))
			return;
		up = st;
		up.first = false;
		up.regs[reg_sp] = cfa;
		for (unsigned i = 0; i < row->n; i++) {
			const struct rule *rule = &row->rules[i].rule;
			int reg = row->rules[i].reg;
			bool needed = reg == row->return_reg || reg == reg_sp;
			if (rule->kind == RULE_AT && !evaluate(&st, rule, true, cfa, &up.regs[reg]) && needed)
				return;
		}
		uint64_t pc = up.regs[row->return_reg];
		st = up;
		place = pc - !row->signal;
		out->pcs[out->n++] = pc + row->signal;
		out->end = END_RULE;
	}
}

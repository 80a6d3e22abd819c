/*
 * The unwinder. Three judges: a shadow stack kept from the calls and returns of a process that is stepped
 * instruction by instruction (x86-64, no CFI involved); libdw's reading of the CFI at every address, on a
 * stack of known words (both architectures); and the sanitizers, on stacks and registers of random content.
 */
#include "tests/host/check.h"

#include <dwarf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel/symtab.h"
#include "kernel/unwind.h"
#include "kernel/unwind_rules.h"
#include "tests/host/symtab_corpus/build.h"

enum { DEPTH = 64, TERMINATORS = UNWIND_COMPLETE | UNWIND_TRUNCATED | UNWIND_BROKEN | UNWIND_LEFT };

/* ---- stepping */

struct stepper {
	const struct corpus *c;
	pid_t child;
	uint64_t lo, hi;                          /* the child's stack; mapped here at the same addresses */
	uint64_t entry, leave, back, unknown_end; /* of the interrupted frame in entry_x86_64.S */
	uint64_t shadow[4096];
	unsigned depth, steps, compared, unknown, deepest;
	unsigned wrong;
};

static void child_read(struct stepper *s, uint64_t addr, void *to, size_t size)
{
	struct iovec local = {to, size}, remote = {(void *)addr, size};
	memset(to, 0, size);
	process_vm_readv(s->child, &local, 1, &remote, 1, 0);
}

static void walk_compare(struct stepper *s, const struct user_regs_struct *regs)
{
	if (regs->rsp >= s->lo && regs->rsp < s->hi)
		child_read(s, regs->rsp, (void *)(uintptr_t)regs->rsp, s->hi - regs->rsp);
	struct unwind_regs r = {regs->rip, regs->rsp, regs->rbp, 0};
	struct unwind_bounds b = {s->lo, s->hi, NULL};
	uintptr_t pcs[DEPTH];
	unsigned flags, n = unwind_walk(&r, &b, pcs, DEPTH, &flags);
	s->compared++;
	if (n > s->deepest)
		s->deepest = n;
	const struct symtab_rule *rule = unwind_rule(symtab_table(), regs->rip);
	if (rule == NULL && regs->rip > s->entry && regs->rip < s->unknown_end) {
		s->unknown++; /* CFI of a form that no rule holds: must be said */
		s->wrong += flags != UNWIND_BROKEN || n != 1;
		return;
	}
	bool same = flags == UNWIND_COMPLETE && n == s->depth + 1 && pcs[0] == regs->rip;
	for (unsigned i = 1; same && i < n; i++)
		same = pcs[i] == s->shadow[s->depth - i];
	if (same || s->wrong++ >= 5)
		return;
	struct symtab_function f = {.name = "?"};
	symtab_function(regs->rip, &f);
	check_fail(__FILE__, __LINE__, "%s + 0x%llx: flags %u, depth %u, should be %u", f.name,
		   (unsigned long long)(regs->rip - f.start), flags, n, s->depth + 1);
}

/* Follows the instruction at `insn` that led to `regs`. */
static void shadow_follow(struct stepper *s, const uint8_t *insn, const struct user_regs_struct *regs)
{
	if (insn[0] == 0x41 || insn[0] == 0xf3)
		insn++;
	bool call = insn[0] == 0xe8 || (insn[0] == 0xff && (insn[1] >> 3 & 7) == 2);
	bool back = insn[0] == 0xc3 || insn[0] == 0xc2;
	if (call)
		child_read(s, regs->rsp, &s->shadow[s->depth++], 8);
	else if (regs->rip == s->entry)
		s->shadow[s->depth++] = s->back + 1;
	else if (back || regs->rip == s->leave)
		s->depth--;
}

static void step_all(struct stepper *s)
{
	for (;;) {
		struct user_regs_struct regs;
		uint8_t insn[3];
		int status;
		ptrace(PTRACE_GETREGS, s->child, 0, &regs);
		child_read(s, regs.rip, insn, sizeof insn);
		if (s->steps++ > 0)
			walk_compare(s, &regs);
		ptrace(PTRACE_SINGLESTEP, s->child, 0, 0);
		waitpid(s->child, &status, 0);
		if (!WIFSTOPPED(status)) {
			CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
			return;
		}
		ptrace(PTRACE_GETREGS, s->child, 0, &regs);
		shadow_follow(s, insn, &regs);
	}
}

static void step_image(const struct corpus *c)
{
	static struct stepper s;
	s = (struct stepper){
		.c = c,
		.lo = corpus_symbol(c, "__stack_lo"),
		.hi = corpus_symbol(c, "__stack_hi"),
		.entry = corpus_symbol(c, "asm_signal_entry"),
		.leave = corpus_symbol(c, "asm_signal_leave"),
		.back = corpus_symbol(c, "signal_back"),
		.unknown_end = corpus_symbol(c, "asm_signal_back"),
	};
	corpus_use(c, false);
	void *map = mmap((void *)(uintptr_t)s.lo, s.hi - s.lo, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	CHECK(map == (void *)(uintptr_t)s.lo);
	if (map != (void *)(uintptr_t)s.lo)
		return;
	s.child = fork();
	if (s.child == 0) {
		ptrace(PTRACE_TRACEME, 0, 0, 0);
		execl(c->path, c->path, (char *)NULL);
		_exit(127);
	}
	int status;
	waitpid(s.child, &status, 0);
	CHECK(WIFSTOPPED(status));
	if (WIFSTOPPED(status))
		step_all(&s);
	munmap(map, s.hi - s.lo);
	printf("# %u stops compared, %u differ; deepest %u; %u of them where a broken walk is right\n",
	       s.compared, s.wrong, s.deepest, s.unknown);
	CHECK(s.compared > 2000);
	CHECK(s.deepest >= 16);
	CHECK(s.unknown > 0);
	CHECK_EQ(s.wrong, 0);
}

/* At every instruction of a run the walk gives the true stack, however the code was compiled. */
TEST(unwind_exact_at_every_step)
{
	step_image(corpus_get(CORPUS_X86_64));
	step_image(corpus_variant("-O0"));
	step_image(corpus_variant("-O1 -fomit-frame-pointer"));
	step_image(corpus_variant("-Os"));
	step_image(corpus_variant("-O3 -fomit-frame-pointer -mred-zone"));
	step_image(corpus_variant("-O2 -fno-omit-frame-pointer -mavx -mred-zone"));
}

/* ---- libdw as the judge */

enum { STACK_WORDS = 16384 };

static uint64_t stack[STACK_WORDS] __attribute__((aligned(16)));

/* Value of what the CFI's expression names, with these registers; false for a form it cannot have here. */
static bool expression_value(const Dwarf_Op *ops, size_t n, uint64_t cfa, uint64_t sp, uint64_t fp,
			     int reg_sp, int reg_fp, uint64_t *out)
{
	uint64_t v = 0;
	for (size_t i = 0; i < n; i++) {
		bool breg = ops[i].atom >= DW_OP_breg0 && ops[i].atom <= DW_OP_breg31;
		if (breg || ops[i].atom == DW_OP_bregx) {
			int reg = breg ? ops[i].atom - DW_OP_breg0 : (int)ops[i].number;
			if (reg != reg_sp && reg != reg_fp)
				return false;
			v = (reg == reg_sp ? sp : fp) + (breg ? ops[i].number : ops[i].number2);
		} else if (ops[i].atom == DW_OP_call_frame_cfa)
			v = cfa;
		else if (ops[i].atom == DW_OP_plus_uconst)
			v += ops[i].number;
		else if (ops[i].atom == DW_OP_deref)
			v = *(const uint64_t *)(uintptr_t)v;
		else
			return false;
	}
	*out = v;
	return true;
}

struct judgement {
	bool root;
	uint64_t cfa, pc, fp;
};

/* What libdw says of the frame at pc with these registers; false where there is no CFI or no rule for its
 * form. */
static bool judge(Dwarf_CFI *cfi, bool riscv, uint64_t pc, const struct unwind_regs *r, struct judgement *j)
{
	Dwarf_Frame *frame;
	Dwarf_Op mem[3], *ops;
	Dwarf_Addr start, end;
	size_t n;
	bool signal;
	int reg_sp = riscv ? 2 : 7, reg_fp = riscv ? 8 : 6;
	if (cfi == NULL || dwarf_cfi_addrframe(cfi, pc, &frame) != 0)
		return false;
	int reg_pc = dwarf_frame_info(frame, &start, &end, &signal);
	uint64_t at;
	bool good = !signal && dwarf_frame_register(frame, reg_pc, mem, &ops, &n) == 0;
	j->root = good && n == 0 && ops != NULL;
	if (good && !j->root) {
		Dwarf_Op *cfa_ops;
		size_t n_cfa;
		good = dwarf_frame_cfa(frame, &cfa_ops, &n_cfa) == 0 &&
		       expression_value(cfa_ops, n_cfa, 0, r->sp, r->fp, reg_sp, reg_fp, &j->cfa);
		j->pc = r->ra;
		if (good && n > 0) {
			good = expression_value(ops, n, j->cfa, r->sp, r->fp, reg_sp, reg_fp, &at);
			j->pc = good ? *(const uint64_t *)(uintptr_t)at : 0;
		}
		j->fp = r->fp;
		good = good && dwarf_frame_register(frame, reg_fp, mem, &ops, &n) == 0;
		if (good && n > 0) {
			good = expression_value(ops, n, j->cfa, r->sp, r->fp, reg_sp, reg_fp, &at);
			j->fp = good ? *(const uint64_t *)(uintptr_t)at : 0;
		}
	}
	free(frame);
	return good;
}

/* At every address of every image the walk finds the caller where the CFI has it. */
TEST(unwind_rules_match_libdw)
{
	struct corpus *c;
	for (unsigned i = 0; i < STACK_WORDS; i++)
		stack[i] = 0x1000000000 + 8 * i;
	for (unsigned i = 0; (c = corpus_get(i)) != NULL; i++) {
		corpus_use(c, false);
		const struct symtab_table *t = symtab_table();
		Dwarf *dwarf = dwarf_begin_elf(c->elf, DWARF_C_READ, NULL);
		Dwarf_CFI *eh = dwarf_getcfi_elf(c->elf), *debug = dwarf ? dwarf_getcfi(dwarf) : NULL;
		unsigned compared = 0, roots = 0, wrong = 0;
		for (uint64_t pc = t->text_base; pc < t->text_limit; pc += 1u << t->unit_shift) {
			/* Wherever the CFA is counted from, there is room on both sides. */
			struct unwind_regs r = {pc, (uintptr_t)&stack[256], (uintptr_t)&stack[2048],
						t->text_base + 8};
			const struct unwind_regs before = r;
			struct unwind_bounds b = {(uintptr_t)stack, (uintptr_t)(stack + STACK_WORDS), NULL};
			struct judgement j;
			if (!judge(eh, c->riscv, pc, &r, &j) && !judge(debug, c->riscv, pc, &r, &j))
				continue;
			if (j.root) {
				uintptr_t pcs[1];
				unsigned flags;
				roots++;
				wrong += unwind_walk(&r, &b, pcs, 1, &flags) != 1 || flags != UNWIND_COMPLETE;
				continue;
			}
			if (j.cfa > b.hi || j.cfa < (uintptr_t)stack)
				continue; /* a frame of more than 100 KB */
			uintptr_t pcs[2];
			unsigned flags;
			unwind_walk(&r, &b, pcs, 2, &flags);
			compared++;
			bool same = r.pc == j.pc && r.sp == j.cfa && r.fp == j.fp;
			if (same || wrong++ >= 5)
				continue;
			struct symtab_function f = {.name = "?"};
			symtab_function(pc, &f);
			check_fail(__FILE__, __LINE__, "%s: %s + 0x%llx: cfa sp+%lld, should be sp+%lld",
				   c->path, f.name, (unsigned long long)(pc - f.start),
				   (long long)(r.sp - before.sp), (long long)(j.cfa - before.sp));
		}
		printf("# %s: %u addresses compared, %u of the root, %u wrong\n", c->path, compared, roots,
		       wrong);
		CHECK(compared > 500);
		CHECK(i >= CORPUS_FIRST_GIVEN || roots > 3);
		CHECK_EQ(wrong, 0);
		dwarf_end(dwarf);
	}
}

/* Code without CFI that is a known function has the default rule; bytes that belong to nothing have none. */
TEST(unwind_default_rule)
{
	for (unsigned i = 0; i < CORPUS_FIRST_GIVEN; i++) {
		struct corpus *c = corpus_get(i);
		corpus_use(c, false);
		uint64_t leaf = corpus_symbol(c, "asm_leaf"), callee = corpus_symbol(c, "recurse");
		stack[0] = callee + 4;
		struct unwind_regs r = {leaf, (uintptr_t)stack, 0x1234, callee + 4};
		struct unwind_bounds b = {(uintptr_t)stack, (uintptr_t)(stack + 64), NULL};
		uintptr_t pcs[2];
		unsigned flags;
		CHECK_EQ(unwind_walk(&r, &b, pcs, 2, &flags), 2);
		CHECK_EQ(pcs[1], callee + 4);
		CHECK_EQ(r.fp, 0x1234);
		CHECK_EQ(r.sp, (uintptr_t)stack + (c->riscv ? 0 : 8));
		r = (struct unwind_regs){corpus_symbol(c, "__text_end") + 64, (uintptr_t)stack, 0, callee};
		CHECK_EQ(unwind_walk(&r, &b, pcs, 2, &flags), 1);
		CHECK_EQ(flags, UNWIND_BROKEN);
	}
}

/* On riscv64 an interrupted frame gives all four registers, and a place on another stack ends the walk there.
 */
TEST(unwind_interrupted_frame)
{
	struct corpus *c = corpus_get(CORPUS_RISCV64);
	corpus_use(c, false);
	uint64_t entry = corpus_symbol(c, "asm_signal_entry"), leaf = corpus_symbol(c, "asm_leaf");
	uint64_t caller = corpus_symbol(c, "recurse") + 4;
	static uint64_t other[16];
	memset(stack, 0, 64 * 8);
	uint64_t *frame = stack + 4; /* CFA = frame + 36 words */
	frame[35] = leaf;
	frame[1] = caller;
	frame[2] = (uintptr_t)(stack + 50);
	frame[8] = 0x77;
	struct unwind_regs start = {entry, (uintptr_t)frame, 0, 0}, r = start;
	struct unwind_bounds b = {(uintptr_t)stack, (uintptr_t)(stack + 64), NULL};
	uintptr_t pcs[3];
	unsigned flags;
	CHECK_EQ(unwind_walk(&r, &b, pcs, 3, &flags), 3);
	CHECK_EQ(flags, UNWIND_TRUNCATED);
	CHECK_EQ(pcs[1], leaf + 1); /* exact, so that one lower is the place itself */
	CHECK_EQ(pcs[2], caller);   /* the leaf's caller, from ra */
	CHECK_EQ(r.fp, 0x77);
	frame[2] = (uintptr_t)other;
	r = start;
	CHECK_EQ(unwind_walk(&r, &b, pcs, 3, &flags), 1);
	CHECK_EQ(flags, UNWIND_LEFT);
	CHECK_EQ(r.pc, leaf);
	CHECK_EQ(r.sp, (uintptr_t)other);
	CHECK_EQ(r.ra, caller);
	CHECK_EQ(r.fp, 0x77);
}

/* ---- bounds */

/* A stack of `n` frames of recurse(), as riscv64 has it in the middle of the function, on top of _start. */
static struct unwind_regs frames_make(const struct corpus *c, unsigned n, struct unwind_bounds *b)
{
	uint64_t start = corpus_symbol(c, "recurse"), pc = 0;
	const struct symtab_table *t = symtab_table();
	for (pc = start; unwind_rule(t, pc)->cfa != SYMTAB_CFA_FP; pc += 2)
		;
	/* Each frame: fp = 4 words above the frame before; ra below fp; the caller's fp below that. */
	for (unsigned i = 0; i < n; i++) {
		uint64_t *fp = stack + 4 * (i + 1);
		fp[-1] = i + 1 < n ? pc + 2 : corpus_symbol(c, "_start") + 8;
		fp[-2] = (uintptr_t)(fp + 4);
	}
	*b = (struct unwind_bounds){(uintptr_t)stack, (uintptr_t)(stack + 4 * n), NULL};
	return (struct unwind_regs){pc, (uintptr_t)stack, (uintptr_t)(stack + 4), 0};
}

TEST(unwind_depth)
{
	struct corpus *c = corpus_get(CORPUS_RISCV64);
	corpus_use(c, false);
	struct unwind_bounds b;
	struct unwind_regs start = frames_make(c, 20, &b), r = start;
	uintptr_t pcs[DEPTH];
	unsigned flags;
	CHECK_EQ(unwind_walk(&r, &b, pcs, DEPTH, &flags), 21);
	CHECK_EQ(flags, UNWIND_COMPLETE);
	r = start;
	CHECK_EQ(unwind_walk(&r, &b, pcs, 21, &flags), 21);
	CHECK_EQ(flags, UNWIND_COMPLETE);
	r = start;
	CHECK_EQ(unwind_walk(&r, &b, pcs, 20, &flags), 20);
	CHECK_EQ(flags, UNWIND_TRUNCATED);
	r = start;
	CHECK_EQ(unwind_walk(&r, &b, pcs, 0, &flags), 0);
}

TEST(unwind_damaged_frames)
{
	struct corpus *c = corpus_get(CORPUS_RISCV64);
	corpus_use(c, false);
	struct unwind_bounds b;
	struct unwind_regs start = frames_make(c, 20, &b), r = start;
	uintptr_t pcs[DEPTH];
	unsigned flags;
	const struct {
		unsigned word;
		uint64_t value;
		unsigned depth;
	} damage[] = {
		{4 * 10 - 2, (uintptr_t)stack, 11},            /* fp goes back: a cycle */
		{4 * 10 - 2, (uintptr_t)(stack + 40), 11},     /* fp stays */
		{4 * 10 - 2, (uintptr_t)(stack + 44) + 4, 11}, /* not aligned */
		{4 * 10 - 2, 0, 11},
		{4 * 10 - 2, UINT64_MAX - 7, 11},
		{4 * 10 - 2, (uintptr_t)(stack + 81), 11}, /* beyond the stack */
		{4 * 10 - 1, 0, 10},                       /* pc outside of text */
		{4 * 10 - 1, UINT64_MAX, 10},
	};
	for (size_t i = 0; i < sizeof damage / sizeof *damage; i++) {
		r = frames_make(c, 20, &b);
		stack[damage[i].word] = damage[i].value;
		CHECK_EQ(unwind_walk(&r, &b, pcs, DEPTH, &flags), damage[i].depth);
		CHECK_EQ(flags, UNWIND_BROKEN);
	}
	r = frames_make(c, 20, &b);
	r.sp = b.hi + 8;
	CHECK_EQ(unwind_walk(&r, &b, pcs, DEPTH, &flags), 1);
	r = frames_make(c, 20, &b);
	b.lo = (uintptr_t)(stack + 4); /* the innermost frame lies below the bounds */
	CHECK_EQ(unwind_walk(&r, &b, pcs, DEPTH, &flags), 1);
	CHECK_EQ(flags, UNWIND_BROKEN);
}

static uintptr_t missing_page;
static unsigned pages_asked;

static bool page_present(uintptr_t addr)
{
	pages_asked++;
	return (addr & ~(uintptr_t)4095) != missing_page;
}

/* Pages that are not present are not read, and each is asked for once. */
TEST(unwind_asks_for_pages)
{
	struct corpus *c = corpus_get(CORPUS_RISCV64);
	corpus_use(c, false);
	struct unwind_bounds b;
	static uintptr_t pcs[2000];
	unsigned flags;
	struct unwind_regs r = frames_make(c, 1000, &b);
	b.readable = page_present;
	missing_page = 1;
	pages_asked = 0;
	CHECK_EQ(unwind_walk(&r, &b, pcs, 2000, &flags), 1001);
	CHECK(pages_asked >= 8 && pages_asked <= 9);
	r = frames_make(c, 1000, &b);
	b.readable = page_present;
	missing_page = ((uintptr_t)stack + 16384) & ~(uintptr_t)4095;
	unsigned n = unwind_walk(&r, &b, pcs, 2000, &flags);
	CHECK_EQ(flags, UNWIND_BROKEN);
	CHECK(n > 380 && n <= 513);
}

static uint64_t random_word(uint64_t lo, uint64_t hi, const struct symtab_table *t)
{
	switch (rand() % 5) {
	case 0:
		return lo + (uint64_t)rand() % (hi - lo);
	case 1:
		return (lo + (uint64_t)rand() % (hi - lo)) & ~7ull;
	case 2:
	case 3:
		return t->text_base + (uint64_t)rand() % (t->text_limit - t->text_base + 8);
	default:
		return (uint64_t)rand() << 33 ^ (uint64_t)rand();
	}
}

/* No content of stack and registers makes a walk read outside of its bounds, or too long. */
TEST(unwind_random_stacks)
{
	srand(7);
	struct corpus *c;
	unsigned deep = 0;
	for (unsigned i = 0; (c = corpus_get(i)) != NULL; i++) {
		corpus_use(c, false);
		const struct symtab_table *t = symtab_table();
		for (int run = 0; run < 30000; run++) {
			size_t words = 1 + (size_t)rand() % 60;
			uint64_t *block = malloc(words * 8); /* exact: the sanitizer sees reads outside */
			uint64_t lo = (uintptr_t)block, hi = lo + words * 8;
			for (size_t k = 0; k < words; k++)
				block[k] = rand() % 8 == 0 ? random_word(lo, hi, t)
					   : k % 2         ? t->text_base +
							     (uint64_t)rand() % (t->text_limit - t->text_base)
						   : lo + 8 * (k + 2 + (uint64_t)rand() % 6);
			struct unwind_regs r = {random_word(lo, hi, t), random_word(lo, hi, t),
						random_word(lo, hi, t), random_word(lo, hi, t)};
			if (rand() % 2)
				r.pc = t->text_base + (uint64_t)rand() % (t->text_limit - t->text_base);
			if (rand() % 2)
				r.sp = (lo + (uint64_t)rand() % (hi - lo)) & ~7ull;
			struct unwind_bounds b = {lo, hi, NULL};
			uintptr_t pcs[DEPTH];
			unsigned flags, max = (unsigned)rand() % DEPTH;
			unsigned n = unwind_walk(&r, &b, pcs, max, &flags);
			CHECK(n <= max && n <= words + 2);
			CHECK(max == 0 || __builtin_popcount(flags & TERMINATORS) == 1);
			deep += n > 3;
			CHECK(unwind_fp_record(1, random_word(lo, hi, t) & ~7ull, rand() % 2 ? -16 : 0, &b,
					       pcs, max) <= words + 1);
			free(block);
		}
	}
	CHECK(deep > 100);
}

/* Nor do rules of any content, in a table with a good check sum. */
TEST(unwind_random_rules)
{
	srand(9);
	struct corpus *c = corpus_get(CORPUS_RISCV64);
	uint8_t *table = malloc(c->size);
	for (int run = 0; run < 20000; run++) {
		memcpy(table, c->table, c->size);
		const struct symtab_part *part =
			&((struct symtab_header *)(void *)table)->parts[SYMTAB_RULES];
		struct symtab_rule *rules = (void *)(table + part->offset);
		for (uint32_t i = 0; i < part->count; i++) {
			rules[i].cfa = (uint8_t)(2 + rand() % 4);
			rules[i].flags = (uint8_t)(rand() % 8 ? 0 : rand() % 4);
			rules[i].cfa_offset = (rand() % 64 - 16) * 8;
			rules[i].pc_slot = (int8_t)(rand() % 12 - 8);
			rules[i].fp_slot = (int8_t)(rand() % 12 - 8);
		}
		table_seal(table, c->size);
		CHECK(symtab_init(table, c->size, c->build_id) == NULL);
		const struct symtab_table *t = symtab_table();
		size_t words = 1 + (size_t)rand() % 60;
		uint64_t *block = malloc(words * 8);
		uint64_t lo = (uintptr_t)block, hi = lo + words * 8;
		for (size_t k = 0; k < words; k++)
			block[k] = k % 2 ? t->text_base + (uint64_t)rand() % (t->text_limit - t->text_base)
					 : lo + 8 * (k + (uint64_t)rand() % 8);
		struct unwind_regs r = {t->text_base + (uint64_t)rand() % (t->text_limit - t->text_base), lo,
					lo + 8 * ((uint64_t)rand() % (words + 1)) + (rand() % 8 ? 0 : 4),
					t->text_base + 64};
		struct unwind_bounds b = {lo, hi, NULL};
		uintptr_t pcs[DEPTH];
		unsigned flags;
		CHECK(unwind_walk(&r, &b, pcs, DEPTH, &flags) <= DEPTH);
		free(block);
	}
	symtab_init(NULL, 0, NULL);
	free(table);
}

/* ---- frame pointers */

TEST(unwind_frame_pointers)
{
	uintptr_t pcs[DEPTH];
	for (intptr_t record = -16; record <= 0; record += 16) {
		for (unsigned i = 0; i < 20; i++) {
			uint64_t *fp = stack + 4 * (i + 1);
			fp[record / 8] = i + 1 < 20 ? (uintptr_t)(fp + 4) : 0;
			fp[record / 8 + 1] = 1000 + i;
		}
		struct unwind_bounds b = {(uintptr_t)stack, (uintptr_t)(stack + 200), NULL};
		for (unsigned max = 0; max < 30; max++) {
			unsigned n = unwind_fp_record(7, (uintptr_t)(stack + 4), record, &b, pcs, max);
			CHECK_EQ(n, max < 21 ? max : 21);
			for (unsigned i = 0; i < n; i++)
				CHECK_EQ(pcs[i], i == 0 ? 7 : 999 + i);
		}
		stack[40 + record / 8] = (uintptr_t)(stack + 40); /* a cycle ends it */
		CHECK_EQ(unwind_fp_record(7, (uintptr_t)(stack + 4), record, &b, pcs, DEPTH), 11);
		b.hi = (uintptr_t)(stack + 32 + record / 8 + 2); /* the end of the stack, to the word */
		CHECK_EQ(unwind_fp_record(7, (uintptr_t)(stack + 4), record, &b, pcs, DEPTH), 9);
		b.hi -= 8;
		CHECK_EQ(unwind_fp_record(7, (uintptr_t)(stack + 4), record, &b, pcs, DEPTH), 8);
		CHECK_EQ(unwind_fp_record(7, b.lo - 8 - (uintptr_t)record, record, &b, pcs, DEPTH), 1);
	}
}

static __attribute__((noinline)) unsigned here(uintptr_t *pcs, const struct unwind_bounds *b)
{
	return unwind_fp(1, (uintptr_t)__builtin_frame_address(0), b, pcs, 2);
}

/* On the machine that runs this test: the record's place, as the compiler gives it, is right. */
TEST(unwind_frame_pointers_native)
{
	uintptr_t pcs[2] = {0, 0}, self = (uintptr_t)__builtin_frame_address(0);
	struct unwind_bounds b = {self - 4096, self + 64, NULL};
	CHECK_EQ(here(pcs, &b), 2);
	CHECK(pcs[1] > (uintptr_t)test_unwind_frame_pointers_native &&
	      pcs[1] < (uintptr_t)test_unwind_frame_pointers_native + 4096);
}

/* Without a table frame pointers serve, and the flags say so. */
TEST(unwind_without_table)
{
	symtab_init(NULL, 0, NULL);
	for (unsigned i = 0; i < 5; i++) {
		uint64_t *fp = stack + 4 * (i + 1);
		fp[0] = i + 1 < 5 ? (uintptr_t)(fp + 4) : 0;
		fp[1] = 1000 + i;
	}
	struct unwind_regs r = {7, (uintptr_t)stack, (uintptr_t)(stack + 4), 0};
	struct unwind_bounds b = {(uintptr_t)stack, (uintptr_t)(stack + 200), NULL};
	uintptr_t pcs[DEPTH];
	unsigned flags;
	CHECK_EQ(unwind_walk(&r, &b, pcs, DEPTH, &flags), 6);
	CHECK_EQ(flags, UNWIND_FP | UNWIND_COMPLETE);
	CHECK_EQ(pcs[0], 7);
	CHECK_EQ(pcs[5], 1004);
}

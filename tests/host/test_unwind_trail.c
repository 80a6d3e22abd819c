/*
 * Trails of walks: on stacks made at random by the rules of real images, a trail fits a copy elsewhere, and a stack that it fits has the same
 * walk, whatever word was changed.
 */
#include "tests/host/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/symtab.h"
#include "kernel/unwind_rules.h"
#include "kernel/unwind_trail.h"
#include "tests/host/symtab_corpus/build.h"

enum { WORDS = 4096, DEPTH = 64, ROUNDS = 3000, CHANGES = 40 };

static uint64_t here[WORDS] __attribute__((aligned(16))), there[WORDS + 64] __attribute__((aligned(16)));

static union {
	struct trail trail;
	char room[sizeof(struct trail) + TRAIL_WORDS_MAX * sizeof(struct trail_word)];
} made;

static uint64_t random_state = 1;

static uint64_t random_below(uint64_t n)
{
	random_state = random_state * 6364136223846793005u + 1442695040888963407u;
	return (random_state >> 33) % n;
}

static uintptr_t random_pc(const struct symtab_table *t)
{
	uint64_t units = (t->text_limit - t->text_base) >> t->unit_shift;
	return t->text_base + (random_below(units) << t->unit_shift);
}

/* Where the rule at `place` puts the frame's end; 0: that is no place for a frame on top of r->sp. */
static uintptr_t cfa_of(const struct symtab_table *t, uintptr_t place, const struct unwind_regs *r)
{
	const struct symtab_rule *rule = unwind_rule(t, place);
	if (rule == NULL || (rule->cfa != SYMTAB_CFA_SP && rule->cfa != SYMTAB_CFA_FP) || rule->flags != 0 ||
	    rule->pc_slot == SYMTAB_SLOT_NONE)
		return 0;
	uintptr_t cfa = (rule->cfa == SYMTAB_CFA_SP ? r->sp : r->fp) + (uintptr_t)(intptr_t)rule->cfa_offset;
	return cfa > r->sp && cfa - r->sp < 2048 && cfa % 8 == 0 ? cfa : 0;
}

static uintptr_t random_frame(const struct symtab_table *t, const struct unwind_regs *r)
{
	for (int tries = 0; tries < 1000; tries++) {
		uintptr_t pc = random_pc(t) + 1;
		uintptr_t cfa = cfa_of(t, pc - 1, r);
		if (cfa != 0 && cfa + 512 < (uintptr_t)(here + WORDS))
			return pc;
	}
	return 0;
}

/* A stack of so many frames, at most, below one that is a root. */
static struct unwind_regs stack_make(const struct symtab_table *t, uintptr_t root, unsigned depth)
{
	for (unsigned i = 0; i < WORDS; i++)
		here[i] = random_below(4) == 0 ? (uintptr_t)(here + random_below(WORDS)) : random_pc(t);
	uintptr_t sp = (uintptr_t)(here + 64);
	struct unwind_regs u = {.sp = sp, .fp = sp + 8 * (2 + random_below(30))}, start;
	u.pc = random_frame(t, &u) - 1;
	start = u;
	for (uintptr_t place = u.pc; depth-- > 0; place = u.pc - 1) {
		const struct symtab_rule *rule = unwind_rule(t, place);
		uintptr_t cfa = cfa_of(t, place, &u);
		uint64_t *words = (uint64_t *)cfa;
		u.sp = cfa;
		if (rule->fp_slot != SYMTAB_SLOT_NONE)
			words[rule->fp_slot] = u.fp = cfa + 8 * (2 + random_below(30));
		u.pc = depth > 0 ? random_frame(t, &u) : 0;
		if (u.pc == 0)
			depth = 0;
		words[rule->pc_slot] = u.pc != 0 ? u.pc : root;
	}
	return start;
}

static struct unwind_regs copy(const struct unwind_regs *r, unsigned by)
{
	for (unsigned i = 0; i < WORDS; i++) {
		bool inside = here[i] - (uintptr_t)here < sizeof here;
		there[i + by] = inside ? (uintptr_t)there + 8 * by + (here[i] - (uintptr_t)here) : here[i];
	}
	uintptr_t moved = (uintptr_t)there + 8 * by - (uintptr_t)here;
	return (struct unwind_regs){r->pc, r->sp + moved, r->fp + moved, r->ra};
}

static unsigned walk(struct unwind_regs r, uintptr_t lo, uintptr_t hi, uintptr_t *pcs, unsigned *flags)
{
	struct unwind_bounds b = {lo, hi, NULL};
	return unwind_walk(&r, &b, pcs, DEPTH, flags);
}

struct counts {
	unsigned made, refused, same, changed, differ, wrong;
};

static void one(const struct symtab_table *t, uintptr_t root, struct counts *n)
{
	uintptr_t pcs[DEPTH], other[DEPTH], hi = (uintptr_t)(here + WORDS);
	unsigned flags, flags_there, by = (unsigned)random_below(32);
	struct unwind_regs r = stack_make(t, root, 1 + (unsigned)random_below(12));
	unsigned depth = walk(r, (uintptr_t)here, hi, pcs, &flags);
	if (!trail_make(&made.trail, &r, hi)) {
		n->refused++;
		return;
	}
	n->made++;
	n->wrong += flags != UNWIND_COMPLETE || !trail_fits(&made.trail, &r, hi);
	struct unwind_regs moved = copy(&r, by);
	uintptr_t lo_there = (uintptr_t)(there + by), hi_there = (uintptr_t)(there + by + WORDS);
	n->wrong += !trail_fits(&made.trail, &moved, hi_there);
	for (unsigned i = 0; i < made.trail.n_fps + made.trail.n_pcs; i++) {
		uint64_t *word = (uint64_t *)(hi_there - made.trail.words[i].below), was = *word;
		*word += 8;
		n->wrong += trail_fits(&made.trail, &moved, hi_there);
		*word = was;
	}
	for (unsigned i = 0; i < CHANGES; i++) {
		uint64_t *word = (uint64_t *)moved.sp + random_below(300), was = *word;
		if ((uintptr_t)word >= hi_there)
			continue;
		*word = random_below(2) == 0 ? random_pc(t) : moved.sp + 8 * random_below(300);
		bool fits = trail_fits(&made.trail, &moved, hi_there);
		unsigned depth_there = walk(moved, lo_there, hi_there, other, &flags_there);
		bool same = depth_there == depth && flags_there == flags &&
			    memcmp(pcs, other, depth * sizeof *pcs) == 0;
		n->same += fits;
		n->changed += !fits;
		n->differ += !same;
		n->wrong += fits && !same;
		*word = was;
	}
}

TEST(unwind_trail_says_what_a_walk_would)
{
	for (unsigned i = 0; i < CORPUS_FIRST_GIVEN; i++) {
		struct corpus *c = corpus_get(i);
		struct counts n = {0};
		corpus_use(c, false);
		for (unsigned round = 0; round < ROUNDS; round++)
			one(symtab_table(), corpus_symbol(c, "_start") + 8, &n);
		printf("# %s: %u trails, %u refused; %u changes did not matter, %u did, %u of them for the "
		       "walk\n",
		       c->path, n.made, n.refused, n.same, n.changed, n.differ);
		CHECK(n.made > ROUNDS / 4);
		CHECK(n.same > 1000);
		CHECK(n.differ > 1000);
		CHECK_EQ(n.wrong, 0);
	}
}

/* What does not end at a root, or is too deep, has none. */
TEST(unwind_trail_refused)
{
	struct corpus *c = corpus_get(CORPUS_RISCV64);
	corpus_use(c, false);
	const struct symtab_table *t = symtab_table();
	uintptr_t pc = corpus_symbol(c, "recurse");
	while (unwind_rule(t, pc)->cfa != SYMTAB_CFA_FP)
		pc += 2;
	const unsigned depths[] = {1, 10, TRAIL_WORDS_MAX / 2, TRAIL_WORDS_MAX / 2 + 1, 200};
	for (unsigned i = 0; i < sizeof depths / sizeof depths[0]; i++) {
		unsigned n = depths[i];
		/* Each frame: fp = 4 words above the frame before; ra below fp; the caller's fp below that. */
		for (unsigned k = 0; k < n; k++) {
			uint64_t *fp = here + 4 * (k + 1);
			fp[-1] = k + 1 < n ? pc + 2 : corpus_symbol(c, "_start") + 8;
			fp[-2] = (uintptr_t)(fp + 4);
		}
		struct unwind_regs r = {pc, (uintptr_t)here, (uintptr_t)(here + 4), 0};
		uintptr_t hi = (uintptr_t)(here + 4 * n);
		CHECK_EQ(trail_make(&made.trail, &r, hi), 2 * n - 1 <= TRAIL_WORDS_MAX);
		here[4 * n - 1] = t->text_limit + 64;
		CHECK(!trail_make(&made.trail, &r, hi));
		here[4 * n - 1] = pc + 2; /* its frame would lie beyond the end */
		CHECK(!trail_make(&made.trail, &r, hi));
	}
}

/* Walks from random registers over random stacks, pages of which are missing: nothing faults, and no page is touched that is not there. */
#include "suite.h"

#include <string.h>

#include <hartbeat/go.h>

#include "arch/arch.h"
#include "kernel/g.h"
#include "kernel/preempt.h"
#include "kernel/stack.h"
#include "kernel/unwind.h"
#include "kernel/walk.h"

enum {
	DEPTH_MAX = 128,
	PAGE = 4096,
	PAGES = 12,
	ENDS = UNWIND_COMPLETE | UNWIND_TRUNCATED | UNWIND_BROKEN | UNWIND_LEFT
};

extern const char __text_start[], __text_end[];

static uint64_t state = 1;

static bool present(uintptr_t addr)
{
	return arch_mmu_lookup(addr) != 0;
}

static uintptr_t text_place(void)
{
	return (uintptr_t)__text_start + guest_random(&state) % (uint32_t)(__text_end - __text_start);
}

/* A value of a kind that a walk takes for something. */
static uintptr_t word(uintptr_t lo, uintptr_t hi)
{
	uint32_t size = (uint32_t)(hi - lo);
	switch (guest_random(&state) % 8) {
	case 0:
		return lo + guest_random(&state) % size; /* not aligned */
	case 1:
	case 2:
		return lo + (guest_random(&state) % size & ~7u);
	case 3:
	case 4:
	case 5:
		return text_place();
	case 6:
		return (uintptr_t)guest_random(&state) << 32 | guest_random(&state);
	default:
		return (uintptr_t)0 - guest_random(&state) % 64;
	}
}

static void fill(uintptr_t page, uintptr_t lo, uintptr_t hi)
{
	uintptr_t *words = (uintptr_t *)page;
	for (unsigned i = 0; i < PAGE / sizeof *words; i++)
		/* Mostly what a stack looks like: frame pointers that go up, and return addresses. */
		words[i] = guest_random(&state) % 16 == 0 ? word(lo, hi)
			   : i % 2 == 0 ? page + 8 * (i + 4 + 2 * (guest_random(&state) % 4))
					: text_place();
}

GUEST_TEST(walk, random_stacks,
	   "no registers and no stack make a walk fault, or touch a page that is not there")
{
	uintptr_t lo, hi, pcs[DEPTH_MAX];
	uint64_t deep = 0;
	guest_fresh_stack(&lo, &hi);
	if (hi - lo > PAGES * PAGE)
		lo = hi - PAGES * PAGE;
	for (unsigned i = 0; i < PAGES; i++)
		if (i % 4 != 2)
			fill(lo + i * PAGE, lo, hi);
	for (uint32_t run = guest_count(20000, 1000000); run > 0; run--) {
		if (run % 64 == 0)
			fill(lo + (run / 64 % 3) * 4 * PAGE + (run / 256 % 2) * PAGE, lo, hi);
		struct unwind_regs r = {text_place(), word(lo, hi), word(lo, hi), word(lo, hi)};
		if (run % 4 != 0)
			r.sp = lo + (guest_random(&state) % (uint32_t)(hi - lo) & ~15u);
		if (run % 3 != 0)
			r.fp = r.sp + 16 * (1 + guest_random(&state) % 4);
		struct unwind_bounds b = {lo, hi, present};
		unsigned flags, max = guest_random(&state) % (DEPTH_MAX + 1);
		preempt_disable();
		size_t before = stack_commits();
		unsigned n = unwind_walk(&r, &b, pcs, max, &flags);
		size_t after = stack_commits();
		preempt_enable();
		if (n > max || (max > 0 && __builtin_popcount(flags & ENDS) != 1) ||
		    (after != before && go_harts() == 1))
			guest_fail(__FILE__, __LINE__, "run %u: %u frames of %u, flags %u, %zu pages",
				   (unsigned)run, n, max, flags, after - before);
		deep += n > 4;
	}
	guest_note("%llu walks of more than 4 frames", (unsigned long long)deep);
	for (unsigned i = 2; i < PAGES; i += 4)
		CHECK(!present(lo + i * PAGE));
	CHECK(deep > guest_count(20000, 1000000) / 50);
}

GUEST_TEST(walk, random_registers, "no registers make a walk of the running goroutine's own stacks fault")
{
	const struct g *g = g_self();
	uintptr_t pcs[DEPTH_MAX];
	for (uint32_t run = guest_count(20000, 1000000); run > 0; run--) {
		struct arch_unwind u = {text_place(), word(g->stack_hi - 4 * PAGE, g->stack_hi),
					word(g->stack_hi - 4 * PAGE, g->stack_hi), text_place()};
		unsigned flags;
		preempt_disable();
		unsigned n = walk_frames(&u, arch_hart(), g, pcs, DEPTH_MAX, &flags);
		preempt_enable();
		if (n == 0 || n > DEPTH_MAX || __builtin_popcount(flags) != 1)
			guest_fail(__FILE__, __LINE__, "run %u: %u frames, flags %u", (unsigned)run, n,
				   flags);
	}
}

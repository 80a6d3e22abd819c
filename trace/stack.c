/*
 * Stacks of a trace, along frame pointers: an entry of the table is a list of return addresses, innermost first; table.c makes names and lines
 * of them when the generation has ended.
 *
 * 1. A stack is walked by the goroutine itself, or by the hart that it has just left and that has not given it away (h->left). Otherwise it
 *    could run, or lose pages, meanwhile. Checked at every walk.
 */
#include "trace/impl.h"

#include "kernel/assert.h"
#include "kernel/unwind.h"
#include "kernel/walk.h"

uint32_t trace_stack_words(const struct g *g, uint64_t *words, uint32_t n)
{
	if (g->system) {
		words[n] = TRACE_NAMED;
		words[n + 1] = (uintptr_t)g_name(g);
		words[n + 2] = (uintptr_t)g->fn + 1;
		n += TRACE_NAMED_WORDS;
	}
	uint64_t hash = n;
	for (uint32_t i = 0; i < n; i++)
		hash = trace_hash_step(hash, words[i]);
	uint32_t id = trace_map_find(&trace_gen->stacks, words, n * 8, hash);
	if (__builtin_expect(id == 0, 0))
		id = trace_map_put(&trace_gen->stacks, words, n * 8, hash);
	return id;
}

uint32_t trace_stack(const struct g *g, uintptr_t fp)
{
	uint64_t words[1 + TRACE_DEPTH_MAX + TRACE_NAMED_WORDS];
	struct unwind_bounds b = {g->stack_lo, g->stack_hi, NULL};
	if (g->id == 0 || fp - b.lo >= b.hi - b.lo)
		return 0;
	ASSERT(g == g_self(), "a stack is walked for an event only by its owner");
	uint32_t n = unwind_fp(0, fp, &b, (uintptr_t *)words, 1 + TRACE_DEPTH_MAX);
	return trace_stack_words(g, words + 1, n - 1);
}

uint32_t trace_stack_left(const struct g *g)
{
	uint64_t words[TRACE_DEPTH_MAX + TRACE_NAMED_WORDS];
	struct arch_unwind u;
	unsigned flags;
	ASSERT(g == arch_hart()->left, "a stack is walked for an event only by its owner");
	arch_frame_unwind(g->area, &u);
	uint32_t n = walk_frames(&u, NULL, g, (uintptr_t *)words, TRACE_DEPTH_MAX, &flags);
	words[0]++; /* a place, not a return address */
	return trace_stack_words(g, words, n);
}

uint32_t trace_stack_entry(const struct g *g)
{
	uint64_t words[1 + TRACE_NAMED_WORDS] = {(uintptr_t)g->fn + 1};
	return trace_stack_words(g, words, g->system ? 0 : 1);
}

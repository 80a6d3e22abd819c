/*
 * Stacks of a trace, along frame pointers: an entry of the table is a list of return addresses, innermost first; table.c makes names and lines
 * of them when the generation has ended.
 *
 * 1. A stack is walked by the goroutine itself (trace_stack() walks no other), or by the hart that it has just left and that has not given
 *    it away (h->left: checked). Otherwise it could run, or lose pages, meanwhile.
 */
#include "trace/impl.h"

#include "kernel/assert.h"
#include "kernel/unwind.h"
#include "kernel/unwind_fp.h"
#include "kernel/walk.h"

static const struct trace_entry *entry_of(const struct g *g, uint64_t *words, uint32_t n)
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
	const struct trace_entry *e = trace_map_find(&trace_gen->stacks, words, n * 8, hash);
	if (e == NULL)
		e = trace_map_put(&trace_gen->stacks, words, n * 8, hash);
	if (e == NULL)
		trace_gen_hole(trace_gen);
	return e;
}

uint32_t trace_stack_words(const struct g *g, uint64_t *words, uint32_t n)
{
	const struct trace_entry *e = entry_of(g, words, n);
	return e != NULL ? e->id : 0;
}

/*
 * Most stacks are the same as that of an earlier event at the same place: each hart remembers some, and compares while it walks, with no
 * sum and no copy. Where one is remembered follows from where it lies and who called; two that meet there have a place each, for whoever
 * comes puts the other one into the place beside.
 */
static inline const struct trace_entry **slot_of(struct trace_hart *t, uintptr_t fp)
{
	uint32_t h = (uint32_t)(fp ^ ((const uintptr_t *)(fp + ARCH_FRAME_RECORD))[1]) * 0x9e3779b1u;
	_Static_assert(TRACE_HART_STACKS == 1 << 8, "the upper bits of the product choose");
	return &t->stacks[h >> 24];
}

static inline const struct trace_entry **slot_beside(struct trace_hart *t, const struct trace_entry **slot)
{
	return &t->stacks[(slot - t->stacks) ^ 1];
}

/* The stack is walked as a whole, looked up, and remembered. */
static uint64_t stack_new(struct trace_hart *t, uintptr_t fp)
{
	const struct g *g = g_self();
	uint64_t words[1 + TRACE_DEPTH_MAX + TRACE_NAMED_WORDS];
	struct unwind_bounds b = {g->stack_lo, g->stack_hi, NULL};
	uint32_t n = unwind_fp(0, fp, &b, (uintptr_t *)words, 1 + TRACE_DEPTH_MAX);
	const struct trace_entry *e = entry_of(g, words + 1, n - 1), **slot = slot_of(t, fp);
	if (!g->system && e != NULL) {
		*slot_beside(t, slot) = *slot;
		*slot = e;
	}
	return e != NULL ? e->id : 0;
}

/* Whether the stack from fp on is the one in e, or NULL: its id, or 0. The words are those of unwind_fp(). */
static inline __attribute__((always_inline)) uint64_t same(const struct trace_entry *e, const struct g *g,
							   uintptr_t fp)
{
	if (__builtin_expect(e == NULL, 0))
		return 0;
	const uintptr_t *record = (const uintptr_t *)(fp + ARCH_FRAME_RECORD);
	const uint64_t *w = (const uint64_t *)e->data;
	uintptr_t below = unwind_fp_below(g->stack_hi, ARCH_FRAME_RECORD), at = fp + below, to;
/* The k-th word and return address; on to the frame that is outside of it. */
#define FRAME_SAME(k, from, to)                                      \
	if (__builtin_expect(w[k] != record[1], 0))                  \
		return 0;                                            \
	to = record[0] + below;                                      \
	record = (const uintptr_t *)(record[0] + ARCH_FRAME_RECORD); \
	if (__builtin_expect(to <= from, 0))                         \
		return __builtin_expect(w[(k) + 1] == 0, 1) ? e->id : 0;
	for (;; w += 4) {
		FRAME_SAME(0, at, to)
		FRAME_SAME(1, to, at)
		FRAME_SAME(2, at, to)
		FRAME_SAME(3, to, at)
	}
#undef FRAME_SAME
}

__attribute__((noinline)) static uint64_t stack_beside(struct trace_hart *t, uintptr_t fp)
{
	uint64_t id = same(*slot_beside(t, slot_of(t, fp)), g_self(), fp);
	return id != 0 ? id : stack_new(t, fp);
}

uint64_t trace_stack(struct trace_hart *t, uintptr_t fp)
{
	const struct g *g = g_self();
	if (__builtin_expect(g->id == 0 || fp - g->stack_lo >= g->stack_hi - g->stack_lo, 0))
		return 0;
	uint64_t id = same(*slot_of(t, fp), g, fp);
	return __builtin_expect(id != 0, 1) ? id : stack_beside(t, fp);
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

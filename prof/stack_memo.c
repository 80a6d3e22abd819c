/*
 * Owns the memory of stacks:
 *
 *	slots: [ . ][ o ][ . ]     by the place, the depth in bytes, and the labels; one entry each, the newest
 *	              '-> entry: labels, record, trail
 *
 * 1. An entry is used only when every word of its trail is the same on the stack at hand (kernel/unwind_trail.c). Otherwise goroutines would be
 *    counted where others wait.
 */
#include "prof/stack_memo.h"

#include <string.h>

#include "kernel/unwind_trail.h"
#include "prof/intern.h"

struct stack_memo_entry {
	struct prof_record *record;
	uint32_t labels;
	struct trail trail; /* last */
};

static uint32_t slot_of(const struct unwind_regs *r, uintptr_t hi, uint32_t labels)
{
	uint64_t h = (r->pc ^ (hi - r->sp) << 20 ^ (uint64_t)labels << 40) * HASH_FACTOR;
	return (uint32_t)(h >> 32) % STACK_MEMO_SLOTS;
}

struct prof_record *stack_memo_find(const struct stack_memo *m, const struct unwind_regs *r, uintptr_t hi,
				    uint32_t labels)
{
	const struct stack_memo_entry *e = m->slots[slot_of(r, hi, labels)];
	if (e == NULL || e->labels != labels)
		return NULL;
#ifdef MUTANT_memo_unread
	return r->pc == e->trail.pc && hi - r->sp == e->trail.sp_below ? e->record : NULL;
#endif
	return trail_fits(&e->trail, r, hi) ? e->record : NULL;
}

void stack_memo_keep(struct stack_memo *m, const struct unwind_regs *r, uintptr_t hi, uint32_t labels,
		     struct prof_record *record)
{
	union {
		struct trail trail;
		char room[sizeof(struct trail) + TRAIL_WORDS_MAX * sizeof(struct trail_word)];
	} made;
	if (!trail_make(&made.trail, r, hi))
		return;
	size_t size = trail_size(made.trail.n_fps + made.trail.n_pcs);
	struct stack_memo_entry *e = mem_alloc(m->mem, offsetof(struct stack_memo_entry, trail) + size);
	if (e == NULL)
		return;
	e->record = record;
	e->labels = labels;
	memcpy(&e->trail, &made, size);
	struct stack_memo_entry **slot = &m->slots[slot_of(r, hi, labels)];
	mem_free(m->mem, *slot);
	*slot = e;
}

void stack_memo_free(struct stack_memo *m)
{
	for (uint32_t i = 0; i < STACK_MEMO_SLOTS; i++)
		mem_free(m->mem, m->slots[i]);
	stack_memo_init(m, m->mem);
}

/* Tracebacks for reports (see traceback.h). */
#include "kernel/traceback.h"

#include "kernel/g.h"
#include "kernel/hart.h"
#include "kernel/panic.h"
#include "kernel/symtab.h"
#include "kernel/walk.h"

enum { DEPTH_MAX = 64 };

extern const char __text_start[], __text_end[];

static bool in_text(uintptr_t pc)
{
	return pc >= (uintptr_t)__text_start && pc < (uintptr_t)__text_end;
}

static void place_print(const char *prefix, uintptr_t pc, uintptr_t lookup)
{
	struct symtab_frame frames[SYMTAB_FRAMES_MAX];
	struct symtab_function fn;
	unsigned n = symtab_frames(lookup, frames, SYMTAB_FRAMES_MAX);
	if (n == 0) {
		panic_line("%s%p", prefix, (void *)pc);
		return;
	}
	for (unsigned i = 0; i < n; i++) {
		panic_line("%s%s(...)", prefix, frames[i].function);
		if (i + 1 < n || !symtab_function(lookup, &fn))
			panic_line("\t%s:%u", frames[i].file, frames[i].line);
		else
			panic_line("\t%s:%u +0x%lx", frames[i].file, frames[i].line,
				   (unsigned long)(pc - fn.start));
	}
}

/* skip: innermost frames that are part of the reporting itself. */
static void print_walk(struct arch_unwind *u, const struct hart *h, const struct g *g, unsigned skip)
{
	uintptr_t pcs[DEPTH_MAX];
	unsigned flags, n = walk_frames(u, h, g, pcs, DEPTH_MAX, &flags);
	for (unsigned i = skip; i < n; i++)
		place_print("", pcs[i], i == 0 ? pcs[i] : pcs[i] - 1);
	if (flags & WALK_TRUNCATED)
		panic_line("...deeper frames not shown");
	else if (flags & WALK_BROKEN)
		panic_line("...the stack ends here: no rule for the last frame");
}

/* pc is where no code is, so a call led there: back to the call. The return address is in ra where there is such a register, else on top
 * of the stack. False when it cannot be read. */
static bool call_undo(struct arch_unwind *u, const struct hart *h)
{
	struct walk_bounds b;
	uintptr_t back = u->ra;
	if (back == 0) {
		if (!walk_find(u->sp, h, h->cur, &b) || (u->sp & 7) != 0 || u->sp + sizeof back > b.hi ||
		    arch_mmu_lookup(u->sp) == 0)
			return false;
		back = *(const uintptr_t *)u->sp;
		u->sp += sizeof back;
	}
	u->pc = back - 1;
	u->ra = 0;
	return in_text(u->pc);
}

void traceback_print(const struct arch_unwind *start, unsigned skip)
{
	struct arch_unwind u = *start;
	const struct hart *h = arch_hart();
	if (!in_text(u.pc)) {
		panic_line("%p", (void *)u.pc);
		if (!call_undo(&u, h))
			return;
	}
	print_walk(&u, h, h->cur, skip);
}

void traceback_parked(const struct g *g)
{
	struct arch_unwind u;
	if (g->area != NULL)
		arch_frame_unwind(g->area, &u);
	else
		arch_context_unwind(&g->ctx, &u);
	print_walk(&u, NULL, g, 0);
}

void traceback_created_by(const struct g *g)
{
	struct symtab_function fn;
	if (symtab_function(g->created_at - 1, &fn))
		panic_line("created by %s in goroutine %lu", fn.name, (unsigned long)g->parent_id);
	else
		panic_line("created at %p in goroutine %lu", (void *)g->created_at,
			   (unsigned long)g->parent_id);
}

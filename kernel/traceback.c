/*
 * Tracebacks for reports (see traceback.h). A stack of any depth is walked a chunk at a time. When there are more frames than are shown, a
 * copy of the walk is kept where the inner part ends, the rest is counted, and the copy goes on where the outer part begins; so the inner
 * frames are out before a walk over a damaged stack ends early.
 */
#include "kernel/traceback.h"

#include "kernel/g.h"
#include "kernel/hart.h"
#include "kernel/print.h"
#include "kernel/symtab.h"
#include "kernel/walk.h"

enum { INNER_MAX = 50, OUTER_MAX = 50, CHUNK = 32 }; /* the first two as Go */

extern const char __text_start[], __text_end[];

/* A walk, one frame of the stack after the other. */
struct walk {
	struct arch_unwind u; /* of the last of pcs */
	const struct hart *h;
	const struct g *g;
	unsigned n, i, flags;
	bool returns; /* pcs[0] is a return address, not where the code stands */
	uintptr_t pcs[CHUNK];
};

static bool in_text(uintptr_t pc)
{
	return pc >= (uintptr_t)__text_start && pc < (uintptr_t)__text_end;
}

/* The next frame: *pc is the place or the return address, *lookup an address in the call. False at the end. */
static bool walk_next(struct walk *w, uintptr_t *pc, uintptr_t *lookup)
{
	if (w->i == w->n) {
		if (w->n > 0 && !(w->flags & WALK_TRUNCATED))
			return false;
		bool more = w->n > 0;
		/* Of a return address, or an interrupted place plus one: what it was looked up with. */
		if (more)
			w->u.pc = w->pcs[w->n - 1] - 1;
		w->n = walk_frames(&w->u, w->h, w->g, w->pcs, CHUNK, &w->flags);
		w->i = more; /* that one was the last of the chunk before */
		w->returns |= more;
		if (w->i >= w->n)
			return false;
	}
	bool exact = !w->returns && w->i == 0;
	*pc = w->pcs[w->i++];
	*lookup = exact ? *pc : *pc - 1;
	return true;
}

static void frame_print(struct report *r, const struct symtab_frame *f, bool outermost, uintptr_t pc,
			uintptr_t lookup)
{
	struct symtab_function fn;
	report_line(r, "%s(...)", f->function);
	if (!outermost || !symtab_function(lookup, &fn))
		report_line(r, "\t%s:%u", f->file, f->line);
	else
		report_line(r, "\t%s:%u +0x%lx", f->file, f->line, (unsigned long)(pc - fn.start));
}

/*
 * Takes up to `max` frames, inlined ones counted, after leaving `skip` of them out; prints them through r, or only counts (r NULL). *last:
 * how many frames of the last place were taken or left out. Returns how many frames altogether; *w stands behind the last place, *before
 * (may be NULL) at it.
 */
static unsigned frames_take(struct report *r, struct walk *w, unsigned skip, unsigned max, unsigned *last,
			    struct walk *before)
{
	struct symtab_frame frames[SYMTAB_FRAMES_MAX];
	unsigned taken = 0;
	uintptr_t pc, lookup;
	for (;;) {
		if (before != NULL)
			*before = *w;
		*last = 0;
		if (!walk_next(w, &pc, &lookup))
			return taken;
		unsigned n = symtab_frames(lookup, frames, SYMTAB_FRAMES_MAX);
		for (unsigned i = 0; i < (n > 0 ? n : 1); i++) {
			if (skip == 0 && max == 0)
				return taken;
			taken++;
			++*last;
			if (skip > 0) {
				skip--;
				continue;
			}
			max--;
			if (r == NULL)
				continue;
			if (n == 0) {
				report_line(r, "%p", (void *)pc);
				continue;
			}
			frame_print(r, &frames[i], i + 1 == n, pc, lookup);
		}
	}
}

/* All frames of one place. */
static void place_print(struct report *r, uintptr_t pc, uintptr_t lookup)
{
	struct symtab_frame frames[SYMTAB_FRAMES_MAX];
	unsigned n = symtab_frames(lookup, frames, SYMTAB_FRAMES_MAX);
	for (unsigned i = 0; i < n; i++)
		frame_print(r, &frames[i], i + 1 == n, pc, lookup);
	if (n == 0)
		report_line(r, "%p", (void *)pc);
}

static void walk_print(struct report *r, struct walk *w, unsigned skip)
{
	struct walk rest, end;
	uintptr_t pc, lookup;
	unsigned last;
	for (; skip > 0; skip--)
		walk_next(w, &pc, &lookup);
	if (frames_take(r, w, 0, INNER_MAX, &last, &rest) == INNER_MAX) {
		unsigned shown = last;
		end = rest;
		unsigned left = frames_take(NULL, &end, UINT32_MAX, 0, &last, NULL) - shown;
		unsigned elided = left > OUTER_MAX ? left - OUTER_MAX : 0;
		if (elided > 0)
			report_line(r, "...%u frames elided...", elided);
		*w = rest;
		frames_take(r, w, shown + elided, OUTER_MAX, &last, NULL);
		w->flags = end.flags;
	}
	if (w->flags & WALK_BROKEN)
		report_line(r, "...the stack ends here: no rule for the last frame");
}

/* pc is where no code is, so a call led there: back to the call. The return address is in ra where there is such a register, else on top
 * of the stack. False when it cannot be read. */
static bool call_undo(struct arch_unwind *u, const struct hart *h, const struct g *g)
{
	struct walk_bounds b;
	uintptr_t back = u->ra;
	if (back == 0) {
		if (!walk_find(u->sp, h, g, &b) || (u->sp & 7) != 0 || u->sp + sizeof back > b.hi ||
		    arch_mmu_lookup(u->sp) == 0)
			return false;
		back = *(const uintptr_t *)u->sp;
		u->sp += sizeof back;
	}
	u->pc = back - 1;
	u->ra = 0;
	return in_text(u->pc);
}

void traceback_header(struct report *r, const struct g *g, const char *status, uint64_t minutes)
{
	char wait[32] = "";
	bool named = g->name != NULL && g->id != 1;
	if (minutes > 0)
		print_text(wait, sizeof wait, ", %lu minutes", (unsigned long)minutes);
	report_line(r, "goroutine %lu%s%s%s [%s%s%s]:", (unsigned long)g->id, named ? " (" : "",
		    named ? g->name : "", named ? ")" : "", status, wait,
		    g->pinned != NULL ? ", locked to thread" : "");
}

void traceback_frames(struct report *r, const struct arch_unwind *u, const struct hart *h, const struct g *g,
		      unsigned skip)
{
	struct walk w = {.u = *u, .h = h, .g = g};
	if (!in_text(u->pc)) {
		report_line(r, "%p", (void *)u->pc);
		if (!call_undo(&w.u, h, g))
			return;
	}
	walk_print(r, &w, skip);
}

/* It has not run yet: where it will begin. */
static void entry_print(struct report *r, uintptr_t fn)
{
	struct symtab_frame f;
	if (symtab_frames(fn, &f, 1) == 0) {
		report_line(r, "%p", (void *)fn);
	} else {
		report_line(r, "%s(...)", f.function);
		report_line(r, "\t%s:%u", f.file, f.line);
	}
}

void traceback_parked(struct report *r, const struct g *g)
{
	struct arch_unwind u;
	if (g->area != NULL)
		arch_frame_unwind(g->area, &u);
	else
		arch_context_unwind(&g->ctx, &u);
	struct walk w = {.u = u, .g = g, .returns = g->area == NULL};
	uintptr_t pcs[2];
	unsigned flags;
	if (g->area == NULL && walk_frames(&u, NULL, g, pcs, 2, &flags) == 1 && flags == WALK_COMPLETE)
		entry_print(r, (uintptr_t)g->fn);
	walk_print(r, &w, 0);
}

void traceback_past(struct report *r, uintptr_t pc, const struct arch_unwind *u, const struct hart *h,
		    const struct g *g)
{
	struct symtab_function then, now;
	struct walk w = {.u = *u, .h = h, .g = g};
	uintptr_t at, lookup;
	place_print(r, pc, pc - 1);
	if (!symtab_function(pc - 1, &then))
		return;
	while (walk_next(&w, &at, &lookup)) {
		if (symtab_function(lookup, &now) && now.start == then.start) {
			walk_print(r, &w, 0);
			return;
		}
	}
	report_line(r, "...and it has returned");
}

void traceback_created_by(struct report *r, const struct g *g)
{
	struct symtab_function fn;
	struct symtab_frame frame;
	if (g->created_at == 0)
		return;
	if (symtab_frames(g->created_at - 1, &frame, 1) == 0 || !symtab_function(g->created_at - 1, &fn)) {
		report_line(r, "created at %p in goroutine %lu", (void *)g->created_at,
			    (unsigned long)g->parent_id);
		return;
	}
	report_line(r, "created by %s in goroutine %lu", frame.function, (unsigned long)g->parent_id);
	report_line(r, "\t%s:%u +0x%lx", frame.file, frame.line, (unsigned long)(g->created_at - fn.start));
}

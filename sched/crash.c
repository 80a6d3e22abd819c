/*
 * The goroutines of a program that crashed: where each stands, for the report, in groups of one stack, and for the profile.
 *
 * The other harts have stopped, or are said not to have: so every stack may be walked, but one whose hart still runs. No lock is taken and
 * nothing allocated; what is read may be in the middle of a change.
 */
#include <stdatomic.h>
#include <string.h>

#include "kernel/clock.h"
#include "kernel/panic.h"
#include "kernel/print.h"
#include "kernel/symtab.h"
#include "kernel/traceback.h"
#include "kernel/walk.h"
#include "sched/impl.h"

enum {
	GROUPS_MAX = 100, /* stacks that are shown */
	IDS_MAX = 16,     /* goroutines named that have a stack which was shown */
};

/* The hart that g stands on, if any. */
static const struct hart *hart_of(const struct g *g)
{
	for (uint32_t i = 0; i < hart_count; i++)
		if (harts[i] != NULL && harts[i]->cur == g)
			return harts[i];
	return NULL;
}

static const char *state_of(const struct g *g, const struct hart *h)
{
	if (h != NULL)
		return "running";
	return g_status(g) == G_WAITING ? wait_reason_text[g->wait_reason].text : "runnable";
}

/* Where g stands. False when nobody can tell. *call: at a call, which u.pc is the return address of. */
static bool place_of(const struct g *g, const struct hart *h, struct arch_unwind *u, bool *call)
{
	*call = false;
	if (h != NULL && h == arch_hart()) {
		*call = true;
		return panic_place(u, call);
	}
	if (h != NULL) {
		if (!atomic_load(&h->stopped))
			return false;
		*call = h->stop_frame == NULL;
		if (*call)
			*u = h->stop_place;
		else
			arch_frame_unwind(h->stop_frame, u);
		return true;
	}
	if (g->area != NULL) {
		arch_frame_unwind(g->area, u);
	} else {
		arch_context_unwind(&g->ctx, u);
		*call = true;
	}
	return true;
}

/* The stack of g as return addresses. Returns the depth, 0: not known. */
static unsigned stack_of(const struct g *g, uintptr_t *pcs, unsigned max, bool *truncated)
{
	const struct hart *h = hart_of(g);
	struct arch_unwind u;
	bool call;
	unsigned flags, n, skip;
	*truncated = false;
	if (!place_of(g, h, &u, &call))
		return 0;
	if (walk_in_switch(u.pc) && h != NULL) { /* whose stack this is cannot be told */
		pcs[0] = u.pc + 1;
		return 1;
	}
	n = walk_frames(&u, h, g, pcs, max, &flags);
	*truncated = (flags & WALK_TRUNCATED) != 0;
	skip = call && h != NULL && n > 1; /* panic() itself */
	for (unsigned i = skip; i < n; i++)
		pcs[i - skip] = pcs[i];
	if (!call && n > 0)
		pcs[0]++;
	return n - skip;
}

static bool shown(const struct g *g)
{
	return !g->system && g_alive(g_status(g));
}

void crash_goroutines(crash_goroutine_fn *fn, void *ctx)
{
	static uintptr_t pcs[CRASH_DEPTH_MAX];
	for (const struct g *g = g_all(); g != NULL; g = g->all_next) {
		if (!shown(g))
			continue;
		bool truncated;
		unsigned n = stack_of(g, pcs, CRASH_DEPTH_MAX, &truncated);
		fn(ctx, g, state_of(g, hart_of(g)), pcs, n, truncated);
	}
}

/* ---- the report ---- */

/* Goroutines that stand at one place, for one reason, with one maker. */
struct group {
	uint64_t hash;
	const struct g *first;
	uint32_t n, n_ids;
	uint64_t ids[IDS_MAX]; /* of those after the first */
};

static struct group groups[GROUPS_MAX];
static uint32_t n_groups, n_others;

static uint64_t hash_step(uint64_t h, uint64_t v)
{
	h = (h ^ v) * 0x9e3779b97f4a7c15u;
	return h ^ h >> 32;
}

/* By functions and lines, without those of the switch: one wait has several ways to leave the hart. */
static uint64_t hash_stack(uint64_t h, const uintptr_t *pcs, unsigned n)
{
	static struct symtab_frame f[SYMTAB_FRAMES_MAX];
	bool switching = true;
	for (unsigned i = 0; i < n; i++) {
		unsigned got = symtab_frames(pcs[i] - 1, f, SYMTAB_FRAMES_MAX);
		const struct symtab_frame *outer = got > 0 ? &f[got - 1] : NULL;
		switching = switching && outer != NULL && strcmp(outer->file, "sched/switch.c") == 0;
		if (outer == NULL)
			h = hash_step(h, pcs[i]);
		else if (!switching)
			h = hash_step(hash_step(h, (uintptr_t)outer->function), outer->line);
	}
	return h;
}

static void group_add(void *ctx, const struct g *g, const char *state, const uintptr_t *pcs, unsigned n,
		      bool truncated)
{
	(void)ctx;
	if (g == panic_subject()->cur)
		return; /* it is what the report begins with */
	uint64_t hash = hash_step(g->created_at, (uintptr_t)state);
	hash = hash_step(hash, truncated || n == 0 ? g->id : 0); /* not known to be alike */
	hash = hash_stack(hash, pcs, n);
	uint32_t i = 0;
	while (i < n_groups && groups[i].hash != hash)
		i++;
	if (i == GROUPS_MAX) {
		n_others++;
		return;
	}
	struct group *to = &groups[i];
	if (i == n_groups) {
		n_groups++;
		*to = (struct group){.hash = hash, .first = g, .n = 1};
		return;
	}
	to->n++;
	if (to->n_ids < IDS_MAX)
		to->ids[to->n_ids++] = g->id;
}

static void on_hart_print(const struct g *g, const struct hart *h)
{
	struct arch_unwind u;
	bool call;
	traceback_header(&report_panic, g, "running", 0);
	if (place_of(g, h, &u, &call))
		traceback_frames(&report_panic, &u, h, g, call); /* who says that it stops is left out */
	else
		panic_line("\tgoroutine running on hart %u; stack unavailable", h->index);
	traceback_created_by(&report_panic, g);
}

static void group_print(const struct group *group)
{
	const struct hart *h = hart_of(group->first);
	char line[256];
	size_t n = 0;
	panic_line("%s", "");
	if (h != NULL)
		on_hart_print(group->first, h);
	else
		goroutine_report(&report_panic, group->first);
	if (group->n == 1)
		return;
	for (uint32_t i = 0; i < group->n_ids && n < sizeof line - 24; i++)
		n += print_text(line + n, sizeof line - n, " %lu", (unsigned long)group->ids[i]);
	panic_line("...and %u more with this stack: goroutine%s%s%s", group->n - 1, group->n > 2 ? "s" : "",
		   line, group->n - 1 > group->n_ids ? " ..." : "");
}

void goroutines_print(void)
{
	n_groups = n_others = 0;
	crash_goroutines(group_add, NULL);
	for (uint32_t i = 0; i < n_groups; i++)
		group_print(&groups[i]);
	if (n_others > 0)
		panic_line("...and %u more goroutines", n_others);
}

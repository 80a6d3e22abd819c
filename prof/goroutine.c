/*
 * The goroutine profile: every goroutine of the program that was alive at one moment, by stack and labels. The barrier (sched/barrier.c)
 * brings each by, before it runs again; what is recorded goes to the hart that looks, so that nobody waits for anybody:
 *
 *	visit, on any hart -> that hart's records -> (all have passed) -> merged into the snapshot
 *
 * 1. The sum over the profile is the number of goroutines that were alive while the world stood. Otherwise one was forgotten or seen
 *    twice. What found no memory is counted in [lost].
 * 2. All whom one call of the program led into the kernel to wait have one stack, whichever way they took into the switch: of the kernel's functions
 *    only the one that was called stays, by its first instruction. Otherwise equal goroutines would be several records.
 * 3. Goroutines of the kernel, and one that was started for a caller with little stack, are left out here, in the visit, and nowhere before. Otherwise see rule 2 of the barrier.
 */
#include <hartbeat/go.h>

#include <errno.h>
#include <string.h>

#include "arch/arch.h"
#include "kernel/assert.h"
#include "kernel/hart.h"
#include "kernel/heap.h"
#include "kernel/symtab.h"
#include "kernel/traceback.h"
#include "kernel/unwind.h"
#include "kernel/walk.h"
#include "prof/image.h"
#include "prof/impl.h"
#include "prof/profile.h"
#include "prof/stack_memo.h"
#include "sched/sched.h"

enum { TEXT_MAX = 16 << 10 }; /* bytes of one goroutine's traceback: 100 frames */

/* What lies at the end of a record's stack; a `kind` while it is collected. LEAF_CALLED: the kernel, by a call. */
enum { LEAF_EXACT, LEAF_CALLED };

/* The traceback of one goroutine. */
struct shown {
	struct shown *next;
	uint64_t id;
	size_t n;
	char text[];
};

/* What one hart has recorded: touched by visits on it, with preemption off. */
struct seen {
	struct builder records;
	struct stack_memo memo; /* of those records */
	uint64_t n;
	struct shown *first; /* debug=2 */
	uint64_t unshown;    /* for which there was no memory */
	size_t bytes;
	char *text; /* TEXT_MAX */
};

struct collector {
	struct barrier barrier; /* first */
	const struct g *helper; /* who collects, if it was started for that, or NULL */
	uint64_t alive;
	struct seen on[]; /* hart_count */
};

static struct collector *collector_make(uint64_t caller, void (*visit)(struct barrier *b, struct g *g))
{
	struct collector *c = heap_alloc_zero(sizeof *c + hart_count * sizeof c->on[0]);
	if (c == NULL)
		return NULL;
	c->barrier.visit = visit;
	c->helper = caller != go_id() ? g_self() : NULL;
	for (uint32_t i = 0; i < hart_count; i++) {
		builder_init(&c->on[i].records, &prof_mem_spare, SNAPSHOT_LIMIT);
		stack_memo_init(&c->on[i].memo, &prof_mem_spare);
	}
	return c;
}

static void note_alive(struct barrier *b)
{
	struct collector *c = (struct collector *)b;
	c->alive = go_count() - (c->helper != NULL && !c->helper->system);
}

/* Rule 3. */
static bool left_out(const struct collector *c, const struct g *g)
{
	return g->system || g == c->helper;
}

/* Where g stands: return addresses, pcs[0] too. */
static __attribute__((noinline)) uint32_t stack_of(const struct g *g, uintptr_t *pcs, uint32_t max,
						   uint32_t *leaf)
{
	struct arch_unwind u;
	unsigned flags;
	bool exact = true;
	*leaf = LEAF_EXACT;
	if (g == g_self()) {
		traceback_here(&u);
		*leaf = LEAF_CALLED;
	} else if (g->area != NULL) {
		arch_frame_unwind(g->area, &u);
	} else {
		arch_context_unwind(&g->ctx, &u);
		exact = false;
	}
	uint32_t n = walk_frames(&u, NULL, g, pcs, max, &flags);
	pcs[0] += exact;
	if (!exact && n == 1) { /* it has not run yet: where it will begin */
		pcs[1] = pcs[0];
		pcs[0] = (uintptr_t)g->fn + 1;
		n = 2;
	} else if (!exact) {
		*leaf = LEAF_CALLED;
	}
	return n;
}

/* regs: where g left its stack by a switch, or NULL. */
static __attribute__((noinline)) void record_walked(struct seen *to, const struct g *g,
						    const struct unwind_regs *regs)
{
	uintptr_t pcs[PROF_DEPTH_MAX + 1];
	struct prof_sample s = {.count = 1, .pcs = pcs, .labels = labels_id_irq(g->labels)};
	s.depth = stack_of(g, pcs, PROF_DEPTH_MAX + 1, &s.kind);
	struct prof_record *r = snapshot_add(&to->records, &s);
	if (r != NULL && r->times == 2 && regs != NULL) /* the first of many, maybe */
		stack_memo_keep(&to->memo, regs, g->stack_hi, s.labels, r);
}

static void record(struct barrier *b, struct g *g)
{
	struct collector *c = (struct collector *)b;
	if (left_out(c, g))
		return;
	struct seen *to = &c->on[hart_index()];
	to->n++;
	if (g->area != NULL || g == g_self() || !g_owned(g)) { /* not owned: the walk says so */
		record_walked(to, g, NULL);
		return;
	}
	struct arch_unwind u;
	arch_context_unwind(&g->ctx, &u);
	struct unwind_regs regs = {u.pc, u.sp, u.fp, u.ra};
	struct prof_record *r = stack_memo_find(&to->memo, &regs, g->stack_hi, labels_id_irq(g->labels));
	if (r != NULL)
		builder_again(&to->records, r);
	else
		record_walked(to, g, &regs);
}

/* A function of the kernel that the program called, or one below it. */
static bool below_program(uintptr_t pc, uintptr_t *start)
{
	struct symtab_function f;
	if (!symtab_function(pc - 1, &f))
		return false;
	*start = f.start;
	struct pprof_frame frame = {.function = f.name, .file = f.file};
	return prof_image_hides(&frame) && strcmp(f.name, "goroutine_entry") != 0;
}

/* Rule 2. */
static void leaf_cut(struct prof_sample *s, uintptr_t *pcs)
{
	uintptr_t start = 0;
	uint32_t n = 0;
	while (s->kind == LEAF_CALLED && n < s->depth && below_program(pcs[n], &start)) {
		pcs[n] = start + 1;
		n++;
	}
	if (n > 1) {
		s->pcs += n - 1;
		s->depth -= n - 1;
	}
	/* That one may have jumped on to where it waits, and not be there any more: the program's call says who it was. */
	uintptr_t called = n > 0 && s->depth > 1 && pcs[n] >= PROF_FRAME_MAX ? arch_call_target(pcs[n]) : 0;
	if (called != 0 && below_program(called + 1, &start) && start == called)
		pcs[n - 1] = called + 1;
	s->kind = 0;
}

static int collect(struct profile *p, struct snapshot *s)
{
	struct collector *c = collector_make(s->caller, record);
	uint64_t n = 0;
	(void)p;
	if (c == NULL)
		return -ENOMEM;
	c->barrier.stopped = note_alive;
	barrier_run(&c->barrier, STW_GOROUTINE_PROFILE);
	for (uint32_t i = 0; i < hart_count; i++) {
		n += c->on[i].n;
		stack_memo_free(&c->on[i].memo);
		snapshot_merge(s, &c->on[i].records, leaf_cut);
	}
	ASSERT(n == c->alive && s->records.count == n,
	       "the goroutine profile holds each goroutine that was alive, once");
	heap_free(c);
	return 0;
}

static size_t count(struct profile *p)
{
	(void)p;
	return go_count();
}

/* ---- debug=2 ---- */

static void show(struct barrier *b, struct g *g)
{
	struct collector *c = (struct collector *)b;
	if (left_out(c, g))
		return;
	struct seen *to = &c->on[hart_index()];
	struct report_text t;
	report_text_init(&t, to->text, TEXT_MAX);
	if (g == g_self()) {
		struct arch_unwind u;
		traceback_here(&u);
		traceback_header(&t.report, g, "running", 0);
		traceback_frames(&t.report, &u, NULL, g, 0);
		traceback_created_by(&t.report, g);
	} else {
		goroutine_report(&t.report, g);
	}
	size_t size = sizeof(struct shown) + t.n;
	struct shown *one = to->bytes + size <= SNAPSHOT_LIMIT ? mem_alloc(&prof_mem_spare, size) : NULL;
	if (one == NULL) {
		to->unshown++;
		return;
	}
	memcpy(one->text, t.buf, t.n);
	one->n = t.n;
	one->id = g->id;
	one->next = to->first;
	to->first = one;
	to->bytes += size;
}

/* Both lists are in the order of ids. */
static struct shown *shown_merge(struct shown *a, struct shown *b)
{
	struct shown *first = NULL, **end = &first;
	while (a != NULL && b != NULL) {
		struct shown **from = a->id < b->id ? &a : &b;
		*end = *from;
		*from = (*from)->next;
		end = &(*end)->next;
	}
	*end = a != NULL ? a : b;
	return first;
}

/* Sorted by merging: runs[i] is a sorted list of 2^i, or NULL. */
static struct shown *shown_sort(struct shown *list)
{
	struct shown *runs[33] = {NULL}, *all = NULL;
	while (list != NULL) {
		struct shown *one = list;
		list = list->next;
		one->next = NULL;
		unsigned i = 0;
		for (; i < 32 && runs[i] != NULL; i++) {
			one = shown_merge(runs[i], one);
			runs[i] = NULL;
		}
		runs[i] = one;
	}
	for (unsigned i = 0; i < 33; i++)
		all = shown_merge(runs[i], all);
	return all;
}

/* Takes the traceback of the caller, which comes first, out. */
static struct shown *shown_take(struct shown **list, uint64_t id)
{
	while (*list != NULL && (*list)->id != id)
		list = &(*list)->next;
	struct shown *one = *list;
	if (one != NULL)
		*list = one->next;
	return one;
}

static void shown_write(struct shown *list, uint64_t unshown, struct text *t)
{
	for (struct shown *one = list, *next; one != NULL; one = next) {
		next = one->next;
		text_put(t, "\n", one != list);
		text_put(t, one->text, one->n);
		heap_free(one);
	}
	if (unshown > 0)
		text_printf(t, "\n...%llu more goroutines: no memory for their stacks\n",
			    (unsigned long long)unshown);
}

static bool texts_make(struct collector *c)
{
	for (uint32_t i = 0; i < hart_count; i++)
		if ((c->on[i].text = heap_alloc(TEXT_MAX)) == NULL)
			return false;
	return true;
}

static int write_details(struct profile *p, uint64_t caller, struct sink *to)
{
	struct text t = {.to = to};
	struct shown *all = NULL, *mine;
	uint64_t unshown = 0;
	struct collector *c = collector_make(caller, show);
	(void)p;
	if (c == NULL)
		return -ENOMEM;
	if (texts_make(c))
		barrier_run(&c->barrier, STW_ALL_GOROUTINES_STACK);
	else
		t.error = -ENOMEM;
	for (uint32_t i = 0; i < hart_count; i++) {
		heap_free(c->on[i].text);
		unshown += c->on[i].unshown;
		all = shown_merge(all, shown_sort(c->on[i].first));
	}
	heap_free(c);
	if ((mine = shown_take(&all, caller)) != NULL) {
		mine->next = all;
		all = mine;
	}
	shown_write(all, unshown, &t);
	return t.error;
}

struct profile prof_goroutine = {
	.name = "goroutine",
	.sample_types = {{"goroutine", "count"}},
	.n_sample_types = 1,
	.period_type = {"goroutine", "count"},
	.collect = collect,
	.count = count,
	.write_details = write_details,
};

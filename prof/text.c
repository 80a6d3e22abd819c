/*
 * Profiles as text:
 *
 *	goroutine profile: total 5
 *	3 @ 0x46c6ce 0x40c305 0x4d3de5                                  values @ pcs as they were recorded
 *	# labels: {"key":"value"}
 *	#	0x4d3de4	main.worker+0x24	forms.go:3      address in the call, function + offset, place
 *	                                                                an empty line after each stack
 *
 * Columns are aligned by tabs of 8, over the lines of one stack, as Go's tabwriter does it. Frames of the kernel are left out at both ends of
 * a stack, unless nothing else is in it.
 */
#include "prof/text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/assert.h"
#include "prof/intern.h"

enum { PRINT_MAX = 1024, TAB = 8, CELL_MAX = 320 };

/* A line of a stack, its first two cells formatted when they are needed. */
struct frame_line {
	uintptr_t pc, offset;
	const struct pprof_frame *frame; /* NULL: nothing is known of pc */
};

struct sorted {
	uint64_t by;
	const struct prof_record *r;
};

void text_put(struct text *t, const char *s, size_t n)
{
	if (t->error == 0 && n > 0)
		t->error = sink_write(t->to, s, n);
}

void text_printf(struct text *t, const char *fmt, ...)
{
	char line[PRINT_MAX];
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(line, sizeof line, fmt, ap);
	va_end(ap);
	if (n > 0)
		text_put(t, line, (size_t)n < sizeof line ? (size_t)n : sizeof line - 1);
}

void text_quote(struct text *t, const char *s)
{
	text_put(t, "\"", 1);
	for (const char *p = s; *p != '\0'; p++) {
		static const char from[] = "\a\b\f\n\r\t\v\\\"", to[] = "abfnrtv\\\"";
		const char *special = strchr(from, *p);
		if (special != NULL)
			text_printf(t, "\\%c", to[special - from]);
		else if ((unsigned char)*p < 0x20 || *p == 0x7f)
			text_printf(t, "\\x%02x", *p);
		else
			text_put(t, p, 1);
	}
	text_put(t, "\"", 1);
}

void text_count_head(const struct text_options *o, const struct builder *b, struct text *t)
{
	text_printf(t, "%s profile: total %lld\n", o->name, (long long)b->count);
}

void text_count_record(const struct text_options *o, const struct prof_record *r, struct text *t)
{
	(void)o;
	text_printf(t, "%lld", (long long)r->count);
}

static void labels_write(const struct text_options *o, uint32_t labels, struct text *t)
{
	struct pprof_label l;
	bool any = false;
	for (unsigned i = 0; labels != 0 && o->label != NULL && o->label(o->label_ctx, labels, i, &l); i++) {
		if (l.str == NULL)
			continue;
		text_printf(t, "%s", any ? ", " : "# labels: {");
		text_quote(t, l.key);
		text_printf(t, ":");
		text_quote(t, l.str);
		any = true;
	}
	if (any)
		text_printf(t, "}\n");
}

/* ---- the frames of a stack ---- */

static size_t cell_address(const struct frame_line *l, char *cell)
{
	return (size_t)snprintf(cell, CELL_MAX, "0x%llx", (unsigned long long)l->pc);
}

static size_t cell_function(const struct frame_line *l, char *cell)
{
	int n = l->offset == UINTPTR_MAX ? snprintf(cell, CELL_MAX, "%s", l->frame->function)
					 : snprintf(cell, CELL_MAX, "%s+0x%llx", l->frame->function,
						    (unsigned long long)l->offset);
	return (size_t)n < CELL_MAX ? (size_t)n : CELL_MAX - 1;
}

/* What is known of one pc: looked up once for the whole text. */
struct site {
	struct intern_head head;
	uintptr_t pc, offset;
	uint32_t first, n; /* frames */
};

struct names {
	const struct text_options *o;
	const struct mem_ops *mem;
	struct intern sites;
	struct pprof_frame *frames;
	uint32_t n, room;
};

static bool site_equal(const void *entry, const void *other)
{
	return ((const struct site *)entry)->pc == ((const struct site *)other)->pc;
}

static bool names_grow(struct names *t)
{
	uint32_t room = t->room > 0 ? 2 * t->room : 8 * PPROF_INLINE_MAX;
	struct pprof_frame *more = mem_alloc(t->mem, room * sizeof *more);
	if (more == NULL)
		return false;
	if (t->n > 0)
		memcpy(more, t->frames, t->n * sizeof *more);
	mem_free(t->mem, t->frames);
	t->frames = more;
	t->room = room;
	return true;
}

/* Looks the pc of a new site up. */
static void site_fill(struct names *t, struct site *site)
{
	const struct text_options *o = t->o;
	struct pprof_frame *frames = t->frames + t->n;
	site->first = t->n;
	site->offset = UINTPTR_MAX;
	if (site->pc < PROF_FRAME_MAX) {
		frames[site->n++] = (struct pprof_frame){.function = prof_frame_name(site->pc)};
	} else {
		uintptr_t entry = o->entry(site->pc);
		unsigned n = 0;
		if (o->symbolize(o->symbolize_ctx, site->pc, frames, PPROF_INLINE_MAX, &n))
			site->n = n;
		site->offset = entry != 0 ? site->pc - entry : UINTPTR_MAX;
	}
	t->n += site->n;
}

/* What is known of every pc of a record; false without memory. */
static bool names_add(struct names *t, const struct prof_record *r)
{
	for (uint32_t i = 0; i < r->depth; i++) {
		struct site site = {.pc = prof_pc_address(i + t->o->returns, r->pcs[i])};
		uint32_t id;
		site.head.hash = hash_word(0, site.pc);
		if (intern_find(&t->sites, &site, site_equal, &id))
			continue;
		if (t->room - t->n < PPROF_INLINE_MAX && !names_grow(t))
			return false;
		site_fill(t, &site);
		if (intern_put(&t->sites, &site, site_equal, &id) < 0)
			return false;
	}
	return true;
}

static void names_free(struct names *t)
{
	intern_free(&t->sites);
	mem_free(t->mem, t->frames);
}

/* Calls fn for each frame of a record, the innermost first. */
static void frames_each(const struct names *t, const struct prof_record *r,
			void (*fn)(void *ctx, const struct frame_line *l), void *ctx)
{
	for (uint32_t i = 0; i < r->depth; i++) {
		struct site key = {.pc = prof_pc_address(i + t->o->returns, r->pcs[i])};
		uint32_t id = 0;
		key.head.hash = hash_word(0, key.pc);
		bool there = intern_find(&t->sites, &key, site_equal, &id);
		ASSERT(there, "every pc of a record was looked up");
		const struct site *site = intern_at(&t->sites, id);
		struct frame_line l = {.pc = site->pc < PROF_FRAME_MAX ? 0 : site->pc,
				       .offset = site->offset};
		for (uint32_t k = 0; k < site->n; k++) {
			l.frame = &t->frames[site->first + k];
			fn(ctx, &l);
		}
		if (site->n == 0)
			fn(ctx, &l);
	}
}

/* Over one stack, first to see what is shown and how wide, then to write it. */
struct stack {
	const struct text_options *o;
	struct text *t;
	uint32_t i, first, end; /* frames counted; those shown: [first, end) */
	bool any;
	size_t widest[2];
};

static void frame_see(void *ctx, const struct frame_line *l)
{
	struct stack *s = ctx;
	bool hidden = l->frame != NULL && s->o->hides != NULL && s->o->hides(l->frame);
	if (!hidden) {
		if (!s->any)
			s->first = s->i;
		s->any = true;
		s->end = s->i + 1;
	}
	s->i++;
}

static void frame_measure(void *ctx, const struct frame_line *l)
{
	struct stack *s = ctx;
	char cell[CELL_MAX];
	if (s->i >= s->first && s->i < s->end && l->frame != NULL) {
		size_t n[2] = {cell_address(l, cell), cell_function(l, cell)};
		for (int k = 0; k < 2; k++)
			s->widest[k] = n[k] > s->widest[k] ? n[k] : s->widest[k];
	}
	s->i++;
}

/* Ends a cell: tabs up to the next column. */
static void cell_end(struct text *t, size_t n, size_t widest)
{
	size_t width = (widest + 1 + TAB - 1) / TAB * TAB;
	for (size_t at = n; at < width; at = at / TAB * TAB + TAB)
		text_put(t, "\t", 1);
}

static void frame_write(void *ctx, const struct frame_line *l)
{
	struct stack *s = ctx;
	char cell[CELL_MAX];
	if (s->i >= s->first && s->i < s->end) {
		text_put(s->t, "#\t", 2);
		size_t n = cell_address(l, cell);
		text_put(s->t, cell, n);
		if (l->frame != NULL) {
			cell_end(s->t, n, s->widest[0]);
			n = cell_function(l, cell);
			text_put(s->t, cell, n);
			if (l->frame->file != NULL) {
				cell_end(s->t, n, s->widest[1]);
				text_printf(s->t, "%s:%u", l->frame->file, (unsigned)l->frame->line);
			}
		}
		text_put(s->t, "\n", 1);
	}
	s->i++;
}

/* False without memory. */
static bool stack_write(struct names *names, const struct prof_record *r, struct text *t)
{
	struct stack s = {.o = names->o, .t = t};
	if (!names_add(names, r))
		return false;
	frames_each(names, r, frame_see, &s);
	if (!s.any)
		s.end = s.i;
	s.i = 0;
	frames_each(names, r, frame_measure, &s);
	s.i = 0;
	frames_each(names, r, frame_write, &s);
	text_put(t, "\n", 1);
	return true;
}

/* ---- the records ---- */

static int sorted_order(const void *x, const void *y)
{
	const struct sorted *a = x, *b = y;
	if (a->by != b->by)
		return a->by > b->by ? -1 : 1;
	for (uint32_t i = 0; i < a->r->depth && i < b->r->depth; i++)
		if (a->r->pcs[i] != b->r->pcs[i])
			return a->r->pcs[i] < b->r->pcs[i] ? -1 : 1;
	if (a->r->depth != b->r->depth)
		return a->r->depth < b->r->depth ? -1 : 1;
	return a->r->labels < b->r->labels ? -1 : a->r->labels > b->r->labels;
}

/* One record; false: without the names of its functions. */
static bool record_write(struct names *names, const struct prof_record *r, struct text *t)
{
	const struct text_options *o = names->o;
	o->record(o, r, t);
	text_printf(t, " @");
	for (uint32_t j = 0; j < r->depth; j++)
		text_printf(t, " 0x%llx", (unsigned long long)r->pcs[j]);
	text_printf(t, "\n");
	labels_write(o, r->labels, t);
	bool named = stack_write(names, r, t);
	if (!named)
		text_put(t, "\n", 1);
	return named;
}

int text_write(const struct builder *b, const struct text_options *o, const struct mem_ops *mem,
	       struct sink *to)
{
	ASSERT(o->sort_by < PROF_VALUES_MAX, "a profile is sorted by one of its values");
	struct text t = {.to = to};
	size_t n = (size_t)b->n_records + 1, i = 0; /* and [lost] */
	uint64_t unnamed = 0;
	struct sorted *list = mem_alloc(mem, n * sizeof *list);
	struct names names = {.o = o, .mem = mem};
	intern_init(&names.sites, mem, sizeof(struct site));
	o->head(o, b, &t);
	if (list == NULL) { /* not sorted, then */
		for (const struct prof_record *r = builder_first(b); r != NULL; r = builder_next(b, r))
			unnamed += !record_write(&names, r, &t);
	} else {
		for (const struct prof_record *r = builder_first(b); r != NULL; r = builder_next(b, r))
			list[i++] = (struct sorted){r->values[o->sort_by], r};
		qsort(list, i, sizeof *list, sorted_order);
		for (size_t k = 0; k < i && t.error == 0; k++)
			unnamed += !record_write(&names, list[k].r, &t);
	}
	names_free(&names);
	if (o->tail != NULL)
		o->tail(o, b, &t);
	if (list == NULL || unnamed > 0)
		text_printf(&t, "# truncated: no memory to %sname the functions of %llu stacks\n",
			    list == NULL ? "sort, and to " : "", (unsigned long long)unnamed);
	mem_free(mem, list);
	return t.error;
}

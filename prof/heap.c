/*
 * The profiles "heap" and "allocs", and the report of leaks, made of what prof/heap_sample.c counts.
 *
 * A sampled object of size s at rate r stands for 1 / (1 - exp(-s / r)) objects (prof/expo.h), as in Go. A record of the snapshot says its
 * size in its labels; two of one stack and size that were sampled at different rates are scaled each by its own, and then are one.
 */
#include "prof/heap.h"

#include <hartbeat/prof_rates.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "kernel/heap.h"
#include "kernel/page.h"
#include "kernel/print.h"
#include "kernel/symtab.h"
#include "prof/expo.h"
#include "prof/heap_stacks.h"
#include "prof/prof.h"
#include "prof/profile.h"
#include "prof/stack_trim.h"

enum { ALLOC_OBJECTS, ALLOC_SPACE, INUSE_OBJECTS, INUSE_SPACE };

bool heap_leaks;

/* Whose frames are left out at the innermost end of a stack. */
static const char *const allocator[] = {"kernel/heap.c", "kernel/large.c", "kernel/malloc.c", NULL};

/* A size as the labels of a record: in bytes, or above 2^31 in pages. */
#define SIZE_IN_PAGES (1u << 31)

static uint32_t size_label(uint64_t size)
{
	return size < SIZE_IN_PAGES ? (uint32_t)size : (uint32_t)(size >> PAGE_SHIFT) | SIZE_IN_PAGES;
}

static uint64_t label_size(uint32_t label)
{
	return (label & SIZE_IN_PAGES) == 0 ? label : (uint64_t)(label & ~SIZE_IN_PAGES) << PAGE_SHIFT;
}

/* As Go: the average size of a record's objects, as a number without a unit. */
static bool heap_label(void *ctx, uint32_t labels, unsigned i, struct pprof_label *label)
{
	(void)ctx;
	*label = (struct pprof_label){.key = "bytes", .num = (int64_t)label_size(labels)};
	return i == 0 && labels != 0;
}

static uint64_t scale(uint64_t value, uint64_t size, uint64_t rate)
{
#ifndef MUTANT_heap_unscaled
	return expo_scale(value, size, rate);
#else
	(void)size;
	(void)rate;
	return value;
#endif
}

/* The values of r in objects and bytes, scaled. False: nothing was counted. */
static bool values_of(const struct stack_record *r, uint64_t rate, struct prof_sample *s)
{
	struct heap_counts c = heap_counts(r);
	if (c.allocs == 0)
		return false;
	uint64_t size =
		r->key != 0 ? r->key : c.alloc_bytes / c.allocs; /* in [lost] all sizes are together */
	s->values[ALLOC_OBJECTS] = scale(c.allocs, size, rate);
	s->values[ALLOC_SPACE] = scale(c.alloc_bytes, size, rate);
	s->values[INUSE_OBJECTS] = scale(c.allocs - c.frees, size, rate);
	s->values[INUSE_SPACE] = scale(c.alloc_bytes - c.freed_bytes, size, rate);
	return true;
}

static int heap_collect(struct profile *p, struct snapshot *s)
{
	(void)p;
	struct prof_sample sample = {0};
	struct heap_account a;
	uint64_t rate = prof_heap_rate();
	s->period = (int64_t)rate;
	for (const struct stack_record *r = NULL; (r = stack_next(&heap_stacks, r)) != NULL;) {
		if (!values_of(r, r->key2, &sample))
			continue;
		uint32_t out = stack_trim(r->pcs, r->depth, allocator);
		sample.pcs = r->pcs + out;
		sample.depth = r->depth - out;
		sample.labels = size_label(r->key);
		builder_add(&s->records, &sample);
	}
	if (values_of(&heap_stacks.lost, rate, &sample))
		builder_add_lost(&s->records, &sample);
	heap_account(&a);
	if (a.untracked > 0)
		snprintf(s->comments[s->n_comments++], SNAPSHOT_COMMENT_SIZE,
			 "no memory to follow %llu sampled objects: they count as freed at once",
			 (unsigned long long)a.untracked);
	return 0;
}

static size_t heap_count(struct profile *p)
{
	size_t n = 0;
	(void)p;
	for (const struct stack_record *r = NULL; (r = stack_next(&heap_stacks, r)) != NULL;)
		n++;
	return n;
}

/* Go's text shows what was sampled, and says at which rate; readers scale it. */
static struct prof_sample unscaled(const struct text_options *o, const struct prof_record *r)
{
	const struct snapshot *snapshot = o->ctx;
	struct prof_sample s = builder_sample(r, false);
	uint64_t size = label_size(r->labels), rate = (uint64_t)snapshot->period;
	for (unsigned i = ALLOC_OBJECTS; i <= INUSE_OBJECTS && size > 0; i += INUSE_OBJECTS - ALLOC_OBJECTS) {
		s.values[i] = expo_unscale(r->values[i], size, rate);
		s.values[i + 1] = s.values[i] * size;
	}
	return s;
}

static void text_values(struct text *t, const struct prof_sample *s)
{
	text_printf(t, "%lld: %lld [%lld: %lld]", (long long)s->values[INUSE_OBJECTS],
		    (long long)s->values[INUSE_SPACE], (long long)s->values[ALLOC_OBJECTS],
		    (long long)s->values[ALLOC_SPACE]);
}

static void heap_text_head(const struct text_options *o, const struct builder *b, struct text *t)
{
	const struct snapshot *snapshot = o->ctx;
	struct prof_sample sum = {0};
	for (const struct prof_record *r = builder_first(b); r != NULL; r = builder_next(b, r)) {
		struct prof_sample s = unscaled(o, r);
		for (unsigned i = 0; i <= INUSE_SPACE; i++)
			sum.values[i] += s.values[i];
	}
	text_printf(t, "heap profile: ");
	text_values(t, &sum);
	text_printf(t, " @ heap/%lld\n", (long long)snapshot->period * 2);
}

static void heap_text_record(const struct text_options *o, const struct prof_record *r, struct text *t)
{
	struct prof_sample s = unscaled(o, r);
	text_values(t, &s);
}

static void heap_text_tail(const struct text_options *o, const struct builder *b, struct text *t)
{
	struct heap_stats s;
	(void)o;
	(void)b;
	heap_stats(&s);
	text_printf(t,
		    "\n# runtime.MemStats\n# Alloc = %zu\n# HeapAlloc = %zu\n# HeapSys = %zu\n# HeapInuse = "
		    "%zu\n",
		    s.used_bytes, s.used_bytes, s.held_bytes, s.held_bytes);
	text_printf(t, "# HeapObjects = %zu\n", s.used_objects);
}

#define HEAP_PROFILE                                                                    \
	.sample_types = {{"alloc_objects", "count"},                                    \
			 {"alloc_space", "bytes"},                                      \
			 {"inuse_objects", "count"},                                    \
			 {"inuse_space", "bytes"}},                                     \
	.n_sample_types = 4, .period_type = {"space", "bytes"}, .sort_by = INUSE_SPACE, \
	.collect = heap_collect, .count = heap_count, .text_head = heap_text_head,      \
	.text_record = heap_text_record, .text_tail = heap_text_tail, .label = heap_label

struct profile profile_heap = {.name = "heap", HEAP_PROFILE};
struct profile profile_allocs = {.name = "allocs", .default_sample_type = "alloc_space", HEAP_PROFILE};

/* ---- what was not freed ---- */

/* Made by the kernel for goroutines, timers and streams, and kept for the next ones. */
static bool kept_by_kernel(const struct stack_record *r)
{
	static const char *const files[] = {"sched/g.c", "sched/area.c", "sched/labels.c", "sched/libc.c",
					    "kernel/ktimer.c"};
	struct symtab_frame f[SYMTAB_FRAMES_MAX];
	unsigned n = symtab_frames(r->pcs[stack_trim(r->pcs, r->depth, allocator)] - 1, f, SYMTAB_FRAMES_MAX);
	for (size_t i = 0; n > 0 && i < sizeof files / sizeof files[0]; i++)
		if (prof_file_is(f[n - 1].file, files[i]))
			return true;
	return false;
}

struct leak {
	uint64_t objects, bytes;
	const struct stack_record *r;
};

static int leak_order(const void *x, const void *y)
{
	const struct leak *a = x, *b = y;
	return a->bytes > b->bytes ? -1 : a->bytes < b->bytes;
}

static void leak_print(const struct leak *l)
{
	print_line("hb: leak: %lu bytes in %lu objects of %lu bytes", (unsigned long)l->bytes,
		   (unsigned long)l->objects, (unsigned long)l->r->key);
	for (uint32_t i = stack_trim(l->r->pcs, l->r->depth, allocator); i < l->r->depth; i++) {
		struct symtab_frame f[SYMTAB_FRAMES_MAX];
		unsigned n = symtab_frames(l->r->pcs[i] - 1, f, SYMTAB_FRAMES_MAX);
		for (unsigned k = 0; k < n; k++)
			print_line("hb:     %s %s:%u", f[k].function, f[k].file, f[k].line);
		if (n == 0)
			print_line("hb:     %s",
				   l->r->pcs[i] < PROF_FRAME_MAX ? prof_frame_name(l->r->pcs[i]) : "?");
	}
}

void heap_leaks_print(unsigned rows)
{
	size_t n = 0, room = heap_count(NULL) + 16; /* some may be new by then */
	uint64_t objects = 0, bytes = 0, kept = 0, most = 0;
	if (prof_heap_rate_set(0) != 0) /* what follows is not of the program */
		return;
	struct leak *list = malloc(room * sizeof *list);
	if (list == NULL) {
		print_line("hb: no memory for the report of leaks");
		return;
	}
	for (const struct stack_record *r = NULL; (r = stack_next(&heap_stacks, r)) != NULL;) {
		struct heap_counts c = heap_counts(r);
		struct leak l = {
			.r = r, .objects = c.allocs - c.frees, .bytes = c.alloc_bytes - c.freed_bytes};
		if (l.objects == 0)
			continue;
		if (kept_by_kernel(r)) {
			kept += l.bytes;
			continue;
		}
		objects += l.objects;
		bytes += l.bytes;
		most = r->key2 > most ? r->key2 : most;
		if (n < room)
			list[n++] = l;
	}
	qsort(list, n, sizeof *list, leak_order);
	print_line("hb: leaks: %lu bytes in %lu objects from %lu places still allocated; %lu bytes kept for "
		   "goroutines, timers and streams",
		   (unsigned long)bytes, (unsigned long)objects, (unsigned long)n, (unsigned long)kept);
	if (most > 1)
		print_line(
			"hb: leaks: only one allocation in %lu bytes was looked at: heap.rate=1 looks at all",
			(unsigned long)most);
	for (size_t i = 0; i < n && i < rows; i++)
		leak_print(&list[i]);
	if (n > rows)
		print_line("hb: leaks: and %lu places more", (unsigned long)(n - rows));
	free(list);
}

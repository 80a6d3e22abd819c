/* The order of events (see trace_order.h). */
#include "tools/hbdump/trace_order.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/hbdump/vector.h"

enum { NAME_SLOTS_FIRST = 64 };

/* ---- names ---- */

static uint32_t name_slot(const struct trace_names *t, const struct trace_string *s)
{
	uint32_t h = 2166136261u; /* FNV-1a */
	for (uint32_t i = 0; i < s->n; i++)
		h = (h ^ s->text[i]) * 16777619u;
	uint32_t at = h & (t->n_slots - 1);
	while (t->slots[at] != 0) {
		const struct trace_string *x = &t->list[t->slots[at] - 1];
		if (x->n == s->n && memcmp(x->text, s->text, s->n) == 0)
			break;
		at = (at + 1) & (t->n_slots - 1);
	}
	return at;
}

static uint32_t name_put(struct trace_names *t, const struct trace_string *s)
{
	if (2 * t->n >= t->n_slots) {
		t->n_slots = t->n_slots == 0 ? NAME_SLOTS_FIRST : 2 * t->n_slots;
		t->slots = vector_resize(t->slots, t->n_slots, sizeof *t->slots);
		memset(t->slots, 0, t->n_slots * sizeof *t->slots);
		for (uint32_t i = 0; i < t->n; i++)
			t->slots[name_slot(t, &t->list[i])] = i + 1;
	}
	uint32_t at = name_slot(t, s);
	if (t->slots[at] == 0) {
		*VECTOR_ADD(t->list, t->n) = *s;
		t->slots[at] = t->n;
	}
	return t->slots[at] - 1;
}

uint32_t trace_name(struct trace_names *names, const struct trace_string *s)
{
	if (names->n == 0)
		name_put(names, &(struct trace_string){(const uint8_t *)"", 0});
	return name_put(names, s);
}

/* ---- reports ---- */

static void report(struct trace_order *o, const struct trace_context *c, const char *fmt, va_list ap)
{
	char text[320];
	const struct trace_spec *spec = trace_spec(c->ev->type);
	vsnprintf(text, sizeof text, fmt, ap);
	trace_violation(o->report,
			&(struct trace_place){
				o->gen->number,
				c->m != TRACE_NO ? o->ms[c->m].id : TRACE_NONE,
				c->p != TRACE_NO ? o->ps[c->p].id : TRACE_NONE,
				c->g != TRACE_NO ? o->gs[c->g].id : TRACE_NONE,
				spec != NULL ? spec->name : NULL,
				c->ev->at,
			},
			"%s", text);
}

void trace_wrong(struct trace_order *o, const struct trace_context *c, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	report(o, c, fmt, ap);
	va_end(ap);
}

bool trace_wait(struct trace_order *o, const struct trace_context *c, const char *fmt, ...)
{
	va_list ap;
	if (!o->force)
		return true;
	va_start(ap, fmt);
	report(o, c, fmt, ap);
	va_end(ap);
	return false;
}

void trace_need(struct trace_order *o, const struct trace_context *c, enum trace_need p, enum trace_need g)
{
	if (c->m == TRACE_NO && p == NEED_ONE)
		trace_wrong(o, c, "it is in a batch of no m: expected one of an m");
	else if (p == NEED_ONE && c->p == TRACE_NO)
		trace_wrong(o, c, "its m has no p: expected one");
	else if (p == NEED_NONE && c->p != TRACE_NO)
		trace_wrong(o, c, "its m has a p already: expected none");
	else if (g == NEED_ONE && c->g == TRACE_NO)
		trace_wrong(o, c, "its m runs no goroutine: expected one");
	else if (g == NEED_NONE && c->g != TRACE_NO)
		trace_wrong(o, c, "its m runs a goroutine already: expected none");
}

/* ---- one generation: the events of each m, merged ---- */

struct cursor {
	uint64_t m; /* id */
	uint32_t place;
	size_t batch, n_batches; /* in order[] */
	struct trace_bytes bytes;
	uint64_t time;
	struct trace_event ev; /* type 0: at the end */
};

struct merge {
	struct trace_order *o;
	struct cursor *cursors, **heap;
	struct trace_batch *order; /* batches by m */
	size_t n_cursors, n_heap;
};

static uint32_t m_put(struct trace_order *o, uint64_t id)
{
	bool is_new;
	if (id == TRACE_NONE)
		return TRACE_NO;
	uint32_t i = pairs_put(&o->m_ids, id, 0, &is_new);
	if (is_new)
		*VECTOR_ADD(o->ms, o->n_ms) = (struct trace_m){.id = id, .p = TRACE_NO, .g = TRACE_NO};
	return i;
}

static struct trace_context context_of(const struct trace_order *o, const struct cursor *k)
{
	bool m = k->place != TRACE_NO;
	return (struct trace_context){
		&k->ev,
		k->place,
		m ? o->ms[k->place].p : TRACE_NO,
		m ? o->ms[k->place].g : TRACE_NO,
	};
}

/* Reads on; false at the end of what the m has in this generation. */
static bool cursor_next(struct merge *w, struct cursor *k)
{
	for (;;) {
		const char *wrong = trace_event_read(w->o->file, &k->bytes, &k->time, &k->ev);
		if (wrong != NULL) {
			struct trace_event bad = {.at = k->ev.at};
			struct trace_context c = {&bad, k->place, TRACE_NO, TRACE_NO};
			trace_wrong(w->o, &c, "%s: the byte is %u; the rest of the batch is not read", wrong,
				    w->o->file->data[bad.at]);
			k->ev.type = 0;
		}
		if (k->ev.type != 0)
			return true;
		if (k->batch == k->n_batches)
			return false;
		const struct trace_batch *b = &w->order[k->batch++];
		k->bytes = (struct trace_bytes){w->o->file->data, b->at, b->at + b->size};
		k->time = b->time;
	}
}

static void heap_down(struct cursor **heap, size_t n, size_t i)
{
	for (;;) {
		size_t least = i;
		for (size_t k = 2 * i + 1; k <= 2 * i + 2 && k < n; k++)
			if (heap[k]->ev.time < heap[least]->ev.time)
				least = k;
		if (least == i)
			return;
		struct cursor *x = heap[i];
		heap[i] = heap[least];
		heap[least] = x;
		i = least;
	}
}

static int by_time(const void *a, const void *b)
{
	const struct cursor *x = *(struct cursor *const *)a, *y = *(struct cursor *const *)b;
	if (x->ev.time != y->ev.time)
		return x->ev.time < y->ev.time ? -1 : 1;
	return (x > y) - (x < y);
}

/* What holds for every event, looked at once it takes place. */
static void event_check(struct trace_order *o, const struct trace_context *c)
{
	const struct trace_event *ev = c->ev;
	const struct trace_spec *spec = trace_spec(ev->type);
	for (unsigned i = 0; i < spec->args; i++) {
		if ((spec->stacks & 1u << i) != 0 && trace_stack_find(o->gen, ev->args[i]) == NULL)
			trace_wrong(o, c, "stack %" PRIu64 " is not defined in this generation", ev->args[i]);
		if ((spec->strings & 1u << i) != 0 && trace_string_find(o->gen, ev->args[i]) == NULL)
			trace_wrong(o, c, "string %" PRIu64 " is not defined in this generation",
				    ev->args[i]);
	}
	o->events[ev->type]++;
	if (!o->started || ev->time < o->first)
		o->first = ev->time;
	if (!o->started || ev->time > o->last)
		o->last = ev->time;
	o->started = true;
	if (c->m == TRACE_NO)
		return;
	struct trace_m *m = &o->ms[c->m];
	if (ev->time < m->last)
		trace_wrong(o, c, "the time of m goes backwards by %" PRIu64 " units", m->last - ev->time);
	m->last = ev->time;
}

/* Lets an event take place, if it can. */
static bool advance(struct trace_order *o, const struct cursor *k)
{
	struct trace_context c = context_of(o, k), before = c;
	enum trace_step step = trace_state_step(o, &c);
	if (step == STEP_WAIT)
		return false;
	event_check(o, &before);
	return true;
}

/* The one in the heap that goes on: the earliest that can, or the earliest of all. */
static size_t choose(struct merge *w)
{
	struct trace_order *o = w->o;
	if (advance(o, w->heap[0]))
		return 0;
	qsort(w->heap, w->n_heap, sizeof *w->heap, by_time); /* sorted is a heap, too */
	for (size_t i = 1; i < w->n_heap; i++)
		if (advance(o, w->heap[i]))
			return i;
	o->force = true;
	advance(o, w->heap[0]);
	o->force = false;
	return 0;
}

static int by_m(const void *a, const void *b)
{
	const struct trace_batch *x = a, *y = b;
	if (x->m != y->m)
		return x->m < y->m ? -1 : 1;
	return (x->at > y->at) - (x->at < y->at);
}

static void merge_open(struct merge *w)
{
	struct trace_generation *gen = w->o->gen;
	w->order = vector_resize(NULL, gen->n_batches + 1, sizeof *w->order);
	if (gen->n_batches > 0)
		memcpy(w->order, gen->batches, gen->n_batches * sizeof *w->order);
	qsort(w->order, gen->n_batches, sizeof *w->order, by_m);
	for (size_t i = 0; i < gen->n_batches; i++) {
		if (i == 0 || w->order[i].m != w->order[i - 1].m)
			*VECTOR_ADD(w->cursors, w->n_cursors) =
				(struct cursor){.m = w->order[i].m, .batch = i};
		w->cursors[w->n_cursors - 1].n_batches = i + 1;
	}
	for (size_t i = 0; i < w->n_cursors; i++)
		w->cursors[i].place = m_put(w->o, w->cursors[i].m);
	w->heap = vector_resize(NULL, w->n_cursors + 1, sizeof *w->heap);
	for (size_t i = 0; i < w->n_cursors; i++)
		if (cursor_next(w, &w->cursors[i]))
			w->heap[w->n_heap++] = &w->cursors[i];
	for (size_t i = w->n_heap; i-- > 0;)
		heap_down(w->heap, w->n_heap, i);
}

static void generation_end(struct trace_order *o)
{
	struct trace_event end = {.at = o->gen->at};
	for (size_t i = 0; i < o->n_gs; i++) {
		const struct trace_g *g = &o->gs[i];
		struct trace_context c = {&end, TRACE_NO, TRACE_NO, (uint32_t)i};
		if (g->status != GO_NONE && g->seq_gen != o->gen->number)
			trace_wrong(o, &c, "it has no status in this generation, which does not stand alone");
	}
}

void trace_order_generation(struct trace_order *o, struct trace_generation *gen)
{
	struct merge w = {.o = o};
	o->gen = gen;
	if (o->first_gen == 0)
		o->first_gen = gen->number;
	if (o->hz != 0 && gen->hz != 0 && gen->hz != o->hz) {
		struct trace_event at = {.at = gen->at};
		trace_wrong(o, &(struct trace_context){&at, TRACE_NO, TRACE_NO, TRACE_NO},
			    "the frequency changes from %" PRIu64 " to %" PRIu64 ", so times would jump",
			    o->hz, gen->hz);
	}
	o->hz = gen->hz != 0 ? gen->hz : o->hz;
	for (size_t i = 0; i < o->n_ms; i++) {
		o->ms[i].previous = o->ms[i].current;
		o->ms[i].current = o->ms[i].n_line;
	}
	merge_open(&w);
	while (w.n_heap > 0 && o->report->violations < TRACE_VIOLATIONS_MAX) {
		size_t i = choose(&w);
		if (!cursor_next(&w, w.heap[i]))
			w.heap[i] = w.heap[--w.n_heap];
		if (i == 0)
			heap_down(w.heap, w.n_heap, 0);
		else /* one in the middle of a sorted list: put all right */
			for (size_t k = w.n_heap; k-- > 0;)
				heap_down(w.heap, w.n_heap, k);
	}
	generation_end(o);
	trace_samples_take(o);
	free(w.cursors);
	free(w.heap);
	free(w.order);
}

void trace_order_end(struct trace_order *o)
{
	trace_samples_end(o);
	for (size_t i = 0; i < o->n_gs; i++)
		if (o->gs[i].status != GO_NONE)
			trace_g_account(o, &o->gs[i], o->last);
	for (size_t i = 0; i < o->n_ps; i++)
		trace_p_account(&o->ps[i], o->last);
}

void trace_order_free(struct trace_order *o)
{
	for (size_t i = 0; i < o->n_gs; i++) {
		free(o->gs[i].regions);
		free(o->gs[i].buckets);
	}
	for (size_t i = 0; i < o->n_ms; i++)
		free(o->ms[i].line);
	free(o->gs);
	free(o->ps);
	free(o->ms);
	free(o->task_open);
	free(o->samples);
	free(o->names.list);
	free(o->names.slots);
	pairs_free(&o->g_ids);
	pairs_free(&o->p_ids);
	pairs_free(&o->m_ids);
	pairs_free(&o->tasks);
	*o = (struct trace_order){.n_gs = 0};
}

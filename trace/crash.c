/*
 * The trace of a program that has crashed: what the flight recorder has, the generation that has just ended, if the recorder does not have it
 * yet, then the one that runs, up to the last event of each hart.
 *
 *	recorder: oldest -> ... -> newest -> trace_ended -> trace_gen
 *
 * Everything is read as it lies there: the other harts have stopped, and the buffers of each hart end behind a whole event. Statuses that nobody
 * has claimed, because the walk over all goroutines had not come to them, are added. A hart that was stopped between the claim of a goroutine's
 * status and writing it, some ten instructions, leaves that status out.
 *
 * 1. A buffer that is in the generation's list is not written once more by whoever filled it: a hart may have been stopped between putting it
 *    there and letting go of it. Otherwise its events would come twice.
 * 2. Tables that were not all in the list when the program crashed are made anew, and the others left out. Otherwise a string or stack would
 *    come twice.
 * 3. Where a generation was dropped another file begins. Otherwise the trace would have a hole.
 */
#include "trace/impl.h"

#include "trace/recorder.h"

struct crash {
	struct sink *sink;
	const struct g *all;
	uint64_t number;
};

static bool take(void *ctx, const struct trace_buf *b)
{
	struct crash *c = ctx;
	return trace_batch_write(b, c->number, c->sink) == 0;
}

static bool listed(const struct trace_gen *t, const struct trace_buf *b)
{
	const struct trace_buf *in = t->first;
	while (in != NULL && in != b)
		in = in->next;
	return in != NULL;
}

/* A buffer that is still written to, up to `at`. */
static bool part(struct crash *c, const struct trace_gen *t, struct trace_buf *b, const uint8_t *at)
{
	if (b == NULL || at <= b->data || at > b->data + sizeof b->data || listed(t, b))
		return true;
	b->used = (uint32_t)(at - b->data);
	return take(c, b);
}

/* Those of the harts, of the walk over all goroutines, and of samples. */
static bool parts(struct crash *c, const struct trace_gen *t)
{
	bool ok = true;
	for (uint32_t i = 0; i < hart_count && ok && t == trace_gen; i++)
		ok = part(c, t, harts[i]->trace->buf, harts[i]->trace->at);
	if (ok && trace_walking != NULL && t == trace_gen)
		ok = part(c, t, trace_walking->buf, trace_walk_end(trace_walking));
#ifndef MUTANT_trace_part_samples
	for (struct trace_buf *b = t->samples; b != NULL && ok && !listed(t, b); b = b->next)
		ok = b->used <= 1 || take(c, b);
#endif
	return ok;
}

/* Goroutines to which the walk has not come are as they were when the generation began, but that one may just be about to say that it runs. */
static bool statuses(struct crash *c)
{
	static struct trace_buf b __attribute__((section(".noinit,\"aw\",@nobits#")));
	bool ok = true;
	b.m = TRACE_NO_THREAD;
	b.time = trace_time();
	b.used = 0;
	for (const struct g *g = c->all; g != NULL && ok; g = g->all_next) {
		uint8_t *at = b.data + b.used;
		if (!trace_status_open(g))
			continue;
		b.used = (uint32_t)(trace_status_write(at, 0, g->id, g_status(g)) - b.data);
		if (b.used + TRACE_EVENT_MAX > sizeof b.data) {
			ok = take(c, &b);
			b.used = 0;
		}
	}
	return ok && (b.used == 0 || take(c, &b));
}

/* Full buffers, those that are not full, tables. */
static bool gen_write(struct crash *c, const struct trace_gen *t)
{
	bool ok = true;
	if (t->whole)
		return trace_gen_write(t, c->number, c->sink) == 0;
	for (const struct trace_buf *b = t->first; b != NULL && ok; b = b->next) {
		ok = b->used == 0 || take(c, b);
		if (b == t->events_last)
			break;
	}
	if (ok && t == trace_gen && t != trace_ended)
		ok = statuses(c);
	return ok && parts(c, t) && trace_tables(t, trace_symbols_shared(), take, c);
}

static bool has_hole(const struct trace_gen *t)
{
	return atomic_load_explicit(&t->dropped, memory_order_relaxed);
}

static bool recorded(const struct trace_gen *t)
{
	const struct trace_gen *in = trace_recorder.first;
	while (in != NULL && in != t)
		in = in->newer;
	return in != NULL;
}

/* The one that runs, or NULL. */
static struct trace_gen *running(void)
{
	bool runs = __atomic_load_n(&watched.trace, __ATOMIC_RELAXED) && trace_gen != trace_ended;
	return runs && !has_hole(trace_gen) ? trace_gen : NULL;
}

/* The one after t that can be written, from the oldest on (NULL: before all). */
static struct trace_gen *next_of(const struct trace_gen *t)
{
	struct trace_gen *next = t == NULL ? trace_recorder.first : recorded(t) ? t->newer : NULL;
	if (next != NULL)
		return next;
	if (trace_ended != NULL && t != trace_ended && t != trace_gen && !has_hole(trace_ended) &&
	    !recorded(trace_ended))
		return trace_ended;
	return t != running() ? running() : NULL;
}

static bool joins(const struct trace_gen *t, const struct trace_gen *next)
{
	return t->number + 1 == next->number;
}

unsigned trace_crash_files(void)
{
	unsigned n = 0;
	const struct trace_gen *before = NULL;
	for (const struct trace_gen *t = next_of(NULL); t != NULL; before = t, t = next_of(t))
		n += before == NULL || !joins(before, t);
	return trace_symbols_shared() != NULL ? n : 0;
}

bool trace_crash_lacks(void)
{
	return __atomic_load_n(&watched.trace, __ATOMIC_RELAXED) && has_hole(trace_gen);
}

bool trace_crash_dump(struct sink *s, unsigned file, const struct g *all)
{
	struct crash c = {s, all, 0};
	const struct trace_gen *before = NULL;
	bool ok = trace_head_write(s) == 0;
	for (const struct trace_gen *t = next_of(NULL); t != NULL && ok; before = t, t = next_of(t)) {
		if (before != NULL && !joins(before, t) && file-- == 0)
			break;
		if (file > 0)
			continue;
		c.number++;
		ok = gen_write(&c, t);
	}
	return ok;
}

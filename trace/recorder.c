/*
 * The flight recorder: the newest generations, kept for whoever asks for them later, the report of a panic too.
 *
 *	oldest -> ... -> newest      generations that have ended, without a gap
 *
 * 1. The newest is never given away. Otherwise there could be a moment at which nothing is known.
 * 2. The oldest goes when what remains is old enough, or when all of them are too big. Otherwise memory would grow, or shrink below what was
 *    asked for.
 * 3. After a generation that was dropped the older ones go, when there is a newer one. Otherwise a snapshot would have a hole.
 */
#include "trace/recorder.h"

#include "kernel/assert.h"

struct trace_recorder trace_recorder;

static void oldest_drop(struct trace_recorder *r)
{
	struct trace_gen *t = r->first;
	r->first = t->newer;
	if (r->first == NULL)
		r->last = NULL;
	r->n--;
	r->bytes -= t->bytes;
	trace_gen_drop(t);
}

void trace_recorder_put(struct trace_recorder *r, struct trace_gen *t)
{
	if (atomic_load_explicit(&t->dropped, memory_order_relaxed)) {
		r->gap = true;
		return;
	}
	trace_gen_hold(t);
	t->newer = NULL;
	if (r->last != NULL)
		r->last->newer = t;
	else
		r->first = t;
	r->last = t;
	r->n++;
	r->bytes += t->bytes;
	while (r->n > 1 &&
	       (r->gap || r->bytes > r->max_bytes || t->end - r->first->newer->begin >= r->min_age))
		oldest_drop(r);
	r->gap = false;
}

void trace_recorder_empty(struct trace_recorder *r)
{
	while (r->first != NULL)
		oldest_drop(r);
	r->gap = false;
}

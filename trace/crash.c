/*
 * The trace of a program that has crashed: what the flight recorder has, then the generation that runs, up to the last event of each hart.
 *
 * Everything is read as it lies there: the other harts have stopped, and the buffers of each hart end behind a whole event. A hart that was
 * stopped between the claim of a goroutine's status and writing it, some ten instructions, leaves that status out.
 */
#include "trace/impl.h"

#include "trace/recorder.h"

struct crash {
	struct sink *sink;
	uint64_t number;
};

static bool take(void *ctx, const struct trace_buf *b)
{
	struct crash *c = ctx;
	return trace_batch_write(b, c->number, c->sink) == 0;
}

static bool part(struct crash *c, struct trace_buf *b, const uint8_t *at)
{
	if (b == NULL || at <= b->data || at > b->data + sizeof b->data)
		return true;
	b->used = (uint32_t)(at - b->data);
	return take(c, b);
}

/* The running one: full buffers, those of the harts, of the walk over all goroutines; then its tables. */
static bool running_write(struct crash *c, struct trace_gen *t)
{
	bool ok = trace_gen_write(t, c->number, c->sink) == 0;
	for (uint32_t i = 0; i < hart_count && ok; i++)
		ok = part(c, harts[i]->trace->buf, harts[i]->trace->at);
	if (ok && trace_walking != NULL)
		ok = part(c, trace_walking->buf, trace_walking->at);
	return ok && trace_tables(t, trace_symbols_shared(), take, c);
}

/* Whether the generation that runs can be written, and whether those that are kept can, before it. */
static bool parts(bool *kept)
{
	bool runs = __atomic_load_n(&watched.trace, __ATOMIC_RELAXED) &&
		    !atomic_load_explicit(&trace_gen->dropped, memory_order_relaxed);
	/* Between two generations, or without the last one: what would follow is not what came before. */
	*kept = trace_recorder.first != NULL &&
		(!runs || trace_recorder.last->number + 1 == trace_gen->number);
	return runs;
}

bool trace_crash_possible(void)
{
	bool kept;
	return (parts(&kept) || kept) && trace_symbols_shared() != NULL;
}

bool trace_crash_lacks(void)
{
	return __atomic_load_n(&watched.trace, __ATOMIC_RELAXED) &&
	       atomic_load_explicit(&trace_gen->dropped, memory_order_relaxed);
}

bool trace_crash_dump(struct sink *s)
{
	struct crash c = {s, 0};
	bool kept, runs = parts(&kept);
	if (!trace_crash_possible())
		return false;
	bool ok = trace_head_write(s) == 0;
	if (kept)
		for (struct trace_gen *t = trace_recorder.first; t != NULL && ok; t = t->newer)
			ok = trace_gen_write(t, ++c.number, s) == 0;
	c.number++;
	return ok && (!runs || running_write(&c, trace_gen));
}

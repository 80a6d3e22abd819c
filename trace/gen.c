/* Generations: beginning and ending one while the world is stopped, completing it, writing it out. The rules are in trace.h. */
#include "trace/impl.h"

#include <string.h>

#include "kernel/assert.h"
#include "kernel/heap.h"
#include "kernel/preempt.h"

enum {
	STACK_BUCKETS = 1 << 12,
	STRING_BUCKETS = 1 << 8,
	UNIT_HZ_MAX = 160000000, /* a unit is 6 ns or more: shorter ones would only make events longer */
};

union watched watched;
struct trace_gen *trace_gen, *trace_ending, *trace_ended;
static uint32_t last_number;
static struct trace_symbols *symbols; /* set once by the first trace */

struct trace_symbols *trace_symbols_shared(void)
{
	return symbols;
}

static bool prepare(void)
{
	if (symbols == NULL) {
		while (arch_ticks_hz() >> trace_shift > UNIT_HZ_MAX)
			trace_shift++;
		symbols = heap_alloc(trace_symbols_size);
	}
	bool ok = symbols != NULL;
	for (uint32_t i = 0; i < hart_count && ok; i++) {
		if (harts[i]->trace == NULL)
			harts[i]->trace = heap_alloc_zero(sizeof *harts[i]->trace);
		ok = harts[i]->trace != NULL;
	}
	return ok;
}

struct trace_gen *trace_gen_make(void)
{
	struct trace_gen *t = prepare() ? heap_alloc_zero(sizeof *t) : NULL;
	if (t == NULL)
		return NULL;
	if (!trace_map_init(&t->strings, STRING_BUCKETS) || !trace_map_init(&t->stacks, STACK_BUCKETS)) {
		trace_gen_hold(t);
		trace_gen_drop(t);
		return NULL;
	}
	trace_gen_hold(t);
	return t;
}

void trace_gen_hold(struct trace_gen *t)
{
	atomic_fetch_add_explicit(&t->refs, 1, memory_order_relaxed);
}

void trace_gen_drop(struct trace_gen *t)
{
	/* pairs with itself: what others did with it comes before it is freed */
	if (atomic_fetch_sub_explicit(&t->refs, 1, memory_order_acq_rel) != 1)
		return;
	struct trace_buf *next;
	for (struct trace_buf *b = t->first; b != NULL; b = next) {
		next = b->next;
		trace_block_give(b);
	}
	if (t->strings.buckets != NULL)
		trace_map_free(&t->strings);
	if (t->stacks.buckets != NULL)
		trace_map_free(&t->stacks);
	heap_free(t);
}

void trace_gen_begin(struct trace_gen *to, uint64_t idle)
{
	ASSERT(g_self()->preempt_off > 0, "a generation begins while the world is stopped");
	struct trace_gen *old = trace_ending; /* ended just now, in this stop */
	to->number = ++last_number;
	to->begin = old != NULL ? old->end : arch_ticks();
	to->since = old != NULL ? old->since : to->begin;
	trace_memory_begin();
	trace_gen = to;
	for (uint32_t i = 0; i < hart_count; i++) {
		struct trace_hart *t = harts[i]->trace;
		trace_buf_begin(t, harts[i]->index);
		memset(t->stacks, 0, sizeof t->stacks);
		trace_hart_begin(harts[i], t, (idle >> i & 1) != 0 || !atomic_load(&harts[i]->online));
	}
	trace_self_begin(g_self());
	trace_heap_watch(true);
	/* relaxed: seen by everybody who comes back from the stop */
	__atomic_store_n(&watched.trace, true, __ATOMIC_RELAXED);
}

struct trace_gen *trace_gen_end(void)
{
	struct trace_gen *t = trace_gen;
	ASSERT(g_self()->preempt_off > 0, "a generation ends while the world is stopped");
	trace_order_check();
#ifndef MUTANT_trace_unkept
	trace_ended = t; /* first: a panic finds it, whatever comes of the rest */
#endif
	__atomic_store_n(&watched.trace, false, __ATOMIC_RELAXED);
	trace_heap_watch(false);
	for (uint32_t i = 0; i < hart_count; i++) {
		ASSERT(harts[i]->left == NULL, "nobody stops between an event and its transition");
		trace_buf_end(harts[i]->trace, t);
	}
	t->end = arch_ticks();
	trace_ending = t;
	return t;
}

bool trace_gen_finish(struct trace_gen *t)
{
	trace_ending = NULL;
	trace_cpu_end(t);
	t->events_last = t->last;
	if (!atomic_load_explicit(&t->dropped, memory_order_relaxed) &&
	    !trace_tables(t, symbols, trace_buf_copy, t))
		trace_gen_hole(t);
	t->whole = !atomic_load_explicit(&t->dropped, memory_order_relaxed);
	trace_map_free(&t->strings);
	trace_map_free(&t->stacks);
	return !atomic_load_explicit(&t->dropped, memory_order_relaxed);
}

void trace_gen_kept(void)
{
	trace_ended = NULL;
}

int trace_head_write(struct sink *s)
{
	return sink_write(s, "go 1.22 trace\0\0", 16);
}

int trace_batch_write(const struct trace_buf *b, uint64_t number, struct sink *s)
{
	uint8_t head[64], *at = head;
	*at++ = TRACE_BATCH;
	at = trace_varint(at, number);
	at = trace_varint(at, b->m);
	at = trace_varint(at, b->time);
	at = trace_varint(at, b->used);
	int error = sink_write(s, head, (size_t)(at - head));
	return error != 0 ? error : sink_write(s, b->data, b->used);
}

int trace_gen_write(const struct trace_gen *t, uint64_t number, struct sink *s)
{
	int error = 0;
	for (const struct trace_buf *b = t->first; b != NULL && error == 0; b = b->next)
		if (b->used > 0)
			error = trace_batch_write(b, number, s);
	return error;
}

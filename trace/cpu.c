/*
 * Samples of the CPU profile in the trace, with the time at which each was taken. They come late, when a ring is drained: so a generation is
 * finished only after the rings were drained once more (prof/trace_out.c), and a sample goes to the one that ran at its time.
 *
 *	  generation 1         generation 2
 *	begin ......... end = begin ......... end       every time between the first and the last belongs to one
 *
 * 1. One generation ends at the very tick at which the next begins. Otherwise a sample of who changes them would belong to none.
 * 2. A sample whose generation was finished before its ring could be read goes to the next one: a hart was in the middle of taking it, and an
 *    emulator's host may let a hart stand for long anywhere. Otherwise it would be lost in silence.
 */
#include "trace/impl.h"

static struct trace_gen *gen_at(uint64_t at)
{
	struct trace_gen *now = trace_active() ? trace_gen : NULL, *before = trace_ending;
	if (now != NULL && at >= now->begin)
		return now;
	if (before != NULL)
		return at >= before->since && at < before->end ? before : NULL;
#ifdef MUTANT_trace_sample_late
	return NULL;
#endif
	return now != NULL && at >= now->since ? now : NULL;
}

void trace_cpu_sample(const struct trace_cpu *c)
{
	struct trace_gen *t = gen_at(c->at);
	uint64_t words[TRACE_DEPTH_MAX], hash = 0;
	uint32_t n = c->depth < TRACE_DEPTH_MAX ? c->depth : TRACE_DEPTH_MAX;
	if (t == NULL || atomic_load_explicit(&t->dropped, memory_order_relaxed))
		return;
	for (uint32_t i = 0; i < n; i++) {
		const char *text = c->text(c->pcs[i]);
		words[i] = text != NULL ? TRACE_TEXT | (uintptr_t)text : c->pcs[i] + (i == 0);
		hash = trace_hash_step(hash, words[i]);
	}
	const struct trace_entry *e = trace_map_put(&t->stacks, words, n * 8, hash);
	if (t->samples != NULL && t->samples->used + 64 > sizeof t->samples->data)
		trace_cpu_end(t);
	if (t->samples == NULL) {
		t->samples = trace_buf_take(TRACE_NO_THREAD);
		if (t->samples == NULL) {
			atomic_store_explicit(&t->dropped, true, memory_order_relaxed);
			return;
		}
		t->samples->time = t->begin >> trace_shift;
		t->samples->data[0] = TRACE_CPU_SAMPLES;
		t->samples->used = 1;
	}
	uint8_t *at = t->samples->data + t->samples->used;
	*at++ = TRACE_CPU_SAMPLE;
	at = trace_varint(at, c->at >> trace_shift);
	at = trace_varint(at, (uint64_t)c->hart + 1);
	at = trace_varint(at, c->hart);
	at = trace_varint(at, c->g);
	at = trace_varint(at, e != NULL ? e->id : 0);
	t->samples->used = (uint32_t)(at - t->samples->data);
}

void trace_cpu_close(void)
{
	trace_ending = NULL;
}

void trace_cpu_end(struct trace_gen *t)
{
	if (t->samples != NULL)
		trace_buf_append(t, t->samples);
	t->samples = NULL;
}

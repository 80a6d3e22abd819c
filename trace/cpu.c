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
 * 3. In a panic what the rings still have is put in without a lock, for nobody else runs, and into memory that is kept for that. A hart that was
 *    stopped while it held the lock has not used what it was about to put there. Otherwise the last samples before the crash would be missing.
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

/* The words of its stack in the table. */
static uint32_t words_of(const struct trace_cpu *c, uint64_t words[TRACE_DEPTH_MAX], uint64_t *hash)
{
	uint32_t n = c->depth < TRACE_DEPTH_MAX ? c->depth : TRACE_DEPTH_MAX;
	*hash = 0;
	for (uint32_t i = 0; i < n; i++) {
		const char *text = c->text(c->pcs[i]);
		words[i] = text != NULL ? TRACE_TEXT | (uintptr_t)text : c->pcs[i] + (i == 0);
		*hash = trace_hash_step(*hash, words[i]);
	}
	return n;
}

static bool batch_has_room(const struct trace_buf *b)
{
	return b != NULL && b->used + 64 <= sizeof b->data;
}

static void batch_begin(struct trace_buf *b, const struct trace_gen *t)
{
	b->time = t->begin >> trace_shift;
	b->data[0] = TRACE_CPU_SAMPLES;
	b->used = 1;
}

static void batch_add(struct trace_buf *b, const struct trace_cpu *c, uint32_t stack)
{
	uint8_t *at = b->data + b->used;
	*at++ = TRACE_CPU_SAMPLE;
	at = trace_varint(at, c->at >> trace_shift);
	at = trace_varint(at, (uint64_t)c->hart + 1);
	at = trace_varint(at, c->hart);
	at = trace_varint(at, c->g);
	at = trace_varint(at, stack);
	b->used = (uint32_t)(at - b->data); /* at once, for a panic */
}

void trace_cpu_sample(const struct trace_cpu *c)
{
	struct trace_gen *t = gen_at(c->at);
	uint64_t words[TRACE_DEPTH_MAX], hash;
	if (t == NULL || atomic_load_explicit(&t->dropped, memory_order_relaxed))
		return;
	uint32_t n = words_of(c, words, &hash);
	const struct trace_entry *e = trace_map_put(&t->stacks, words, n * 8, hash);
	if (t->samples != NULL && !batch_has_room(t->samples))
		trace_cpu_end(t);
	if (t->samples == NULL && e != NULL) {
		t->samples = trace_buf_take(TRACE_NO_THREAD);
		if (t->samples != NULL)
			batch_begin(t->samples, t);
	}
	if (e == NULL || t->samples == NULL)
		trace_gen_hole(t);
	else
		batch_add(t->samples, c, e->id);
}

/* ---- in a panic ---- */

static struct trace_buf reserve[3] __attribute__((section(".noinit,\"aw\",@nobits#")));
static uint32_t reserve_used, crash_lost;

static void *reserve_take(void)
{
	return reserve_used < sizeof reserve / sizeof reserve[0] ? &reserve[reserve_used++] : NULL;
}

static const struct trace_entry *crash_put(struct trace_map *m, const struct trace_cpu *c)
{
	uint64_t words[TRACE_DEPTH_MAX], hash;
	uint32_t n = words_of(c, words, &hash);
	const struct trace_entry *e = trace_map_find(m, words, n * 8, hash);
	if (e != NULL)
		return e;
	if (!trace_map_has_room(m, n * 8)) {
		void *block = reserve_take();
		if (block == NULL)
			return NULL;
		trace_map_extend_locked(m, block);
	}
	return trace_map_put_locked(m, words, n * 8, hash);
}

void trace_cpu_sample_crash(const struct trace_cpu *c)
{
	struct trace_gen *t = gen_at(c->at);
	if (t == NULL || atomic_load_explicit(&t->dropped, memory_order_relaxed))
		return;
	const struct trace_entry *e = crash_put(&t->stacks, c);
	if (e != NULL && !batch_has_room(t->samples)) {
		struct trace_buf *b = reserve_take();
		if (b != NULL) {
			b->next = t->samples; /* crash.c writes both */
			b->m = TRACE_NO_THREAD;
			batch_begin(b, t);
			t->samples = b;
		}
	}
	if (e != NULL && batch_has_room(t->samples))
		batch_add(t->samples, c, e->id);
	else
		crash_lost++;
}

uint32_t trace_cpu_crash_lost(void)
{
	return crash_lost;
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

/*
 * Sample ring (see sample_ring.h).
 *
 * 1. The words of a record are written before tail moves over them. Otherwise the reader sees half a sample.
 * 2. A record is read before head moves over it. Otherwise the writer may overwrite what is being read.
 */
#include "trace/sample_ring.h"

#define WORD(r, i) ((r)->words[(i) % SAMPLE_RING_WORDS])

bool sample_ring_put_irq(struct sample_ring *r, const struct sample *s)
{
	uint64_t t = atomic_load_explicit(&r->tail, memory_order_relaxed);
	/* pairs with the release in sample_ring_pop() */
	uint64_t used = t - atomic_load_explicit(&r->head, memory_order_acquire);
	uint64_t need = SAMPLE_HEADER_WORDS + s->depth;
	if (need > SAMPLE_RING_WORDS - used)
		return false;
	uint64_t *to = &WORD(r, t), *end = r->words + SAMPLE_RING_WORDS;
	const uintptr_t *p = s->pcs, *last = p + s->depth;
	uint64_t head = (uint64_t)s->labels << 32 | (uint64_t)(s->count & 0xffffff) << 8 | s->depth;
	uint64_t who = (uint64_t)s->flags << 56 | (s->g & SAMPLE_G_MAX);
	if (need <= (size_t)(end - to)) {
		to[0] = head;
		to[1] = s->ticks;
		to[2] = who;
		to[3] = s->at;
		to += SAMPLE_HEADER_WORDS;
		for (; last - p >= 2; p += 2, to += 2) {
			to[0] = p[0];
			to[1] = p[1];
		}
		if (p < last)
			*to = *p;
	} else { /* around the end */
		WORD(r, t) = head;
		WORD(r, t + 1) = s->ticks;
		WORD(r, t + 2) = who;
		WORD(r, t + 3) = s->at;
		for (t += SAMPLE_HEADER_WORDS; p < last; p++, t++)
			WORD(r, t) = *p;
		t -= need;
	}
	/* pairs with the acquire in sample_ring_peek() */
	atomic_store_explicit(&r->tail, t + need, memory_order_release);
	return true;
}

const uintptr_t *sample_ring_peek(struct sample_ring *r, struct sample *s)
{
	uint64_t h = atomic_load_explicit(&r->head, memory_order_relaxed);
	/* pairs with the release in sample_ring_put_irq() */
	if (h == atomic_load_explicit(&r->tail, memory_order_acquire))
		return NULL;
	uint64_t head = WORD(r, h);
	s->depth = (uint32_t)(head & 0xff);
	s->count = (uint32_t)(head >> 8 & 0xffffff);
	s->labels = (uint32_t)(head >> 32);
	s->ticks = WORD(r, h + 1);
	s->g = WORD(r, h + 2) & SAMPLE_G_MAX;
	s->flags = (uint8_t)(WORD(r, h + 2) >> 56);
	s->at = WORD(r, h + 3);
	const uint64_t *from = &WORD(r, h + SAMPLE_HEADER_WORDS), *end = r->words + SAMPLE_RING_WORDS;
	if (s->depth <= (size_t)(end - from))
		return (const uintptr_t *)from;
	uintptr_t *p = s->pcs, *last = p + s->depth; /* around the end */
	while (from < end)
		*p++ = (uintptr_t)*from++;
	for (from = r->words; p < last; p++, from++)
		*p = (uintptr_t)*from;
	return s->pcs;
}

void sample_ring_pop(struct sample_ring *r, uint32_t depth)
{
	uint64_t h = atomic_load_explicit(&r->head, memory_order_relaxed);
	/* pairs with the acquire in sample_ring_put_irq() */
	atomic_store_explicit(&r->head, h + SAMPLE_HEADER_WORDS + depth, memory_order_release);
}

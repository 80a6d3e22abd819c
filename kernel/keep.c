/*
 * Chunks of whole lines in the order in which they were filled, of all streams, in a ring of pointers:
 *
 *	ring:  | (freed) | first ... oldest chunk, next, ... | last |        positions count up for good, slot = position % slots
 *
 * 1. A chunk that is in the ring does not change. Otherwise a line that is sent again would differ from what it was.
 * 2. It is taken out, and freed, under the lock only; who reads a line copies it under the lock. Otherwise it would read what is gone.
 */
#include "kernel/keep.h"

#include <string.h>

#include "kernel/crc32.h"
#include "kernel/heap.h"
#include "kernel/lock.h"

enum { LINES = 64, CHUNK = LINES * FRAME_DATA_MAX };

struct keep_chunk {
	uint32_t number, line; /* of its first line */
	uint32_t n;            /* bytes */
	uint8_t bytes[CHUNK];
};

static struct spinlock keep_lock = SPINLOCK_INIT(RANK_KEEP); /* protects all below but what never changes */
static struct keep_chunk **ring;                             /* NULL: off */
static uint64_t slots;
static uint64_t first, last;        /* positions: oldest, and behind the newest */
static uint64_t hint;               /* where the last line was found */
static struct keep_stream *streams; /* by number % KEEP_STREAMS */

bool keep_start(size_t bytes)
{
	slots = bytes / CHUNK + 1;
	streams = heap_alloc_zero(KEEP_STREAMS * sizeof *streams);
	struct keep_chunk **r = heap_alloc_zero(slots * sizeof *ring);
	if (streams == NULL || r == NULL) {
		heap_free(streams);
		heap_free(r);
		return false;
	}
	spin_lock(&keep_lock);
	ring = r;
	spin_unlock(&keep_lock);
	return true;
}

static struct keep_stream *stream_locked(uint32_t number)
{
	struct keep_stream *s = &streams[number % KEEP_STREAMS];
	return s->known && s->number == number ? s : NULL;
}

void keep_begin(struct keep_writer *w, uint32_t number, const char *name)
{
	*w = (struct keep_writer){.number = number, .on = ring != NULL};
	if (!w->on)
		return;
	spin_lock(&keep_lock);
	struct keep_stream *s = &streams[number % KEEP_STREAMS];
	*s = (struct keep_stream){.number = number, .known = true};
	memcpy(s->name, name, strlen(name));
	spin_unlock(&keep_lock);
}

/* The writer's chunk is full, or the last. */
static void chunk_put(struct keep_writer *w)
{
	spin_lock(&keep_lock);
	struct keep_chunk **at = &ring[last % slots], *old = *at;
	*at = w->chunk;
	last++;
	if (last - first > slots)
		first = last - slots;
	struct keep_stream *s = stream_locked(w->number);
	if (s != NULL)
		s->bytes = w->bytes;
	spin_unlock(&keep_lock);
	heap_free(old);
	w->chunk = NULL;
}

void keep_write(struct keep_writer *w, const void *data, size_t size)
{
	if (!w->on)
		return;
	w->crc = crc32_update(w->crc, data, size);
	for (const uint8_t *p = data; size > 0;) {
		uint32_t at = (uint32_t)(w->bytes % CHUNK);
		size_t n = CHUNK - at < size ? CHUNK - at : size;
		if (at == 0 && (w->chunk = heap_alloc(sizeof *w->chunk)) != NULL)
			*w->chunk = (struct keep_chunk){.number = w->number,
							.line = (uint32_t)(w->bytes / FRAME_DATA_MAX)};
		if (w->chunk != NULL) {
			memcpy(w->chunk->bytes + at, p, n);
			w->chunk->n = at + (uint32_t)n;
		}
		w->bytes += n;
		p += n;
		size -= n;
		if (w->chunk != NULL && w->chunk->n == CHUNK)
			chunk_put(w);
	}
}

void keep_end(struct keep_writer *w)
{
	if (!w->on)
		return;
	if (w->chunk != NULL)
		chunk_put(w);
	spin_lock(&keep_lock);
	struct keep_stream *s = stream_locked(w->number);
	if (s != NULL) {
		s->ended = true;
		s->bytes = w->bytes;
		s->lines = (uint32_t)((w->bytes + FRAME_DATA_MAX - 1) / FRAME_DATA_MAX);
		s->crc = w->crc;
	}
	spin_unlock(&keep_lock);
}

bool keep_stream(uint32_t number, struct keep_stream *to)
{
	if (ring == NULL)
		return false;
	spin_lock(&keep_lock);
	const struct keep_stream *s = stream_locked(number);
	if (s != NULL)
		*to = *s;
	spin_unlock(&keep_lock);
	return s != NULL;
}

static size_t line_of(const struct keep_chunk *c, uint32_t number, uint32_t line, uint8_t *data)
{
	if (c == NULL || c->number != number || line < c->line || line - c->line >= LINES)
		return 0;
	size_t at = (size_t)(line - c->line) * FRAME_DATA_MAX;
	if (at >= c->n)
		return 0;
	size_t n = c->n - at < FRAME_DATA_MAX ? c->n - at : FRAME_DATA_MAX;
	memcpy(data, c->bytes + at, n);
	return n;
}

size_t keep_line(uint32_t number, uint32_t line, uint8_t *data)
{
	size_t n = 0;
	if (ring == NULL)
		return 0;
	spin_lock(&keep_lock);
	if (hint < first || hint >= last)
		hint = first;
	/* A line that follows the last one stands there or in a later chunk. */
	for (uint64_t i = 0; i < last - first && n == 0; i++) {
		n = line_of(ring[hint % slots], number, line, data);
		if (n == 0 && ++hint == last)
			hint = first;
	}
	spin_unlock(&keep_lock);
	return n;
}

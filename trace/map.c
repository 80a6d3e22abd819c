/*
 * Tables of a generation (see map.h): a hash table whose entries are only ever added, each published by one store when it is complete. Entries
 * lie in chunks that are buffers of the trace.
 *
 * 1. Entries are added under the trace lock, after another look. Otherwise the same bytes could have two ids.
 */
#include "trace/impl.h"

#include <string.h>

#include "kernel/assert.h"
#include "kernel/heap.h"

struct trace_chunk {
	struct trace_chunk *next;
	uint32_t used;
};

bool trace_map_init(struct trace_map *m, uint32_t buckets)
{
	ASSERT((buckets & (buckets - 1)) == 0, "a table has a power of 2 of buckets");
	memset(m, 0, sizeof *m);
	m->buckets = heap_alloc_zero(buckets * sizeof m->buckets[0]);
	m->mask = buckets - 1;
	return m->buckets != NULL;
}

void trace_map_free(struct trace_map *m)
{
	struct trace_chunk *next;
	for (struct trace_chunk *c = m->chunks; c != NULL; c = next) {
		next = c->next;
		trace_block_give(c);
	}
	heap_free(m->buckets);
	memset(m, 0, sizeof *m);
}

static uint32_t entry_size(uint32_t size)
{
	return (uint32_t)sizeof(struct trace_entry) + size + 8;
}

bool trace_map_has_room(const struct trace_map *m, uint32_t size)
{
	return m->chunks != NULL && m->chunks->used + entry_size(size) <= TRACE_BUF_SIZE;
}

void trace_map_extend_locked(struct trace_map *m, void *block)
{
	struct trace_chunk *c = block;
	c->next = m->chunks;
	c->used = sizeof *c;
	m->chunks = c;
}

static struct trace_entry *entry_place_locked(struct trace_map *m, uint32_t size)
{
	uint32_t need = entry_size(size);
	if (!trace_map_has_room(m, size)) {
		void *block = trace_block_take_locked();
		if (block == NULL)
			return NULL;
		trace_map_extend_locked(m, block);
	}
	struct trace_chunk *c = m->chunks;
	struct trace_entry *e = (struct trace_entry *)((char *)c + c->used);
	c->used += need;
	return e;
}

const struct trace_entry *trace_map_put_locked(struct trace_map *m, const uint64_t *data, uint32_t size,
					       uint64_t hash)
{
	const struct trace_entry *found = trace_map_find(m, data, size, hash);
	ASSERT(size % 8 == 0, "what a table of the trace holds is made of words");
	if (found != NULL)
		return found;
	struct trace_entry *e = entry_place_locked(m, size);
	if (e == NULL)
		return NULL;
	_Atomic(struct trace_entry *) *bucket = &m->buckets[(hash >> 40) & m->mask];
	e->chain = atomic_load_explicit(bucket, memory_order_relaxed);
	e->next = NULL;
	e->id = ++m->n;
	e->size = size;
	e->hash = hash;
	memcpy(e->data, data, size);
	memset(e->data + size, 0, 8);
	*(m->last != NULL ? &m->last->next : &m->first) = e;
	m->last = e;
	/* pairs with the acquire in trace_map_find() */
	atomic_store_explicit(bucket, e, memory_order_release);
	return e;
}

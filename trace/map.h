/*
 * Tables of a generation: bytes to ids, each id once. Looking up takes no lock; putting is done under the trace lock (Go's traceMap).
 */
#ifndef TRACE_MAP_H
#define TRACE_MAP_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

struct trace_entry {
	struct trace_entry *chain; /* immutable once the entry is in the table */
	struct trace_entry *next;  /* the one made after this one; NULL: the last */
	uint32_t id, size;
	uint64_t hash;
	uint8_t data[] __attribute__((aligned(8))); /* and a word of zeros */
};

struct trace_map {
	_Atomic(struct trace_entry *) *buckets; /* immutable */
	uint32_t mask;
	/* guarded by the trace lock */
	uint32_t n;
	struct trace_entry *first, *last;
	struct trace_chunk *chunks;
};

static inline uint64_t trace_hash_step(uint64_t h, uint64_t word)
{
	return (h ^ word) * 0x9e3779b97f4a7c15u;
}

/* Looks the bytes up; NULL: they are not there. size is a multiple of 8, data aligned to 8. Any context but interrupts. */
static inline const struct trace_entry *trace_map_find(const struct trace_map *m, const uint64_t *data,
						       uint32_t size, uint64_t hash)
{
	/* pairs with the release in trace_map_put_locked() */
	const struct trace_entry *e =
		atomic_load_explicit(&m->buckets[(hash >> 40) & m->mask], memory_order_acquire);
	for (; e != NULL; e = e->chain) {
		if (e->hash != hash || e->size != size)
			continue;
		const uint64_t *at = (const uint64_t *)e->data, *end = (const uint64_t *)(e->data + size);
		const uint64_t *d = data;
		while (at < end && *at == *d)
			at++, d++;
		if (at == end)
			return e;
	}
	return NULL;
}

#endif

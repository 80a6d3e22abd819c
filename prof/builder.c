/*
 * Owns the aggregation of samples: a chained hash table over records that are cut from chunks.
 *
 *	buckets: [ . ][ o ][ . ][ o ]        chunk: [ link | record pcs... | record pcs... | free ]
 *	                |         '-> record
 *	                '-> record -> record      and all records in a list in order of arrival
 *
 * 1. What was added is what comes out: the sums over all records, [lost] included, equal the builder's own
 *sums; otherwise a profile would lose time silently. builder_add adds to exactly one record on each of its
 *paths.
 * 2. Two samples share a record only if labels, kind and every pc are equal; the hash only finds candidates.
 *Otherwise a collision would put time on the wrong stack.
 * 3. The [lost] record is part of the builder; otherwise running out of memory would need memory to be
 *reported.
 * 4. Records are handed out in order of first arrival; otherwise two encodings of the same samples would
 *differ.
 */
#include "prof/builder.h"

#include <string.h>

#include "kernel/assert.h"
#include "prof/intern.h"

enum { CHUNK_SIZE = 32 << 10, BUCKETS_FIRST = 256 };

struct builder_chunk {
	struct builder_chunk *next;
	uintptr_t space[];
};

enum { CHUNK_SPACE = CHUNK_SIZE - sizeof(struct builder_chunk) };

static const uintptr_t lost_pcs[] = {PROF_FRAME_LOST};

_Static_assert(sizeof(struct prof_record) % sizeof(uintptr_t) == 0, "pcs follow their record aligned");
_Static_assert(sizeof(struct prof_record) + (PROF_DEPTH_MAX + 1) * sizeof(uintptr_t) <= CHUNK_SPACE,
	       "the largest record fits a chunk");
_Static_assert(BUILDER_LIMIT_MIN >= CHUNK_SIZE + BUCKETS_FIRST * sizeof(void *),
	       "the least limit holds something");

const char *prof_frame_name(uintptr_t pc)
{
	static const char *const names[] = {
		[PROF_FRAME_UNKNOWN] = "[unknown]", [PROF_FRAME_SWITCH] = "[switch]",
		[PROF_FRAME_IRQ_OFF] = "[irq-off]", [PROF_FRAME_SYSTEM] = "[system]",
		[PROF_FRAME_LOST] = "[lost]",       [PROF_FRAME_TRUNCATED] = "[truncated]",
		[PROF_FRAME_IDLE] = "[idle]",
	};
	return names[pc < sizeof names / sizeof names[0] ? pc : PROF_FRAME_UNKNOWN];
}

void builder_init(struct builder *b, const struct mem_ops *mem, size_t limit)
{
	*b = (struct builder){.mem = mem, .limit = limit};
	b->lost.depth = 1;
	b->lost.pcs = lost_pcs;
}

static void *builder_alloc(struct builder *b, size_t size)
{
	if (size > b->limit - b->allocated)
		return NULL;
	void *p = mem_alloc(b->mem, size);
	if (p != NULL)
		b->allocated += size;
	return p;
}

/* Doubles the buckets. Without memory for it the chains get longer, and nothing is lost. */
static bool buckets_grow(struct builder *b)
{
	size_t n = b->n_buckets ? b->n_buckets * 2 : BUCKETS_FIRST;
	b->grow_at = n;
	struct prof_record **buckets = builder_alloc(b, n * sizeof *buckets);
	if (buckets == NULL)
		return b->n_buckets > 0;
	memset(buckets, 0, n * sizeof *buckets);
	for (struct prof_record *r = b->first; r != NULL; r = r->next) {
		r->chain = buckets[r->hash & (n - 1)];
		buckets[r->hash & (n - 1)] = r;
	}
	mem_free(b->mem, b->buckets);
	b->allocated -= b->n_buckets * sizeof *buckets;
	b->buckets = buckets;
	b->n_buckets = n;
	return true;
}

/* A record with room for depth pcs right behind it, not yet linked; NULL without memory. */
static struct prof_record *record_alloc(struct builder *b, uint32_t depth)
{
	size_t size = sizeof(struct prof_record) + depth * sizeof(uintptr_t);
	if (b->chunks == NULL || CHUNK_SPACE - b->chunk_used < size) {
		struct builder_chunk *c = builder_alloc(b, CHUNK_SIZE);
		if (c == NULL)
			return NULL;
		c->next = b->chunks;
		b->chunks = c;
		b->chunk_used = 0;
	}
	struct prof_record *r = (struct prof_record *)((char *)b->chunks->space + b->chunk_used);
	b->chunk_used += size;
	return r;
}

/* The pcs of a stack that come from its sample: all, or those in front of the [truncated] that ends a cut
 * one. */
static uint32_t depth_given(uint32_t depth)
{
	return depth > PROF_DEPTH_MAX ? PROF_DEPTH_MAX : depth;
}

/* One step for each pc, four at a time; the upper half of what it returns depends on all of them. */
static uint64_t stack_hash(uint64_t h, const uintptr_t *p, uint32_t n)
{
	const uintptr_t *end = p + n;
	for (; end - p >= 4; p += 4) {
		h = (h ^ p[0]) * HASH_FACTOR;
		h = (h ^ p[1]) * HASH_FACTOR;
		h = (h ^ p[2]) * HASH_FACTOR;
		h = (h ^ p[3]) * HASH_FACTOR;
	}
	for (; p < end; p++)
		h = (h ^ *p) * HASH_FACTOR;
	return h ^ h >> 32;
}

static bool stacks_equal(const uintptr_t *a, const uintptr_t *b, uint32_t n)
{
	const uintptr_t *end = a + n;
	for (; end - a >= 4; a += 4, b += 4)
		if (a[0] != b[0] || a[1] != b[1] || a[2] != b[2] || a[3] != b[3])
			return false;
	for (; a < end; a++, b++)
		if (*a != *b)
			return false;
	return true;
}

static void values_add(uint64_t *to, const uint64_t *values)
{
#pragma GCC unroll 8
	for (unsigned i = 0; i < PROF_VALUES_MAX; i++)
		to[i] += values[i];
}

static void record_count(struct prof_record *r, const struct prof_sample *s)
{
	values_add(r->values, s->values);
	r->times += r->times < UINT32_MAX;
}

/* The first of its stack. Not inline: most samples have a record already. */
__attribute__((noinline)) static struct prof_record *record_new(struct builder *b,
								const struct prof_sample *s, uint64_t hash,
								uint32_t given, uint32_t depth)
{
	struct prof_record *r = NULL;
	if ((b->n_buckets > 0 && b->n_records < b->grow_at) || buckets_grow(b))
		r = record_alloc(b, depth);
	if (r == NULL) {
		record_count(&b->lost, s);
		return NULL;
	}
	uintptr_t *pcs = (uintptr_t *)(r + 1);
	if (given > 0)
		memcpy(pcs, s->pcs, given * sizeof *pcs);
	if (depth > given)
		pcs[given] = PROF_FRAME_TRUNCATED;
	*r = (struct prof_record){
		.depth = depth, .labels = s->labels, .kind = s->kind, .pcs = pcs, .hash = hash};
	record_count(r, s);
	r->chain = b->buckets[hash & (b->n_buckets - 1)];
	b->buckets[hash & (b->n_buckets - 1)] = r;
	if (b->last != NULL)
		b->last->next = r;
	else
		b->first = r;
	b->last = r;
	b->n_records++;
	return r;
}

struct prof_record *builder_put(struct builder *b, const struct prof_sample *s)
{
	ASSERT(s->depth == 0 || s->pcs != NULL, "a sample with a depth has pcs");
	uint32_t given = depth_given(s->depth), depth = given < s->depth ? PROF_DEPTH_MAX + 1 : given;
	uint64_t hash = stack_hash(hash_word(depth, (uint64_t)s->kind << 32 | s->labels), s->pcs, given);

	values_add(b->values, s->values);
	if (b->n_buckets > 0) {
		struct prof_record *r = b->buckets[hash & (b->n_buckets - 1)];
		for (; r != NULL; r = r->chain) {
			if (r->hash == hash && r->labels == s->labels && r->kind == s->kind &&
			    r->depth == depth && stacks_equal(r->pcs, s->pcs, given)) {
				record_count(r, s);
				return r;
			}
		}
	}
	return record_new(b, s, hash, given, depth);
}

struct prof_sample builder_sample(const struct prof_record *r, bool less)
{
	struct prof_sample s = {.depth = r->depth, .pcs = r->pcs, .labels = r->labels, .kind = r->kind};
	for (unsigned i = 0; i < PROF_VALUES_MAX; i++)
		s.values[i] = less ? 0 - r->values[i] : r->values[i];
	return s;
}

void builder_add_lost(struct builder *b, const struct prof_sample *s)
{
	values_add(b->values, s->values);
	record_count(&b->lost, s);
}

static const struct prof_record *record_lost(const struct builder *b)
{
	for (unsigned i = 0; i < PROF_VALUES_MAX; i++)
		if (b->lost.values[i] != 0)
			return &b->lost;
	return NULL;
}

const struct prof_record *builder_first(const struct builder *b)
{
	return b->first != NULL ? b->first : record_lost(b);
}

const struct prof_record *builder_next(const struct builder *b, const struct prof_record *r)
{
	if (r == &b->lost)
		return NULL;
	return r->next != NULL ? r->next : record_lost(b);
}

void builder_free(struct builder *b)
{
	mem_free(b->mem, b->buckets);
	while (b->chunks != NULL) {
		struct builder_chunk *c = b->chunks;
		b->chunks = c->next;
		mem_free(b->mem, c);
	}
	builder_init(b, b->mem, b->limit);
}

/*
 * Owns the interning table: a vector of entries in order of arrival, and an open hash over it with linear
 *probing.
 *
 *	slots:   [ 0 | 3 | 0 | 1 | 2 | 0 | 0 | 0 ]      entry number + 1
 *	               |       |   |
 *	entries: [ 0 ][ 1 ][ 2 ] <-'                    each begins with its 64-bit hash
 *
 * 1. At most half of the slots are used; otherwise a probe for an absent entry might never end.
 * 2. Both vectors are grown before anything is changed; otherwise a failed allocation would leave an entry
 *that no slot finds.
 */
#include "prof/intern.h"

#include <errno.h>
#include <string.h>

#include "kernel/assert.h"

enum { ENTRIES_FIRST = 16, SLOTS_FIRST = 32 };

uint64_t hash_bytes(uint64_t h, const void *data, size_t n)
{
	const unsigned char *p = data;
	uint64_t word;
	for (; n >= sizeof word; n -= sizeof word, p += sizeof word) {
		memcpy(&word, p, sizeof word);
		h = hash_word(h, word);
	}
	word = n;
	for (; n > 0; n--)
		word = word << 8 | *p++;
	return hash_word(h, word);
}

void intern_init(struct intern *t, const struct mem_ops *mem, size_t entry_size)
{
	ASSERT(entry_size >= sizeof(struct intern_head) && entry_size < 4096,
	       "an entry starts with its hash");
	*t = (struct intern){.mem = mem, .entry_size = (uint32_t)entry_size};
}

void *intern_at(const struct intern *t, uint32_t id)
{
	ASSERT(id < t->n, "only numbers that intern_put gave out name an entry");
	return t->entries + (size_t)id * t->entry_size;
}

static uint64_t hash_at(const struct intern *t, uint32_t id)
{
	const struct intern_head *head = intern_at(t, id);
	return head->hash;
}

/* To room for n more. */
static int entries_grow(struct intern *t, uint32_t n)
{
	if (t->n > UINT32_MAX / 4 || n > UINT32_MAX / 8)
		return -ENOMEM;
	uint32_t cap = t->cap ? t->cap * 2 : ENTRIES_FIRST;
	while (cap - t->n < n)
		cap *= 2;
	unsigned char *entries = mem_alloc(t->mem, (size_t)cap * t->entry_size);
	if (entries == NULL)
		return -ENOMEM;
	if (t->n > 0)
		memcpy(entries, t->entries, (size_t)t->n * t->entry_size);
	mem_free(t->mem, t->entries);
	t->entries = entries;
	t->cap = cap;
	return 0;
}

/* The first slot of the probe for hash; the probe goes on upwards and around. */
static uint32_t slot_first(const struct intern *t, uint64_t hash)
{
	return (uint32_t)hash & (t->n_slots - 1);
}

static void slot_take(struct intern *t, uint64_t hash, uint32_t id)
{
	uint32_t i = slot_first(t, hash);
	while (t->slots[i] != 0)
		i = (i + 1) & (t->n_slots - 1);
	t->slots[i] = id + 1;
}

static int slots_grow(struct intern *t, uint32_t n)
{
	uint32_t n_slots = t->n_slots ? t->n_slots * 2 : SLOTS_FIRST;
	while (n_slots / 2 < t->n + n)
		n_slots *= 2;
	uint32_t *slots = mem_alloc(t->mem, n_slots * sizeof *slots);
	if (slots == NULL)
		return -ENOMEM;
	memset(slots, 0, n_slots * sizeof *slots);
	mem_free(t->mem, t->slots);
	t->slots = slots;
	t->n_slots = n_slots;
	for (uint32_t id = 0; id < t->n; id++)
		slot_take(t, hash_at(t, id), id);
	return 0;
}

bool intern_find(const struct intern *t, const void *entry, intern_equal_fn *equal, uint32_t *id)
{
	const struct intern_head *head = entry;
	if (t->n_slots == 0)
		return false;
	for (uint32_t i = slot_first(t, head->hash); t->slots[i] != 0; i = (i + 1) & (t->n_slots - 1)) {
		uint32_t at = t->slots[i] - 1;
		if (hash_at(t, at) == head->hash && equal(intern_at(t, at), entry)) {
			*id = at;
			return true;
		}
	}
	return false;
}

bool intern_room(struct intern *t, uint32_t n)
{
	return (t->cap - t->n >= n || entries_grow(t, n) == 0) &&
	       (t->n_slots / 2 >= t->n + n || slots_grow(t, n) == 0);
}

int intern_put(struct intern *t, const void *entry, intern_equal_fn *equal, uint32_t *id)
{
	const struct intern_head *head = entry;
	if (intern_find(t, entry, equal, id))
		return 0;
	if (!intern_room(t, 1))
		return -ENOMEM;
	*id = t->n++;
	memcpy(intern_at(t, *id), entry, t->entry_size);
	slot_take(t, head->hash, *id);
	return 1;
}

void intern_free(struct intern *t)
{
	mem_free(t->mem, t->entries);
	mem_free(t->mem, t->slots);
	intern_init(t, t->mem, t->entry_size);
}

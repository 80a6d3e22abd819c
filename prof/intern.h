/*
 * A table that gives equal entries the same small number: strings, functions and locations of a profile. See
 * intern.c.
 */
#ifndef PROF_INTERN_H
#define PROF_INTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "prof/mem.h"

struct intern {
	/* immutable after intern_init */
	const struct mem_ops *mem;
	uint32_t entry_size;
	/* owned by the caller */
	uint32_t n, cap; /* entries in use, entries allocated */
	uint32_t n_slots;
	unsigned char *entries;
	uint32_t *slots; /* entry number + 1, 0 is empty */
};

/* Each entry type starts with its hash. */
struct intern_head {
	uint64_t hash;
};

typedef bool intern_equal_fn(const void *entry, const void *other);

/* One step of the hash used for everything in prof/: for a given h it is a bijection of word. */
#define HASH_FACTOR UINT64_C(0x9e3779b97f4a7c15)

static inline uint64_t hash_word(uint64_t h, uint64_t word)
{
	h = (h ^ word) * HASH_FACTOR;
	return h ^ (h >> 32);
}

uint64_t hash_bytes(uint64_t h, const void *data, size_t n);

/* An empty table of entries of entry_size bytes. Allocates nothing. */
void intern_init(struct intern *t, const struct mem_ops *mem, size_t entry_size);

/* Finds the entry equal to *entry, whose head holds its hash. False if there is none. */
bool intern_find(const struct intern *t, const void *entry, intern_equal_fn *equal, uint32_t *id);

/*
 * Finds the entry equal to *entry (whose head holds its hash), or copies *entry into the table. *id is its
 * number, counted from 0 in order of arrival. Returns 1 if it is new, 0 if it was there, -ENOMEM (nothing
 * changed).
 */
int intern_put(struct intern *t, const void *entry, intern_equal_fn *equal, uint32_t *id)
	__attribute__((warn_unused_result));

/* Makes room for so many new entries: putting these cannot fail. False: no memory, nothing changed. */
bool intern_room(struct intern *t, uint32_t n) __attribute__((warn_unused_result));

/* The entry with that number. The pointer is good until the next intern_put. */
void *intern_at(const struct intern *t, uint32_t id);

/* Gives all memory back; the table is empty and may be used again. */
void intern_free(struct intern *t);

#endif

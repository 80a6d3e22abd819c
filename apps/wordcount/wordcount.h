/* Words and their counts: a hash table that grows, and its parts for merging. */
#ifndef WORDCOUNT_H
#define WORDCOUNT_H

#include <stddef.h>
#include <stdint.h>

struct word {
	const char *text; /* lower case, not NUL ended; NULL: slot is free */
	uint32_t len;
	uint32_t hash;
	uint64_t count;
};

struct chunk;

/* A power of two of slots, at most three quarters used, and the words' letters, packed; zeroed is empty. */
struct table {
	struct word *slots;
	size_t cap, n;
	struct chunk *chunks;
	size_t room; /* bytes left in the first chunk */
};

/* Hash of a word, to be fed letter by letter from HASH_START on. */
#define HASH_START 2166136261u
static inline uint32_t hash_step(uint32_t hash, unsigned char c)
{
	return (hash ^ c) * 16777619u;
}

/* Adds n to a word's count; text is copied when it is new. Ends the program when memory is out. */
void table_add(struct table *t, const char *text, uint32_t len, uint32_t hash, uint64_t n);
/* Gives everything back. */
void table_free(struct table *t);

/* malloc that ends the program with a message when memory is out. */
void *must_malloc(size_t size);

#endif

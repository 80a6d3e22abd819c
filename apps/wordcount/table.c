/* The hash table of wordcount: open addressing, linear probing. */
#include "wordcount.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_CAP = 256, CHUNK_SIZE = 8 << 10 };

/* Letters of many words; filled from the end. */
struct chunk {
	struct chunk *next;
	char text[];
};

void *must_malloc(size_t size)
{
	void *p = malloc(size);
	if (p == NULL) {
		fprintf(stderr, "wordcount: out of memory (%zu bytes)\n", size);
		exit(1);
	}
	return p;
}

static struct word *find(const struct table *t, const char *text, uint32_t len, uint32_t hash)
{
	for (size_t i = hash & (t->cap - 1);; i = (i + 1) & (t->cap - 1)) {
		struct word *w = &t->slots[i];
		if (w->text == NULL || (w->hash == hash && w->len == len && memcmp(w->text, text, len) == 0))
			return w;
	}
}

static void grow(struct table *t)
{
	struct table bigger = *t;
	bigger.cap = t->cap ? t->cap * 2 : FIRST_CAP;
	bigger.slots = must_malloc(bigger.cap * sizeof *bigger.slots);
	memset(bigger.slots, 0, bigger.cap * sizeof *bigger.slots);
	for (size_t i = 0; i < t->cap; i++) {
		const struct word *w = &t->slots[i];
		if (w->text != NULL)
			*find(&bigger, w->text, w->len, w->hash) = *w;
	}
	free(t->slots);
	*t = bigger;
}

static const char *text_keep(struct table *t, const char *text, uint32_t len)
{
	if (t->room < len) {
		size_t size = len > CHUNK_SIZE ? len : CHUNK_SIZE;
		struct chunk *c = must_malloc(sizeof *c + size);
		c->next = t->chunks;
		t->chunks = c;
		t->room = size;
	}
	t->room -= len;
	return memcpy(t->chunks->text + t->room, text, len);
}

void table_add(struct table *t, const char *text, uint32_t len, uint32_t hash, uint64_t n)
{
	if (t->n * 4 >= t->cap * 3)
		grow(t);
	struct word *w = find(t, text, len, hash);
	if (w->text == NULL) {
		w->text = text_keep(t, text, len);
		w->len = len;
		w->hash = hash;
		t->n++;
	}
	w->count += n;
}

void table_free(struct table *t)
{
	for (struct chunk *c = t->chunks; c != NULL;) {
		struct chunk *next = c->next;
		free(c);
		c = next;
	}
	free(t->slots);
	*t = (struct table){0};
}

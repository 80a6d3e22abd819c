/* The hash table of wordcount: open addressing, linear probing. */
#include "wordcount.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_CAP = 256 };

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
	struct table bigger = {.cap = t->cap ? t->cap * 2 : FIRST_CAP, .n = t->n};
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

void table_add(struct table *t, const char *text, uint32_t len, uint32_t hash, uint64_t n)
{
	if (t->n * 4 >= t->cap * 3)
		grow(t);
	struct word *w = find(t, text, len, hash);
	if (w->text == NULL) {
		w->text = must_malloc(len);
		memcpy(w->text, text, len);
		w->len = len;
		w->hash = hash;
		t->n++;
	}
	w->count += n;
}

void table_free(struct table *t)
{
	for (size_t i = 0; i < t->cap; i++)
		free(t->slots[i].text);
	free(t->slots);
	*t = (struct table){0};
}

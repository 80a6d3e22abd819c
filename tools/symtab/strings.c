/* One hash table of all strings the program keeps; those that go into the table know their number. */
#include "tools/symtab/strings.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct entry {
	char *text;
	bool named;      /* goes into the table */
	uint32_t number; /* there */
	struct entry *next;
};

enum { BUCKETS = 4096 };

static struct entry *buckets[BUCKETS];
static struct entry **names;
static size_t n_names;
static bool numbered;

static struct entry *entry_get(const char *s)
{
	uint32_t hash = 2166136261u; /* FNV-1a */
	for (const char *p = s; *p; p++)
		hash = (hash ^ (uint8_t)*p) * 16777619u;
	struct entry **bucket = &buckets[hash % BUCKETS];
	for (struct entry *e = *bucket; e != NULL; e = e->next) {
		if (strcmp(e->text, s) == 0)
			return e;
	}
	struct entry *e = grow(NULL, 1, sizeof *e);
	e->text = grow(NULL, strlen(s) + 1, 1);
	strcpy(e->text, s);
	e->named = false;
	e->next = *bucket;
	*bucket = e;
	return e;
}

const char *strings_intern(const char *s)
{
	return entry_get(s)->text;
}

void strings_add(const char *s)
{
	struct entry *e = entry_get(s);
	if (e->named)
		return;
	if (numbered)
		die("%s: a name that comes too late", s);
	e->named = true;
	ARRAY_ROOM(names, n_names);
	names[n_names++] = e;
}

static int name_order(const void *a, const void *b)
{
	return strcmp((*(struct entry *const *)a)->text, (*(struct entry *const *)b)->text);
}

static void names_number(void)
{
	if (!numbered && n_names > 0)
		qsort(names, n_names, sizeof *names, name_order);
	for (size_t i = 0; i < n_names && !numbered; i++)
		names[i]->number = (uint32_t)i;
	numbered = true;
}

uint32_t strings_number(const char *s)
{
	names_number();
	const struct entry *e = entry_get(s);
	if (!e->named)
		die("%s: not one of the names", s);
	return e->number;
}

size_t strings_tokens(struct tokens *t, size_t *size)
{
	const char *before = "";
	names_number();
	*size = 0;
	for (size_t i = 0; i < n_names; i++) {
		const char *name = names[i]->text;
		unsigned same = 0;
		while (same < UINT8_MAX && name[same] != '\0' && name[same] == before[same])
			same++;
		tokens_byte(t, SYMTAB_PREFIX, same);
		for (const char *p = name + same; *p != '\0'; p++)
			tokens_byte(t, SYMTAB_NAME, (uint8_t)*p);
		tokens_byte(t, SYMTAB_NAME, 0);
		*size += strlen(name) + 1;
		before = name;
	}
	return n_names;
}

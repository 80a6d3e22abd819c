/* One hash table of all strings the program keeps; those that go into the table know their offset. */
#include "tools/symtab/strings.h"

#include <string.h>

struct entry {
	char *text;
	uint32_t offset; /* in the names part, UINT32_MAX when not in it */
	struct entry *next;
};

enum { BUCKETS = 4096 };

static struct entry *buckets[BUCKETS];
static struct buffer part;

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
	e->offset = UINT32_MAX;
	e->next = *bucket;
	*bucket = e;
	return e;
}

const char *strings_intern(const char *s)
{
	return entry_get(s)->text;
}

uint32_t strings_add(const char *s)
{
	if (part.size == 0)
		buffer_byte(&part, 0);
	if (*s == '\0')
		return 0;
	struct entry *e = entry_get(s);
	if (e->offset == UINT32_MAX) {
		e->offset = (uint32_t)part.size;
		buffer_put(&part, s, strlen(s) + 1);
	}
	return e->offset;
}

const struct buffer *strings_part(void)
{
	strings_add("");
	return &part;
}

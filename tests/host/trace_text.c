/* See trace_text.h. */
#include "tests/host/trace_text.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/hbdump/trace_file.h"
#include "tools/hbdump/vector.h"

struct bytes {
	uint8_t *data;
	size_t n;
};

static void put(struct bytes *b, uint8_t v)
{
	*VECTOR_ADD(b->data, b->n) = v;
}

static void put_number(struct bytes *b, uint64_t v)
{
	for (; v >= 0x80; v >>= 7)
		put(b, (uint8_t)(v | 0x80));
	put(b, (uint8_t)v);
}

static void put_bytes(struct bytes *b, const void *data, size_t n)
{
	for (size_t i = 0; i < n; i++)
		put(b, ((const uint8_t *)data)[i]);
}

struct maker {
	struct bytes out, batch;
	uint64_t gen, m, time;
	bool open;
	const char *line; /* the rest of it */
};

_Noreturn static void not_understood(const char *line)
{
	fprintf(stderr, "trace_text: not understood: %s\n", line);
	exit(2);
}

/* The next word of the line, at most size - 1 characters of it; false at the end. */
static bool word(struct maker *k, char *to, size_t size)
{
	size_t n = 0;
	k->line += strspn(k->line, " \t");
	while (k->line[0] != '\0' && k->line[0] != ' ' && n + 1 < size)
		to[n++] = *k->line++;
	to[n] = '\0';
	return n > 0;
}

static uint64_t read_number(const char *text, char **end)
{
	if (text[0] == '-') {
		*end = (char *)(uintptr_t)(text + 1);
		return UINT64_MAX;
	}
	return strtoull(text, end, 0);
}

static uint64_t number(struct maker *k)
{
	char text[64], *end;
	if (!word(k, text, sizeof text))
		not_understood("a number is missing");
	uint64_t v = read_number(text, &end);
	if (*end != '\0')
		not_understood(text);
	return v;
}

static void batch_close(struct maker *k)
{
	if (!k->open)
		return;
	put(&k->out, EV_BATCH);
	put_number(&k->out, k->gen);
	put_number(&k->out, k->m);
	put_number(&k->out, k->time);
	put_number(&k->out, k->batch.n);
	put_bytes(&k->out, k->batch.data, k->batch.n);
	free(k->batch.data);
	k->batch = (struct bytes){.n = 0};
	k->open = false;
}

/* A batch of no m, with one item in it. */
static void table_open(struct maker *k, uint8_t table)
{
	batch_close(k);
	k->gen = number(k);
	k->m = UINT64_MAX;
	k->time = 1;
	k->open = true;
	put(&k->batch, table);
}

static void frames(struct maker *k)
{
	struct bytes f = {.n = 0};
	char text[128], *at;
	uint64_t n = 0;
	for (; word(k, text, sizeof text); n++) {
		at = text;
		for (int i = 0; i < 4; i++) {
			put_number(&f, read_number(at, &at));
			if (*at++ != (i < 3 ? ':' : '\0'))
				not_understood(text);
		}
	}
	put_number(&k->batch, n);
	put_bytes(&k->batch, f.data, f.n);
	free(f.data);
}

static void event(struct maker *k, const char *dt)
{
	char name[64], *end;
	unsigned type = 0;
	word(k, name, sizeof name);
	while (type < EV_COUNT && (trace_spec(type) == NULL || strcmp(trace_spec(type)->name, name) != 0))
		type++;
	if (type == EV_COUNT || !k->open)
		not_understood(name);
	put(&k->batch, (uint8_t)type);
	put_number(&k->batch, strtoull(dt, &end, 10));
	for (unsigned i = 0; i < trace_spec(type)->args; i++)
		put_number(&k->batch, number(k));
}

static void item(struct maker *k, const char *what)
{
	char text[128];
	if (strcmp(what, "go") == 0) {
		char header[16] = "go ";
		word(k, text, 5);
		strcat(strcat(header, text), " trace");
		put_bytes(&k->out, header, sizeof header);
	} else if (strcmp(what, "freq") == 0) {
		table_open(k, EV_FREQUENCY);
		put_number(&k->batch, number(k));
	} else if (strcmp(what, "string") == 0) {
		table_open(k, EV_STRINGS);
		put(&k->batch, EV_STRING);
		put_number(&k->batch, number(k));
		k->line += strspn(k->line, " ");
		put_number(&k->batch, strlen(k->line));
		put_bytes(&k->batch, k->line, strlen(k->line));
	} else if (strcmp(what, "stack") == 0) {
		table_open(k, EV_STACKS);
		put(&k->batch, EV_STACK);
		put_number(&k->batch, number(k));
		frames(k);
	} else if (strcmp(what, "sample") == 0) {
		table_open(k, EV_CPU_SAMPLES);
		put(&k->batch, EV_CPU_SAMPLE);
		for (int i = 0; i < 5; i++)
			put_number(&k->batch, number(k));
	} else if (strcmp(what, "batch") == 0) {
		batch_close(k);
		k->gen = number(k);
		k->m = number(k);
		k->time = number(k);
		k->open = true;
	} else if (strcmp(what, "raw") == 0) {
		while (word(k, text, sizeof text))
			put(k->open ? &k->batch : &k->out, (uint8_t)strtoul(text, NULL, 16));
	} else if (what[0] >= '0' && what[0] <= '9') {
		event(k, what);
	} else {
		not_understood(what);
	}
}

uint8_t *trace_text(const char *text, size_t *n)
{
	struct maker k = {.open = false};
	char line[2048], what[64];
	while (*text != '\0') {
		size_t len = strcspn(text, "\n");
		snprintf(line, sizeof line, "%.*s", (int)len, text);
		text += len + (text[len] == '\n');
		k.line = line;
		if (line[0] != '#' && word(&k, what, sizeof what))
			item(&k, what);
	}
	batch_close(&k);
	*n = k.out.n;
	return k.out.data;
}

/* The tree as JSON, for the script of the page (see flame.h). */
#include <inttypes.h>
#include <string.h>

#include "tools/hbdump/flame.h"

/* Bytes of the UTF-8 sequence at p, at most left; 0 if it is none. RFC 3629, section 4. */
static size_t utf8_size(const uint8_t *p, size_t left)
{
	size_t n = p[0] < 0x80                   ? 1
		   : p[0] >= 0xc2 && p[0] < 0xe0 ? 2
		   : (p[0] & 0xf0) == 0xe0       ? 3
		   : p[0] >= 0xf0 && p[0] < 0xf5 ? 4
						 : 0;
	if (n == 0 || n > left)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) || (p[0] == 0xf0 && p[1] < 0x90) ||
	    (p[0] == 0xf4 && p[1] > 0x8f))
		return 0;
	return n;
}

static void text_write(const uint8_t *p, size_t n, FILE *to)
{
	putc('"', to);
	for (size_t i = 0, size; i < n; i += size) {
		size = utf8_size(p + i, n - i);
		if (size == 0) {
			fputs("\\ufffd", to);
			size = 1;
		} else if (p[i] < 0x20 || p[i] == 0x7f || strchr("\"\\<>&", p[i]) != NULL) {
			fprintf(to, "\\u%04x", p[i]);
		} else {
			fwrite(p + i, 1, size, to);
		}
	}
	putc('"', to);
}

static void string_write(const struct flame *f, uint64_t i, FILE *to)
{
	const struct profile_string *s = &f->profile->strings[i];
	text_write(s->p, s->n, to);
}

/* Opens, or goes on with, a list: a new line now and then keeps editors well. */
static void item(size_t i, FILE *to)
{
	if (i > 0)
		fputs(i % 16 == 0 ? ",\n" : ",", to);
}

static void about_write(const struct flame *f, const char *name, FILE *to)
{
	const struct profile *p = f->profile;
	fputs("{\"name\":", to);
	text_write((const uint8_t *)name, strlen(name), to);
	fputs(",\"program\":", to);
	string_write(f, p->program, to);
	fprintf(to, ",\"time\":%" PRIu64 ",\"duration\":%" PRIu64 ",\"type\":%" PRIu32 ",\n\"types\":[",
		p->time_ns > INT64_MAX ? 0 : p->time_ns, p->duration_ns, p->default_type);
	for (size_t i = 0; i < p->n_types; i++) {
		fputs(i > 0 ? ",[" : "[", to);
		string_write(f, p->types[i].type, to);
		putc(',', to);
		string_write(f, p->types[i].unit, to);
		putc(']', to);
	}
	fputs("],\n\"comments\":[", to);
	for (size_t i = 0; i < p->n_comments; i++) {
		item(i, to);
		string_write(f, p->comments[i], to);
	}
}

/* [name, file, line] of each function. */
static void functions_write(const struct flame *f, FILE *to)
{
	fputs("],\n\"functions\":[", to);
	for (uint32_t i = 0; i < f->functions.n; i++) {
		const struct pair *fn = &f->functions.list[i];
		item(i, to);
		if (fn->b == FLAME_NO_FILE) {
			fprintf(to, "[\"0x%" PRIx64 "\",\"\",0]", fn->a);
			continue;
		}
		putc('[', to);
		string_write(f, fn->a, to);
		putc(',', to);
		string_write(f, fn->b, to);
		fprintf(to, ",%" PRIu32 "]", f->function_lines[i]);
	}
}

/* [key, text] of each label, and [set before or 0, label] of each set: numbers of sets begin with 1. */
static void labels_write(const struct flame *f, FILE *to)
{
	fputs("],\n\"labels\":[", to);
	for (uint32_t i = 0; i < f->units.n; i++) {
		const struct pair *u = &f->units.list[i], *l = &f->labels.list[u->a];
		item(i, to);
		putc('[', to);
		string_write(f, l->a >> 32, to);
		putc(',', to);
		if ((uint32_t)l->a != 0) {
			string_write(f, (uint32_t)l->a, to);
		} else {
			const struct profile_string *unit = &f->profile->strings[u->b];
			char text[96];
			snprintf(text, sizeof text, "%" PRId64 "%s%.*s", (int64_t)l->b,
				 unit->n > 0 ? " " : "", (int)(unit->n < 64 ? unit->n : 64),
				 (const char *)unit->p);
			text_write((const uint8_t *)text, strlen(text), to);
		}
		putc(']', to);
	}
	fputs("],\n\"sets\":[", to);
	for (uint32_t i = 0; i < f->sets.n; i++) {
		item(i, to);
		fprintf(to, "%" PRIu64 ",%" PRIu64, f->sets.list[i].a, f->sets.list[i].b);
	}
}

void flame_json_write(const struct flame *f, const char *name, FILE *to)
{
	const struct profile *p = f->profile;
	about_write(f, name, to);
	functions_write(f, to);
	labels_write(f, to);
	fputs("],\n\"nodes\":[", to); /* parent, function, inlined */
	for (uint32_t i = 0; i < f->nodes.n; i++) {
		item(i, to);
		fprintf(to, "%" PRIu64 ",%" PRIu64 ",%u", f->nodes.list[i].a, f->nodes.list[i].b,
			f->inlined[i]);
	}
	fputs("],\n\"samples\":[", to); /* node, line, label set, values */
	for (size_t i = 0; i < f->n_samples; i++) {
		const struct flame_sample *s = &f->samples[i];
		item(i, to);
		fprintf(to, "%" PRIu32 ",%" PRIu32 ",%" PRIu32, s->node, s->line, s->labels);
		for (size_t k = 0; k < p->n_types; k++)
			fprintf(to, ",%" PRIu64, p->values[s->value + k]);
	}
	fputs("]}\n", to);
}

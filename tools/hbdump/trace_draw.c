/*
 * A trace as a picture: a row for each p, a rectangle for each stretch that a goroutine ran on it, with the goroutine's number where there is
 * room; the color is that of its name. What a rectangle stands for is its title, which browsers show under the pointer.
 */
#include "tools/hbdump/trace_draw.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "tools/hbdump/trace_check.h"
#include "tools/hbdump/trace_order.h"
#include "tools/hbdump/vector.h"

enum {
	LEFT = 70, /* pixels */
	WIDTH = 850,
	ROW = 30,
	ROW_STEP = 42,
	TOP = 20,
	EXIT_TROUBLE = 2,
};

static const char *const colors[] = {"#4c78a8", "#f58518", "#54a24b", "#b279a2", "#e45756",
				     "#72b7b2", "#9d755d", "#9c8f2b", "#5f6caf", "#7f7f7f"};

struct stretch {
	uint32_t p, g, why; /* places in the lists of the order; why: a name */
	uint64_t from, to;
};

struct draw {
	struct stretch *list;
	uint32_t *names; /* in the order of their colors */
	size_t n, n_names;
};

static void ran(void *ctx, const struct trace_order *o, uint32_t m, uint32_t g, uint64_t from, uint64_t to)
{
	struct draw *d = ctx;
	if (o->ms[m].p == TRACE_NO)
		return;
	*VECTOR_ADD(d->list, d->n) = (struct stretch){
		o->ms[m].p, g, o->gs[g].status == GO_WAITING ? o->gs[g].reason : 0, from, to};
}

/* What XML has no other meaning for. */
static void text_print(FILE *to, const struct trace_string *s)
{
	for (uint32_t i = 0; i < s->n; i++)
		fputc(s->text[i] < ' ' || s->text[i] > '~' || strchr("<>&\"'", s->text[i]) != NULL
			      ? '?'
			      : s->text[i],
		      to);
}

static const struct trace_string *name_of(const struct trace_order *o, uint32_t name)
{
	static const struct trace_string unknown = {(const uint8_t *)"without a name", 14};
	return name != 0 && name < o->names.n ? &o->names.list[name] : &unknown;
}

static int by_p_then_time(const void *a, const void *b)
{
	const struct stretch *x = a, *y = b;
	if (x->p != y->p)
		return x->p < y->p ? -1 : 1;
	return (x->from > y->from) - (x->from < y->from);
}

static const char *color_of(struct draw *d, uint32_t name)
{
	size_t i = 0;
	while (i < d->n_names && d->names[i] != name)
		i++;
	if (i == d->n_names)
		*VECTOR_ADD(d->names, d->n_names) = name;
	return colors[i % (sizeof colors / sizeof colors[0])];
}

static void stretch_print(const struct trace_order *o, struct draw *d, const struct stretch *s, double x,
			  double w, double us, FILE *to)
{
	unsigned row = (unsigned)o->ps[s->p].id;
	const struct trace_g *g = &o->gs[s->g];
	fprintf(to,
		"<rect x=\"%.1f\" y=\"%u\" width=\"%.1f\" height=\"%d\" fill=\"%s\"><title>goroutine %" PRIu64
		", ",
		x, TOP + row * ROW_STEP, w, ROW, color_of(d, g->name), g->id);
	text_print(to, name_of(o, g->name));
	fprintf(to, ": %.1f us", us);
	if (s->why != 0) {
		fputs(", then ", to);
		text_print(to, name_of(o, s->why));
	}
	fputs("</title></rect>\n", to);
	if (w >= 20)
		fprintf(to,
			"<text x=\"%.1f\" y=\"%u\" fill=\"white\" text-anchor=\"middle\">%" PRIu64
			"</text>\n",
			x + w / 2, TOP + row * ROW_STEP + 20, g->id);
}

static void picture(const struct trace_order *o, struct draw *d, const struct trace_span *span, FILE *to)
{
	double unit = o->hz == 0 ? 1 : 1e9 / (double)o->hz, from = (double)span->from;
	double length = span->length != 0 ? (double)span->length : (double)(o->last - o->first) * unit - from;
	double scale = length > 0 ? WIDTH / length : 0, drawn = -1;
	unsigned rows = 0;
	for (size_t i = 0; i < o->n_ps; i++)
		if (o->ps[i].id < 1000 && o->ps[i].id >= rows)
			rows = (unsigned)o->ps[i].id + 1;
	unsigned bottom = TOP + rows * ROW_STEP;
	fprintf(to,
		"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%u\" "
		"font-family=\"sans-serif\" "
		"font-size=\"12\">\n<rect width=\"%d\" height=\"%u\" fill=\"white\"/>\n",
		LEFT + WIDTH + 20, bottom + 42, LEFT + WIDTH + 20, bottom + 42);
	for (unsigned i = 0; i < rows; i++)
		fprintf(to,
			"<text x=\"8\" y=\"%u\">hart %u</text><rect x=\"%d\" y=\"%u\" width=\"%d\" "
			"height=\"%d\" "
			"fill=\"#f2f2f2\"/>\n",
			TOP + 20 + i * ROW_STEP, i, LEFT, TOP + i * ROW_STEP, WIDTH, ROW);
	if (d->n > 0)
		qsort(d->list, d->n, sizeof *d->list, by_p_then_time);
	for (size_t i = 0; i < d->n; i++) {
		const struct stretch *s = &d->list[i];
		double begin = (double)(s->from - o->first) * unit - from;
		double end = (double)(s->to - o->first) * unit - from, us = (end - begin) / 1000;
		if (i == 0 || s->p != d->list[i - 1].p)
			drawn = -1;
		if (o->ps[s->p].id >= rows || end <= 0 || begin >= length)
			continue;
		double x = begin > 0 ? begin * scale : 0, w = (end < length ? end * scale : WIDTH) - x;
		if (w < 0.6 && x < drawn + 0.3) /* there is one already */
			continue;
		drawn = x;
		stretch_print(o, d, s, LEFT + x, w < 0.6 ? 0.6 : w, us, to);
	}
	for (int i = 0; i <= 5; i++)
		fprintf(to, "<text x=\"%d\" y=\"%u\" text-anchor=\"middle\">%.3g ms</text>\n",
			LEFT + WIDTH * i / 5, bottom + 10, (from + length * i / 5) / 1e6);
	fputs("</svg>\n", to);
}

const char *trace_draw(const uint8_t *data, size_t n, const struct trace_span *span, FILE *to)
{
	struct trace_report report = {NULL, NULL, 0};
	struct draw d = {NULL, NULL, 0, 0};
	uint8_t *unpacked;
	struct trace_file f;
	struct trace_order o = {.report = &report, .file = &f, .ran = ran, .ran_ctx = &d};
	const char *wrong = trace_order_read(&o, &f, data, n, &unpacked);
	if (wrong == NULL) {
		picture(&o, &d, span, to);
		trace_order_free(&o);
	}
	free(d.list);
	free(d.names);
	free(unpacked);
	return wrong;
}

int trace_draw_run(const char *path, const struct trace_span *span, const char *to)
{
	size_t n;
	uint8_t *data = trace_file_load(path, &n);
	if (data == NULL)
		return EXIT_TROUBLE;
	FILE *f = to != NULL && strcmp(to, "-") != 0 ? fopen(to, "w") : stdout;
	const char *wrong = f != NULL ? trace_draw(data, n, span, f) : NULL;
	free(data);
	if (wrong != NULL)
		fprintf(stderr, "hbdump: %s: %s\n", path, wrong);
	if (f == NULL || (f == stdout ? fflush(f) : fclose(f)) != 0) {
		fprintf(stderr, "hbdump: %s: cannot write: %s\n", to != NULL ? to : "-", strerror(errno));
		return EXIT_TROUBLE;
	}
	return wrong != NULL ? EXIT_TROUBLE : 0;
}

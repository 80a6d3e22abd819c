/*
 * Owns the top table: what `go tool pprof -top` prints for the same profile, number for number.
 *
 *	Duration: 5.01s, Total samples = 9.90s (197.60%), 990 ticks
 *	Showing top 10 functions out of 37, accounting for 9.51s, 96.06% of 9.90s total
 *	      flat  flat%   sum%        cum   cum%
 *	     5.01s 50.61% 50.61%      7.20s 72.73%  hash_word
 *
 * flat is the time of the samples whose innermost frame is the function, cum that of all whose stack has it
 *anywhere. Functions are told apart by name alone, as pprof does at its default granularity.
 *
 * 1. A sample adds to the cum of a function once, however often the function is on its stack; otherwise
 *recursion would show more than 100 %.
 * 2. Rows are ordered by flat, then by name, which is a total order; otherwise two runs would print two
 *tables.
 */
#include "prof/top.h"

#include <errno.h>
#include <string.h>

#include "kernel/assert.h"
#include "prof/decimal.h"
#include "prof/intern.h"

enum { LINE_MAX_BYTES = 256 };

struct row {
	struct intern_head head;
	const char *name;
	uint64_t flat, cum;
	uint64_t seen; /* number of the last sample that had it, from 1 */
};

/* Frame number level at pc, counted from the innermost; last if no other is around it. */
struct site {
	struct intern_head head;
	uintptr_t pc;
	uint32_t level, row;
	bool last;
};

struct top {
	const struct top_options *options;
	struct intern rows, sites;
	uint64_t n_samples;
	struct pprof_frame frames[PPROF_INLINE_MAX];
	char image[64]; /* [image] */
};

struct line {
	size_t n;
	char text[LINE_MAX_BYTES];
};

static bool row_equal(const void *entry, const void *other)
{
	const struct row *a = entry, *b = other;
	return strcmp(a->name, b->name) == 0;
}

static bool site_equal(const void *entry, const void *other)
{
	const struct site *a = entry, *b = other;
	return a->pc == b->pc && a->level == b->level;
}

/* Number of frames at pc, at least 1, in t->frames; each has a name. */
static unsigned frames_find(struct top *t, uintptr_t pc)
{
	const struct top_options *o = t->options;
	unsigned n = 0;
	if (pc < PROF_FRAME_MAX)
		t->frames[n++].function = prof_frame_name(pc);
	else if (!o->symbolize(o->symbolize_ctx, pc, t->frames, PPROF_INLINE_MAX, &n))
		n = 0;
	ASSERT(n <= PPROF_INLINE_MAX, "a symboliser fills at most max frames");
	if (n == 0)
		t->frames[n++].function = NULL;
	for (unsigned i = 0; i < n; i++) {
		if (t->frames[i].function == NULL || t->frames[i].function[0] == '\0')
			t->frames[i].function = t->image;
	}
	return n;
}

/* Puts all levels of a pc that is seen for the first time into the tables, the innermost one also into *site.
 */
static int sites_add(struct top *t, uintptr_t pc, struct site *site)
{
	unsigned n = frames_find(t, pc);
	for (unsigned i = n; i-- > 0;) {
		struct row row = {.name = t->frames[i].function};
		row.head.hash = hash_bytes(0, row.name, strlen(row.name));
		struct site s = {.head.hash = hash_word(i, pc), .pc = pc, .level = i, .last = i == n - 1};
		uint32_t id;
		if (intern_put(&t->rows, &row, row_equal, &s.row) < 0 ||
		    intern_put(&t->sites, &s, site_equal, &id) < 0)
			return -ENOMEM;
		*site = s;
	}
	return 0;
}

/* Counts a record for every function on its stack. */
static int record_add(struct top *t, const struct prof_record *r)
{
	if (r->weight_ns == 0)
		return 0;
	t->n_samples++;
	for (uint32_t i = 0; i < r->depth; i++) {
		uintptr_t pc = prof_pc_address(i, r->pcs[i]);
		struct site s = {.last = false};
		for (uint32_t level = 0; !s.last; level++) {
			const struct site key = {.head.hash = hash_word(level, pc), .pc = pc, .level = level};
			uint32_t id;
			if (intern_find(&t->sites, &key, site_equal, &id))
				s = *(const struct site *)intern_at(&t->sites, id);
			else if (sites_add(t, pc, &s) < 0)
				return -ENOMEM;
			struct row *row = intern_at(&t->rows, s.row);
			if (i == 0 && level == 0)
				row->flat += r->weight_ns;
			if (row->seen != t->n_samples)
				row->cum += r->weight_ns;
			row->seen = t->n_samples;
		}
	}
	return 0;
}

/* Whether a row comes before another in the table. */
static bool row_before(const struct row *a, const struct row *b)
{
	return a->flat != b->flat ? a->flat > b->flat : strcmp(a->name, b->name) < 0;
}

/* The row that follows prev in the table (the first for NULL), NULL at the end. */
static const struct row *row_next(const struct top *t, const struct row *prev)
{
	const struct row *best = NULL;
	for (uint32_t i = 0; i < t->rows.n; i++) {
		const struct row *r = intern_at(&t->rows, i);
		if ((prev == NULL || row_before(prev, r)) && (best == NULL || row_before(r, best)))
			best = r;
	}
	return best;
}

/* Appends text, right-aligned in width columns. What does not fit the line is cut, its newline kept. */
static void line_put(struct line *l, const char *text, size_t width)
{
	size_t n = strlen(text), room = LINE_MAX_BYTES - 1 - l->n;
	for (; width > n && room > 0; width--, room--)
		l->text[l->n++] = ' ';
	if (n > room)
		n = room;
	memcpy(l->text + l->n, text, n);
	l->n += n;
}

static void line_put_time(struct line *l, uint64_t ns, enum decimal_unit unit, size_t width)
{
	char digits[DECIMAL_MAX];
	decimal_time(digits, ns, unit);
	line_put(l, digits, width);
}

static void line_put_percent(struct line *l, uint64_t value, uint64_t total)
{
	char digits[DECIMAL_MAX];
	decimal_percent(digits, value, total);
	line_put(l, digits, 0);
}

static void line_put_uint(struct line *l, uint64_t value)
{
	char digits[DECIMAL_MAX];
	decimal_uint(digits, value);
	line_put(l, digits, 0);
}

static int line_write(struct line *l, struct sink *out)
{
	l->text[l->n++] = '\n';
	int error = sink_write(out, l->text, l->n);
	l->n = 0;
	return error;
}

/*
 * The unit for all times of the table, by pprof's rule: that of the smallest row, or of a hundred times it,
 * if the total has a larger unit and is more than a hundred times the row.
 */
static enum decimal_unit table_unit(const struct top *t, uint32_t shown, uint64_t total)
{
	uint64_t least = 0;
	const struct row *r = NULL;
	for (uint32_t i = 0; i < shown; i++) {
		r = row_next(t, r);
		uint64_t v = r->flat ? r->flat : r->cum;
		if (least == 0 || v < least)
			least = v;
	}
	if (least == 0)
		least = total;
	if (decimal_unit(least) != decimal_unit(total) && least < total / 100 + (total % 100 != 0))
		return decimal_unit(least * 100);
	return decimal_unit(least);
}

static int head_write(const struct top *t, const struct builder *b, uint32_t shown, enum decimal_unit unit,
		      struct sink *out)
{
	struct line l = {.n = 0};
	uint64_t duration = t->options->duration_ns, sum = 0;
	const struct row *r = NULL;
	for (uint32_t i = 0; i < shown; i++) {
		r = row_next(t, r);
		sum += r->flat;
	}
	if (duration != 0) {
		line_put(&l, "Duration: ", 0);
		line_put_time(&l, duration, decimal_unit(duration), 0);
		line_put(&l, ", ", 0);
	}
	line_put(&l, "Total samples = ", 0);
	line_put_time(&l, b->weight_ns, unit, 0);
	if (duration != 0 && b->weight_ns != 0) {
		line_put(&l, " (", 0);
		line_put_percent(&l, b->weight_ns, duration);
		line_put(&l, ")", 0);
	}
	line_put(&l, ", ", 0);
	line_put_uint(&l, b->count);
	line_put(&l, " ticks", 0);
	int error = line_write(&l, out);
	if (error != 0)
		return error;
	line_put(&l, "Showing top ", 0);
	line_put_uint(&l, shown);
	line_put(&l, " functions out of ", 0);
	line_put_uint(&l, t->rows.n);
	line_put(&l, ", accounting for ", 0);
	line_put_time(&l, sum, unit, 0);
	line_put(&l, ", ", 0);
	char percent[DECIMAL_MAX];
	decimal_percent(percent, sum, b->weight_ns);
	line_put(&l, percent + strspn(percent, " "), 0);
	line_put(&l, " of ", 0);
	line_put_time(&l, b->weight_ns, unit, 0);
	line_put(&l, " total", 0);
	error = line_write(&l, out);
	if (error != 0)
		return error;
	line_put(&l, "      flat  flat%   sum%        cum   cum%", 0);
	return line_write(&l, out);
}

static int rows_write(const struct top *t, uint64_t total, uint32_t shown, enum decimal_unit unit,
		      struct sink *out)
{
	struct line l = {.n = 0};
	const struct row *r = NULL;
	uint64_t sum = 0;
	int error = 0;
	for (uint32_t i = 0; i < shown && error == 0; i++) {
		r = row_next(t, r);
		sum += r->flat;
		line_put_time(&l, r->flat, unit, 10);
		line_put(&l, " ", 0);
		line_put_percent(&l, r->flat, total);
		line_put(&l, " ", 0);
		line_put_percent(&l, sum, total);
		line_put(&l, " ", 0);
		line_put_time(&l, r->cum, unit, 10);
		line_put(&l, " ", 0);
		line_put_percent(&l, r->cum, total);
		line_put(&l, "  ", 0);
		line_put(&l, r->name, 0);
		error = line_write(&l, out);
	}
	return error;
}

/* "[image]" without the folders of its name, as pprof shows code without a symbol. */
static void image_name(char *out, size_t size, const char *image)
{
	const char *base = image ? strrchr(image, '/') : NULL;
	base = base ? base + 1 : image;
	if (base == NULL || base[0] == '\0') {
		strcpy(out, "<unknown>");
		return;
	}
	size_t n = strnlen(base, size - 3);
	out[0] = '[';
	memcpy(out + 1, base, n);
	strcpy(out + 1 + n, "]");
}

int top_write(const struct builder *b, const struct top_options *options, const struct mem_ops *mem,
	      struct sink *out)
{
	struct top *t = mem_alloc(mem, sizeof *t);
	if (t == NULL)
		return -ENOMEM;
	memset(t, 0, sizeof *t);
	t->options = options;
	image_name(t->image, sizeof t->image, options->image);
	intern_init(&t->rows, mem, sizeof(struct row));
	intern_init(&t->sites, mem, sizeof(struct site));
	int error = 0;
	for (const struct prof_record *r = builder_first(b); r != NULL && error == 0; r = builder_next(b, r))
		error = record_add(t, r);
	if (error == 0) {
		uint32_t shown = options->rows == 0 || options->rows > t->rows.n ? t->rows.n : options->rows;
		enum decimal_unit unit = table_unit(t, shown, b->weight_ns);
		error = head_write(t, b, shown, unit, out);
		if (error == 0)
			error = rows_write(t, b->weight_ns, shown, unit, out);
	}
	intern_free(&t->rows);
	intern_free(&t->sites);
	mem_free(mem, t);
	return error;
}

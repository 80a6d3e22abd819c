/* Streams, from their first line to a file with a name or a report (see store.h). */
#include "tools/hbdump/store.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/crc32.h"

enum {
	SAY_MAX = 1024,
	RANGES_TEXT_MAX = 480,
	READ_SIZE = 65536,
};

/* ---- saying ---- */

__attribute__((format(printf, 2, 3))) static void say_note(struct store *s, const char *fmt, ...)
{
	char text[SAY_MAX];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	s->say(s->say_ctx, SAY_NOTE, text);
}

__attribute__((format(printf, 2, 3))) static void say_damage(struct store *s, const char *fmt, ...)
{
	char text[SAY_MAX];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	s->damages++;
	s->say(s->say_ctx, SAY_DAMAGE, text);
}

/* Damage of one line of the input: after STORE_LINE_REPORTS only counted. */
__attribute__((format(printf, 2, 3))) static void say_line(struct store *s, const char *fmt, ...)
{
	if (s->line_reports++ >= STORE_LINE_REPORTS) {
		s->damages++;
		return;
	}
	char text[SAY_MAX];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	say_damage(s, "%s", text);
}

/* ---- files ---- */

static uint64_t line_offset(uint32_t line)
{
	return (uint64_t)line * FRAME_DATA_MAX;
}

static size_t line_size(const struct store_stream *st, uint64_t line)
{
	return st->short_size > 0 && st->short_line == line ? st->short_size : FRAME_DATA_MAX;
}

/* Bytes up to the end of the greatest line seen. */
static uint64_t stream_size(const struct store_stream *st)
{
	if (st->seen.end == 0)
		return 0;
	return (st->seen.end - 1) * FRAME_DATA_MAX + line_size(st, st->seen.end - 1);
}

static void stream_fail(struct store *s, struct store_stream *st)
{
	s->failed = true;
	st->failed = true;
	if (st->file != NULL)
		s->files->discard(st->file);
	st->file = NULL;
}

static bool stream_sum(struct store *s, struct store_stream *st, uint32_t *sum)
{
	static uint8_t block[READ_SIZE];
	uint32_t crc = 0;
	for (uint64_t at = 0; at < st->bytes;) {
		size_t n = st->bytes - at < sizeof block ? (size_t)(st->bytes - at) : sizeof block;
		if (!s->files->read(st->file, at, block, n))
			return false;
		crc = crc32_update(crc, block, n);
		at += n;
	}
	*sum = crc;
	return true;
}

static bool name_taken(const struct store *s, const char *name)
{
	for (const struct store_stream *st = s->first; st != NULL; st = st->next)
		if (strcmp(st->stored, name) == 0)
			return true;
	return false;
}

/* The first of base, base.2, base.3 ... that no stream of this run is stored under; goes into st->stored. */
static void pick_name(const struct store *s, struct store_stream *st, const char *base)
{
	unsigned same = 1;
	char name[STORE_NAME_MAX], stamped[STORE_NAME_MAX], stamp[STORE_STAMP_MAX];
	if (s->stamp != NULL) {
		int stem = (int)strcspn(base, ".");
		s->stamp(stamp);
		snprintf(stamped, sizeof stamped, "%.*s-%s%s", stem, base, stamp, base + stem);
		base = stamped;
	}
	for (const struct store_stream *o = s->first; s->stamp == NULL && o != NULL; o = o->next)
		same += o->state == st->state && o->has_begin && o->stored[0] != '\0' &&
			strcmp(o->name, st->name) == 0;
	do {
		if (same == 1)
			snprintf(name, sizeof name, "%s", base);
		else
			snprintf(name, sizeof name, "%.*s.%u", STORE_NAME_MAX - 12, base, same);
		same++;
	} while (name_taken(s, name));
	memcpy(st->stored, name, sizeof name);
}

static void stream_commit(struct store *s, struct store_stream *st, const char *base, uint64_t size)
{
	pick_name(s, st, base);
	void *file = st->file;
	st->file = NULL;
	if (!s->files->commit(file, st->stored, size)) {
		st->stored[0] = '\0';
		stream_fail(s, st);
	}
}

/* ---- a stream's life ---- */

static void stream_leave_open(struct store *s, struct store_stream *st)
{
	for (uint32_t i = 0; i < s->n_open; i++) {
		if (s->open[i] == st) {
			s->open[i] = s->open[--s->n_open];
			break;
		}
	}
	if (st->file != NULL)
		s->files->discard(st->file);
	st->file = NULL;
	lines_free(&st->seen);
}

/* Appends a clause to the list of what is wrong with a stream. */
__attribute__((format(printf, 3, 4))) static void reason_add(char *reasons, size_t size, const char *fmt, ...)
{
	size_t at = strlen(reasons);
	if (at > 0 && at < size - 1)
		at += (size_t)snprintf(reasons + at, size - at, "; ");
	if (at >= size - 1)
		return;
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(reasons + at, size - at, fmt, ap);
	va_end(ap);
}

static void stream_reasons(const struct store *s, const struct store_stream *st, char *out, size_t size)
{
	char ranges[RANGES_TEXT_MAX];
	out[0] = '\0';
	if (!st->has_begin)
		reason_add(out, size, "no begin line, so its name is not known");
	uint64_t missing =
		lines_missing(&st->seen, st->has_end ? st->lines : st->seen.end, ranges, sizeof ranges);
	if (missing > 0 && st->has_end)
		reason_add(out, size, "line%s %s missing of %" PRIu32, missing == 1 ? "" : "s", ranges,
			   st->lines);
	else if (missing > 0)
		reason_add(out, size, "line%s %s missing", missing == 1 ? "" : "s", ranges);
	if (!st->has_end && st->seen.end > 0)
		reason_add(out, size, "no end line (the last line seen is %" PRIu64 ")", st->seen.end - 1);
	else if (!st->has_end)
		reason_add(out, size, "no data line and no end line");
	else if (st->seen.end > st->lines)
		reason_add(out, size, "line %" PRIu64 " lies past its end", st->seen.end - 1);
	else if (missing == 0 && stream_size(st) != st->bytes)
		reason_add(out, size, "its lines do not make up the %" PRIu64 " bytes that its end line says",
			   st->bytes);
	if (st->wrong_sum)
		reason_add(out, size, "every line is there but the checksum of the whole differs");
	if (st->conflicts > 0)
		reason_add(out, size, "%" PRIu64 " line%s that contradict%s earlier ones", st->conflicts,
			   st->conflicts == 1 ? "" : "s", st->conflicts == 1 ? "s" : "");
	if (st->turned_away > 0)
		reason_add(out, size, "%" PRIu64 " line%s over the size limit of %" PRIu64 " bytes",
			   st->turned_away, st->turned_away == 1 ? "" : "s", s->max_bytes);
	if (st->failed)
		reason_add(out, size, "could not be stored");
}

/* The stream will not become whole: says why, and keeps the lines that are. */
static void stream_give_up(struct store *s, struct store_stream *st)
{
	char reasons[SAY_MAX - 200], base[STORE_NAME_MAX];
	stream_reasons(s, st, reasons, sizeof reasons);
	st->state = STREAM_DAMAGED;
	if (st->file != NULL && st->seen.count > 0) {
		snprintf(base, sizeof base, "%s.damaged", st->has_begin ? st->name : st->token);
		stream_commit(s, st, base, stream_size(st));
	}
	const char *name = st->has_begin ? st->name : "name lost";
	if (st->stored[0] != '\0')
		say_damage(s, "stream %s (%s): %s; what is whole is in %s", st->token, name, reasons,
			   st->stored);
	else
		say_damage(s, "stream %s (%s): %s", st->token, name, reasons);
	stream_leave_open(s, st);
}

/* Names the stream's file if everything is there and right. */
static void stream_try_complete(struct store *s, struct store_stream *st)
{
	if (!st->has_begin || !st->has_end || st->failed || st->wrong_sum || st->seen.count != st->lines ||
	    st->seen.end != st->lines || stream_size(st) != st->bytes)
		return;
	uint32_t sum;
	if (!stream_sum(s, st, &sum)) {
		stream_fail(s, st);
		return;
	}
	if (sum != st->sum) {
		st->wrong_sum = true;
		return;
	}
	st->state = STREAM_WHOLE;
	stream_commit(s, st, st->name, st->bytes);
	if (st->failed) {
		st->state = STREAM_OPEN;
		return;
	}
	say_note(s, "%s: %" PRIu64 " bytes, whole", st->stored, st->bytes);
	stream_leave_open(s, st);
}

static struct store_stream **table_head(struct store *s, struct stream_id id)
{
	uint32_t hash = (id.nonce ^ id.number * 0x9e3779b1u) * 0x85ebca6bu;
	return &s->table[hash >> 20 & (STORE_TABLE_SIZE - 1)];
}

struct store_stream *store_stream_find(struct store *s, struct stream_id id)
{
	struct store_stream *st = s->recent;
	if (st != NULL && st->id.nonce == id.nonce && st->id.number == id.number)
		return st;
	for (st = *table_head(s, id); st != NULL; st = st->table_next)
		if (st->id.nonce == id.nonce && st->id.number == id.number)
			break;
	return st;
}

struct store_stream *store_stream_create(struct store *s, uint64_t log_line, struct stream_id id)
{
	struct store_stream *st = s->n_streams < STORE_STREAMS_MAX ? calloc(1, sizeof *st) : NULL;
	if (st == NULL) {
		say_line(s, "log line %" PRIu64 ": more than %d streams: this one is not read", log_line,
			 STORE_STREAMS_MAX);
		return NULL;
	}
	if (s->n_open == STORE_OPEN_MAX) {
		struct store_stream *quiet = s->open[0];
		for (uint32_t i = 1; i < s->n_open; i++)
			if (s->open[i]->used < quiet->used)
				quiet = s->open[i];
		stream_give_up(s, quiet);
	}
	st->id = id;
	st->heard_ms = s->heard_ms;
	snprintf(st->token, sizeof st->token, "%08" PRIx32 "-%" PRIu32, id.nonce, id.number);
	*s->last = st;
	s->last = &st->next;
	st->table_next = *table_head(s, id);
	*table_head(s, id) = st;
	s->n_streams++;
	s->open[s->n_open++] = st;
	st->file = s->files->create(s->files->ctx, st->token);
	if (st->file == NULL)
		stream_fail(s, st);
	return st;
}

/* ---- frame lines ---- */

static void stream_conflict(struct store *s, struct store_stream *st, uint64_t log_line, const char *what)
{
	st->conflicts++;
	say_line(s, "log line %" PRIu64 ": stream %s: %s", log_line, st->token, what);
}

static void take_begin(struct store *s, struct store_stream *st, uint64_t log_line, const struct frame *f)
{
	if (st->has_begin && strcmp(st->name, f->name) != 0) {
		stream_conflict(s, st, log_line, "a second begin line with another name");
		return;
	}
	memcpy(st->name, f->name, sizeof st->name);
	st->has_begin = true;
}

static void take_end(struct store *s, struct store_stream *st, uint64_t log_line, const struct frame *f)
{
	if (st->has_end && (st->lines != f->line || st->bytes != f->bytes || st->sum != f->sum)) {
		stream_conflict(s, st, log_line, "a second end line that says something else");
		return;
	}
	st->lines = f->line;
	st->bytes = f->bytes;
	st->sum = f->sum;
	st->has_end = true;
}

/* A data line of an open stream that came before: true when both agree. */
static bool line_agrees(struct store *s, struct store_stream *st, const struct frame *f)
{
	uint8_t before[FRAME_DATA_MAX];
	if (f->size != line_size(st, f->line))
		return false;
	if (!s->files->read(st->file, line_offset(f->line), before, f->size)) {
		stream_fail(s, st);
		return true;
	}
	return memcmp(before, f->data, f->size) == 0;
}

static void take_data(struct store *s, struct store_stream *st, uint64_t log_line, const struct frame *f)
{
	if (st->failed)
		return;
	if (line_offset(f->line) + f->size > s->max_bytes) {
		if (st->turned_away++ == 0)
			say_line(s,
				 "log line %" PRIu64 ": stream %s: line %" PRIu32 " is over the size limit",
				 log_line, st->token, f->line);
		return;
	}
	if (lines_has(&st->seen, f->line)) {
		if (!line_agrees(s, st, f))
			stream_conflict(s, st, log_line, "a data line that came before with other bytes");
		return;
	}
	if (f->size < FRAME_DATA_MAX && st->short_size > 0) {
		stream_conflict(s, st, log_line, "a second data line that says it is the last");
		return;
	}
	if (!lines_add(&st->seen, f->line)) {
		stream_fail(s, st);
		return;
	}
	st->seen_count++;
	if (f->size < FRAME_DATA_MAX) {
		st->short_line = f->line;
		st->short_size = (uint8_t)f->size;
	}
	if (!s->files->write(st->file, line_offset(f->line), f->data, f->size))
		stream_fail(s, st);
}

/* A line of a stream that is whole already (a log pasted twice): it must say the same. */
static void take_again(struct store *s, struct store_stream *st, uint64_t log_line, const struct frame *f)
{
	if (f->kind == 'B') {
		take_begin(s, st, log_line, f);
	} else if (f->kind == 'E') {
		take_end(s, st, log_line, f);
	} else if (line_offset(f->line) + f->size > st->bytes ||
		   (f->size < FRAME_DATA_MAX && f->line != st->lines - 1) ||
		   s->files->compare(s->files->ctx, st->stored, line_offset(f->line), f->data, f->size) ==
			   0) {
		stream_conflict(s, st, log_line, "a data line that contradicts the whole dump before it");
	}
}

void store_frame(struct store *s, uint64_t log_line, const struct frame *f)
{
	struct store_stream *st = store_stream_find(s, f->id);
	if (st == NULL)
		st = store_stream_create(s, log_line, f->id);
	if (st == NULL)
		return;
	s->recent = st;
	st->used = s->clock++;
	st->heard_ms = s->heard_ms = s->now_ms;
	if (st->state == STREAM_WHOLE) {
		take_again(s, st, log_line, f);
		return;
	}
	if (st->state == STREAM_DAMAGED) {
		say_line(s, "log line %" PRIu64 ": stream %s was given up before this line", log_line,
			 st->token);
		return;
	}
	if (f->kind == 'B')
		take_begin(s, st, log_line, f);
	else if (f->kind == 'E')
		take_end(s, st, log_line, f);
	else
		take_data(s, st, log_line, f);
	stream_try_complete(s, st);
}

void store_damage(struct store *s, uint64_t log_line, const char *what, const char *excerpt)
{
	s->heard_ms = s->now_ms;
	if (s->repairs) {
		s->unrepaired++;
		s->unsure = true;
		if (s->unrepaired <= STORE_LINE_REPORTS)
			say_note(s, "log line %" PRIu64 ": %s: %s", log_line, what, excerpt);
		return;
	}
	say_line(s, "log line %" PRIu64 ": %s: %s", log_line, what, excerpt);
}

/* ---- the whole ---- */

void store_init(struct store *s, const struct store_files *files, store_say_fn say, void *say_ctx,
		uint64_t max_bytes)
{
	*s = (struct store){.files = files, .say = say, .say_ctx = say_ctx, .max_bytes = max_bytes};
	s->last = &s->first;
}

static int id_compare(const void *a, const void *b)
{
	const struct stream_id *x = a, *y = b;
	if (x->nonce != y->nonce)
		return x->nonce < y->nonce ? -1 : 1;
	return x->number < y->number ? -1 : x->number > y->number;
}

/* Streams of a boot are numbered without gaps: a gap is a dump of which no line arrived. */
static void report_lost(struct store *s)
{
	struct stream_id *ids = calloc(s->n_streams + 1, sizeof *ids);
	if (ids == NULL) {
		s->failed = true;
		return;
	}
	uint32_t n = 0;
	for (const struct store_stream *st = s->first; st != NULL; st = st->next)
		ids[n++] = st->id;
	qsort(ids, n, sizeof *ids, id_compare);
	for (uint32_t i = 0; i < n; i++) {
		bool same_boot = i > 0 && ids[i - 1].nonce == ids[i].nonce;
		uint32_t next = same_boot ? ids[i - 1].number + 1 : ids[i].number;
		if (!same_boot && ids[i].number > 0)
			say_note(s, "of boot %08" PRIx32 " the input has no stream before %" PRIu32,
				 ids[i].nonce, ids[i].number);
		if (next + 1 == ids[i].number)
			say_damage(s, "stream %08" PRIx32 "-%" PRIu32 ": no line of it arrived", ids[i].nonce,
				   next);
		else if (next < ids[i].number)
			say_damage(s,
				   "streams %08" PRIx32 "-%" PRIu32 " to %08" PRIx32 "-%" PRIu32
				   ": no line of them arrived",
				   ids[i].nonce, next, ids[i].nonce, ids[i].number - 1);
	}
	free(ids);
}

void store_finish(struct store *s)
{
	for (struct store_stream *st = s->first; st != NULL; st = st->next)
		if (st->state == STREAM_OPEN)
			stream_give_up(s, st);
	report_lost(s);
	if (s->unrepaired > 0 && (s->unsure || s->damages > 0))
		say_damage(s, "%" PRIu64 " damaged lines", s->unrepaired);
	else if (s->unrepaired > 0)
		say_note(s, "%" PRIu64 " damaged lines, and every dump is whole: they were sent again",
			 s->unrepaired);
	if (s->line_reports > STORE_LINE_REPORTS)
		say_damage(s, "%" PRIu64 " more damaged lines", s->line_reports - STORE_LINE_REPORTS);
}

bool store_has(const struct store *s, const char *name)
{
	for (const struct store_stream *st = s->first; st != NULL; st = st->next)
		if (st->state == STREAM_WHOLE && strcmp(st->name, name) == 0)
			return true;
	return false;
}

uint64_t store_stream_bytes(const struct store_stream *st)
{
	return st->state == STREAM_WHOLE ? st->bytes : st->seen_count * FRAME_DATA_MAX;
}

void store_free(struct store *s)
{
	for (struct store_stream *st = s->first, *next; st != NULL; st = next) {
		next = st->next;
		if (st->file != NULL)
			s->files->discard(st->file);
		lines_free(&st->seen);
		free(st);
	}
	*s = (struct store){0};
}

/*
 * What is whole of a damaged trace (see trace_mend.h).
 *
 * A line of the console that did not come is FRAME_DATA_MAX zeros at its place: no such stretch is in a trace, where 0 is no event. Behind a
 * hole inside the payload of a batch the next batch is found by the size in the head; behind one in a head, by looking for a place from which
 * batch follows batch. A generation is whole when its batches follow each other from the end of the one before, none has a hole, and the
 * last is its frequency, which is written last.
 *
 *	| generation 1 | generation 2 ...hole... | generation 3 |      1: whole; 2: not; 3: whole, for 2's frequency came before it
 *
 * A compressed trace is a gzip member for each generation, the header in the first: those that unpack, with their checksums, are whole, and so
 * each member begins at a generation.
 */
#include "tools/hbdump/trace_mend.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/framing.h"
#include "tools/hbdump/gunzip.h"
#include "tools/hbdump/trace_check.h"
#include "tools/hbdump/trace_file.h"
#include "tools/hbdump/vector.h"

enum {
	HEADER_SIZE = 16,
	CHAIN = 3, /* batches that follow each other are no accident */
	EXIT_NONE = 1,
	EXIT_TROUBLE = 2,
};

static const char header[HEADER_SIZE + 1] = "go 1.22 trace\0\0";

struct search {
	const uint8_t *data;
	size_t n;
	bool holes;
};

/* Whether a line that did not come has a byte of [from, to). */
static bool holed(const struct search *s, size_t from, size_t to)
{
	static const uint8_t zeros[FRAME_DATA_MAX];
	if (!s->holes)
		return false;
	for (size_t line = from / FRAME_DATA_MAX * FRAME_DATA_MAX; line < to; line += FRAME_DATA_MAX) {
		size_t n = s->n - line < FRAME_DATA_MAX ? s->n - line : FRAME_DATA_MAX;
		if (memcmp(s->data + line, zeros, n) == 0)
			return true;
	}
	return false;
}

/* The batch that begins at `at`: its head is whole and can be one. */
static bool head_at(const struct search *s, size_t at, uint64_t *number, struct trace_batch *batch)
{
	struct trace_file f = {.data = s->data, .n = s->n, .at = at, .version = 22};
	return at < s->n && trace_batch_head(&f, number, batch) == NULL && batch->size > 0 &&
	       !holed(s, at, batch->at + 1) && s->data[batch->at] != 0 && s->data[batch->at] < EV_GO_SWITCH;
}

/* The first place from `at` on where batches follow each other, or the end. */
static size_t find(const struct search *s, size_t at)
{
	for (; at < s->n; at++) {
		size_t next = at;
		uint64_t last = 0, number;
		struct trace_batch batch;
		unsigned k = 0;
		while (k < CHAIN && next < s->n && head_at(s, next, &number, &batch) &&
		       (k == 0 || number == last || number == last + 1)) {
			last = number;
			next = batch.at + batch.size;
			k++;
		}
		if (k == CHAIN || (k > 0 && next == s->n))
			return at;
	}
	return at;
}

size_t trace_pieces(const uint8_t *data, size_t n, int holes, struct trace_piece **list)
{
	const struct search s = {data, n, holes != 0};
	bool headed = n >= HEADER_SIZE && memcmp(data, header, HEADER_SIZE) == 0;
	bool ended = headed || !holes; /* a generation begins here */
	bool whole = false;
	uint64_t number, now = 0;
	size_t at = headed ? HEADER_SIZE : ended ? 0 : find(&s, 0), n_list = 0, from = at;
	struct trace_batch batch;
	*list = NULL;
	while (at < n) {
		if (!head_at(&s, at, &number, &batch)) {
			whole = ended = false;
			now = 0;
			at = find(&s, at + 1);
			continue;
		}
		if (number != now) {
			whole = ended;
			from = at;
		}
		now = number;
		size_t to = batch.at + batch.size;
		whole &= !holed(&s, at, to);
		ended = data[batch.at] == EV_FREQUENCY;
		if (ended && whole)
			*VECTOR_ADD(*list, n_list) = (struct trace_piece){number, from, to};
		if (ended)
			whole = false; /* it has ended: what has its number and follows is not of it */
		at = to;
	}
	return n_list;
}

/* ---- files ---- */

/* The generations of a compressed trace, one behind the other. */
static uint8_t *members_unpack(const uint8_t *data, size_t n, size_t *out_n)
{
	static const uint8_t magic[] = {0x1f, 0x8b, 8};
	uint8_t *all = NULL;
	size_t room = 0;
	*out_n = 0;
	for (size_t at = 0; at + sizeof magic <= n;) {
		uint8_t *part;
		size_t part_n, used;
		if (memcmp(data + at, magic, sizeof magic) != 0 ||
		    gunzip_first(data + at, n - at, TRACE_SIZE_MAX - *out_n, &part, &part_n, &used) != NULL) {
			at++;
			continue;
		}
		while (*out_n + part_n > room)
			all = vector_resize(all, room = room == 0 ? 1 << 20 : 2 * room, 1);
		if (part_n > 0)
			memcpy(all + *out_n, part, part_n);
		*out_n += part_n;
		free(part);
		at += used;
	}
	return all;
}

/* Name of the file number `file`, from 1 on. To be freed. */
static char *name_of(const char *to, unsigned file)
{
	const char *base = strrchr(to, '/'), *dot = strchr(base != NULL ? base : to, '.');
	size_t stem = dot != NULL ? (size_t)(dot - to) : strlen(to), size = strlen(to) + 16;
	char *name = vector_resize(NULL, size, 1);
	if (file == 1)
		snprintf(name, size, "%s", to);
	else
		snprintf(name, size, "%.*s.%u%s", (int)stem, to, file, to + stem);
	return name;
}

/* Those of list[0 .. n), which follow each other, into one file. */
static bool file_write(const char *name, const uint8_t *data, const struct trace_piece *list, size_t n)
{
	FILE *f = fopen(name, "wb");
	bool ok = f != NULL && fwrite(header, HEADER_SIZE, 1, f) == 1;
	for (size_t i = 0; i < n && ok; i++)
		ok = fwrite(data + list[i].from, list[i].to - list[i].from, 1, f) == 1;
	if (f != NULL && fclose(f) != 0)
		ok = false;
	if (!ok)
		fprintf(stderr, "hbdump: %s: cannot write: %s\n", name, strerror(errno));
	else
		fprintf(stderr, "hbdump: %s: generations %" PRIu64 " to %" PRIu64 "\n", name, list[0].number,
			list[n - 1].number);
	return ok;
}

static bool pieces_write(const char *to, const uint8_t *data, const struct trace_piece *list, size_t n)
{
	bool ok = true;
	unsigned file = 0;
	for (size_t i = 0, end; i < n && ok; i = end) {
		for (end = i + 1; end < n && list[end].number == list[end - 1].number + 1;)
			end++;
		char *name = name_of(to, ++file);
		ok = file_write(name, data, list + i, end - i);
		free(name);
	}
	return ok;
}

static void cut(char *name, const char *end)
{
	size_t n = strlen(name), m = strlen(end);
	if (n > m && strcmp(name + n - m, end) == 0)
		name[n - m] = '\0';
}

int trace_mend_run(const char *path, const char *to)
{
	size_t n;
	struct trace_piece *list;
	uint8_t *data = trace_file_load(path, &n);
	if (data == NULL)
		return EXIT_TROUBLE;
	bool packed = n >= 2 && data[0] == 0x1f && data[1] == 0x8b;
	size_t length = strlen(path);
	packed |= length > 11 && strcmp(path + length - 11, ".gz.damaged") == 0;
	if (packed) {
		uint8_t *unpacked = members_unpack(data, n, &n);
		free(data);
		data = unpacked;
	}
	size_t pieces = trace_pieces(data, n, !packed, &list);
	char *name = vector_resize(NULL, length + 8, 1);
	snprintf(name, length + 8, "%s", path);
	cut(name, ".damaged");
	cut(name, ".gz");
	if (to == NULL && strcmp(name, path) == 0)
		snprintf(name, length + 8, "%s.mended", path);
	int status = pieces == 0 ? EXIT_NONE : 0;
	if (pieces == 0)
		fprintf(stderr, "hbdump: %s: no generation of a trace is whole in it\n", path);
	else if (!pieces_write(to != NULL ? to : name, data, list, pieces))
		status = EXIT_TROUBLE;
	free(name);
	free(list);
	free(data);
	return status;
}

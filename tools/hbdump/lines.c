/* A growing bit set and its gaps (see lines.h). */
#include "tools/hbdump/lines.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	FIRST_ROOM = 4096, /* lines */
	RANGES_MAX = 16,   /* ranges written out */
};

bool lines_has(const struct line_set *s, uint64_t line)
{
	return line < s->room && (s->bits[line / 64] >> (line % 64) & 1) != 0;
}

bool lines_add(struct line_set *s, uint64_t line)
{
	if (line >= s->room) {
		uint64_t room = s->room == 0 ? FIRST_ROOM : s->room;
		while (line >= room)
			room *= 2;
		uint64_t *bits = calloc(room / 64, sizeof *bits);
		if (bits == NULL)
			return false;
		if (s->room > 0)
			memcpy(bits, s->bits, s->room / 8);
		free(s->bits);
		s->bits = bits;
		s->room = room;
	}
	s->bits[line / 64] |= (uint64_t)1 << (line % 64);
	s->count++;
	if (line >= s->end)
		s->end = line + 1;
	return true;
}

/* The first line from `from` on, and below `below`, whose membership is `member`; else `below`. */
static uint64_t lines_next(const struct line_set *s, uint64_t from, uint64_t below, bool member)
{
	while (from < below) {
		if (from >= s->end)
			return member ? below : from;
		uint64_t word = member ? s->bits[from / 64] : ~s->bits[from / 64];
		word >>= from % 64;
		if (word != 0) {
			from += (uint64_t)__builtin_ctzll(word);
			return from < below ? from : below;
		}
		from = (from / 64 + 1) * 64;
	}
	return below;
}

uint64_t lines_missing(const struct line_set *s, uint64_t below, char *out, size_t size)
{
	uint64_t total = 0, written = 0;
	int ranges = 0;
	size_t at = 0;
	out[0] = '\0';
	for (uint64_t from = 0;;) {
		uint64_t first = lines_next(s, from, below, false);
		if (first == below)
			break;
		from = lines_next(s, first, below, true);
		total += from - first;
		if (ranges++ >= RANGES_MAX || at + 48 > size)
			continue;
		written = total;
		at += (size_t)snprintf(out + at, size - at, "%s%" PRIu64, at > 0 ? ", " : "", first);
		if (from - first > 1)
			at += (size_t)snprintf(out + at, size - at, "-%" PRIu64, from - 1);
	}
	if (total > written && at < size)
		snprintf(out + at, size - at, " and %" PRIu64 " more", total - written);
	return total;
}

size_t lines_list(const struct line_set *s, uint64_t below, char *out, size_t size)
{
	size_t at = 0;
	out[0] = '\0';
	for (uint64_t from = 0; at + 44 < size;) { /* two numbers of 20 digits */
		uint64_t first = lines_next(s, from, below, false);
		if (first == below)
			break;
		from = lines_next(s, first, below, true);
		at += (size_t)snprintf(out + at, size - at, "%s%" PRIu64, at > 0 ? "," : "", first);
		if (from - first > 1)
			at += (size_t)snprintf(out + at, size - at, "-%" PRIu64, from - 1);
	}
	return at;
}

void lines_free(struct line_set *s)
{
	free(s->bits);
	*s = (struct line_set){0};
}

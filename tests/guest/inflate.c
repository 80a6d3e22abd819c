/* See inflate.h. The format is RFC 1951's; a code is read bit by bit. */
#include "inflate.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { BITS_MAX = 15, CODES_MAX = 288, HEAD = 10 };

struct stream {
	const uint8_t *in;
	size_t n, at; /* bytes; bits */
	uint8_t *out;
	size_t made, max;
	bool bad;
};

struct code {
	uint16_t count[BITS_MAX + 1], symbol[CODES_MAX];
};

static uint32_t bits(struct stream *s, unsigned n)
{
	uint32_t v = 0;
	for (unsigned i = 0; i < n; i++, s->at++) {
		if (s->at / 8 >= s->n)
			s->bad = true;
		else
			v |= (uint32_t)(s->in[s->at / 8] >> s->at % 8 & 1) << i;
	}
	return v;
}

static void code_make(struct code *c, const uint8_t *lengths, unsigned n)
{
	uint16_t at[BITS_MAX + 2] = {0};
	memset(c, 0, sizeof *c);
	for (unsigned i = 0; i < n; i++)
		c->count[lengths[i]]++;
	c->count[0] = 0;
	for (unsigned i = 1; i <= BITS_MAX; i++)
		at[i + 1] = (uint16_t)(at[i] + c->count[i]);
	for (unsigned i = 0; i < n; i++)
		if (lengths[i] != 0)
			c->symbol[at[lengths[i]]++] = (uint16_t)i;
}

static unsigned symbol(struct stream *s, const struct code *c)
{
	int code = 0, first = 0, index = 0;
	for (unsigned n = 1; n <= BITS_MAX; n++) {
		code |= (int)bits(s, 1);
		if (code - first < c->count[n])
			return c->symbol[index + code - first];
		index += c->count[n];
		first = (first + c->count[n]) << 1;
		code <<= 1;
	}
	s->bad = true;
	return 0;
}

static void put(struct stream *s, uint8_t byte)
{
	if (s->made == s->max)
		s->bad = true;
	else
		s->out[s->made++] = byte;
}

static void copy(struct stream *s, const struct code *distances, unsigned length_symbol)
{
	static const uint16_t length[] = {3,  4,  5,  6,  7,  8,  9,  10, 11,  13,  15,  17,  19,  23, 27,
					  31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258};
	static const uint8_t more[] = {0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2,
				       2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0};
	uint32_t n = length[length_symbol] + bits(s, more[length_symbol]);
	unsigned d = symbol(s, distances), extra = d < 4 ? 0 : d / 2 - 1;
	size_t back = d < 4 ? d + 1 : (size_t)((2 + d % 2) << extra) + 1 + bits(s, extra);
	if (back > s->made)
		s->bad = true;
	for (; n > 0 && !s->bad; n--)
		put(s, s->out[s->made - back]);
}

static void codes_read(struct stream *s, struct code *literals, struct code *distances)
{
	static const uint8_t order[] = {16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15};
	uint8_t lengths[CODES_MAX + 32 + 140] = {0};
	unsigned n_literals = bits(s, 5) + 257, n_distances = bits(s, 5) + 1, n = bits(s, 4) + 4, i = 0;
	for (unsigned k = 0; k < n; k++)
		lengths[order[k]] = (uint8_t)bits(s, 3);
	code_make(literals, lengths, 19);
	memset(lengths, 0, sizeof lengths);
	while (i < n_literals + n_distances && !s->bad) {
		unsigned what = symbol(s, literals), value = 0, times = 1;
		if (what < 16)
			value = what;
		else if (what == 16 && i > 0)
			value = lengths[i - 1], times = 3 + bits(s, 2);
		else
			times = what == 17 ? 3 + bits(s, 3) : 11 + bits(s, 7);
		for (; times > 0; times--)
			lengths[i++] = (uint8_t)value;
	}
	code_make(distances, lengths + n_literals, n_distances);
	code_make(literals, lengths, n_literals);
}

static void codes_fixed(struct code *literals, struct code *distances)
{
	uint8_t lengths[CODES_MAX];
	for (unsigned i = 0; i < CODES_MAX; i++)
		lengths[i] = i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8;
	code_make(literals, lengths, CODES_MAX);
	memset(lengths, 5, 30);
	code_make(distances, lengths, 30);
}

static void stored(struct stream *s)
{
	s->at = (s->at + 7) / 8 * 8;
	uint32_t n = bits(s, 16);
	bits(s, 16);
	for (; n > 0 && !s->bad; n--)
		put(s, (uint8_t)bits(s, 8));
}

size_t inflate_gzip(const void *in, size_t n, void *out, size_t max)
{
	static const uint8_t head[] = {0x1f, 0x8b, 8, 0};
	static struct code literals, distances; /* large for a stack; one at a time */
	struct stream s = {.in = in, .n = n, .at = HEAD * 8, .out = out, .max = max};
	if (n < HEAD || memcmp(in, head, sizeof head) != 0)
		return 0;
	for (bool last = false; !last && !s.bad;) {
		last = bits(&s, 1) != 0;
		unsigned kind = bits(&s, 2);
		if (kind == 0) {
			stored(&s);
			continue;
		}
		if (kind == 1)
			codes_fixed(&literals, &distances);
		else
			codes_read(&s, &literals, &distances);
		for (unsigned what; !s.bad && (what = symbol(&s, &literals)) != 256;) {
			if (what < 256)
				put(&s, (uint8_t)what);
			else if (what - 257 < 29)
				copy(&s, &distances, what - 257);
			else
				s.bad = true;
		}
	}
	return s.bad ? 0 : s.made;
}

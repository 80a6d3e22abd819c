/*
 * Canonical Huffman codes. Of symbols that are equally frequent the smaller comes first, so that the same image always gives the same
 * bytes. Where a code would be longer than the format allows, the counts are flattened until it is not.
 */
#include "tools/symtab/code.h"

#include <math.h>

enum { SYMBOLS = SYMTAB_SYMBOLS };

void tokens_byte(struct tokens *t, enum symtab_stream stream, unsigned byte)
{
	ARRAY_ROOM(t->all, t->n);
	t->all[t->n++] = (uint16_t)(stream << 8 | byte);
}

void tokens_varint(struct tokens *t, enum symtab_stream stream, uint32_t v)
{
	for (; v >= 0x80; v >>= 7)
		tokens_byte(t, stream, (v & 0x7f) | 0x80);
	tokens_byte(t, stream, v);
}

void tokens_zigzag(struct tokens *t, enum symtab_stream stream, int32_t v)
{
	tokens_varint(t, stream, (uint32_t)v << 1 ^ (uint32_t)(v >> 31));
}

void counts_add(struct token_counts *c, const struct tokens *t, size_t times)
{
	for (size_t i = 0; i < t->n; i++)
		c->of[t->all[i] >> 8][t->all[i] & 0xff] += times;
}

double counts_entropy(const struct token_counts *c)
{
	double bits = 0;
	for (int s = 0; s < SYMTAB_STREAMS; s++) {
		size_t all = 0;
		for (int i = 0; i < SYMBOLS; i++)
			all += c->of[s][i];
		for (int i = 0; i < SYMBOLS; i++) {
			if (c->of[s][i] > 0)
				bits += 8 + (double)c->of[s][i] * log2((double)all / (double)c->of[s][i]);
		}
	}
	return bits;
}

/* Sets the code lengths of a stream and returns the longest. */
static unsigned lengths_make(const size_t *count, uint8_t *bits)
{
	struct {
		size_t count;
		int parent; /* -1: none yet */
	} node[2 * SYMBOLS];
	int leaf[SYMBOLS], n = 0;
	for (int i = 0; i < SYMBOLS; i++) {
		bits[i] = 0;
		if (count[i] == 0)
			continue;
		leaf[n] = i;
		node[n].count = count[i];
		node[n++].parent = -1;
	}
	int n_leaves = n;
	for (int left = n_leaves; left > 1; left--) { /* the two rarest become one */
		int a = -1, b = -1;
		for (int i = 0; i < n; i++) {
			if (node[i].parent >= 0)
				continue;
			if (a < 0 || node[i].count < node[a].count) {
				b = a;
				a = i;
			} else if (b < 0 || node[i].count < node[b].count) {
				b = i;
			}
		}
		node[n].count = node[a].count + node[b].count;
		node[n].parent = -1;
		node[a].parent = node[b].parent = n++;
	}
	unsigned longest = 0;
	for (int i = 0; i < n_leaves; i++) {
		unsigned depth = n_leaves == 1; /* a single symbol still takes a bit */
		for (int k = i; node[k].parent >= 0; k = node[k].parent)
			depth++;
		bits[leaf[i]] = (uint8_t)depth;
		longest = depth > longest ? depth : longest;
	}
	return longest;
}

static void stream_make(size_t *count, uint8_t *bits, uint16_t *code, struct buffer *part)
{
	while (lengths_make(count, bits) > SYMTAB_CODE_BITS) {
		for (int i = 0; i < SYMBOLS; i++)
			count[i] = (count[i] + 1) / 2;
	}
	uint8_t symbols[SYMBOLS];
	uint16_t lengths[SYMTAB_CODE_BITS] = {0};
	unsigned next = 0, n = 0;
	for (unsigned length = 1; length <= SYMTAB_CODE_BITS; length++, next <<= 1) {
		for (int i = 0; i < SYMBOLS; i++) {
			if (bits[i] != length)
				continue;
			symbols[n++] = (uint8_t)i;
			code[i] = (uint16_t)next++;
			lengths[length - 1]++;
		}
	}
	buffer_put(part, lengths, sizeof lengths);
	buffer_put(part, symbols, n);
}

void codes_make(struct codes *c, const struct tokens *t, struct buffer *part)
{
	static struct token_counts count;
	count = (struct token_counts){0};
	counts_add(&count, t, 1);
	for (int s = 0; s < SYMTAB_STREAMS; s++)
		stream_make(count.of[s], c->bits[s], c->code[s], part);
	for (int i = 0; i < SYMBOLS; i++) {
		c->bits[SYMTAB_RAW][i] = 8;
		c->code[SYMTAB_RAW][i] = (uint16_t)i;
	}
}

void bits_put(struct bit_buffer *out, uint32_t v, unsigned width)
{
	for (unsigned k = width; k-- > 0; out->n++) {
		if (out->n % 8 == 0)
			buffer_byte(&out->bytes, 0);
		out->bytes.data[out->n / 8] |= (uint8_t)((v >> k & 1) << (7 - out->n % 8));
	}
}

unsigned bits_width(uint32_t v)
{
	unsigned width = 1;
	while (v >> width != 0)
		width++;
	return width;
}

void codes_write(const struct codes *c, const struct tokens *t, size_t from, size_t to,
		 struct bit_buffer *out)
{
	for (size_t i = from; i < to; i++) {
		unsigned stream = t->all[i] >> 8, byte = t->all[i] & 0xff;
		bits_put(out, c->code[stream][byte], c->bits[stream][byte]);
	}
}

size_t codes_size(const struct codes *c, const struct tokens *t, size_t from, size_t to)
{
	size_t bits = 0;
	for (size_t i = from; i < to; i++)
		bits += c->bits[t->all[i] >> 8][t->all[i] & 0xff];
	return bits;
}

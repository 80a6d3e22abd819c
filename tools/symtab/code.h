/* Huffman codes for the bytes of the details part: a code for each stream (enum symtab_stream). */
#ifndef TOOLS_SYMTAB_CODE_H
#define TOOLS_SYMTAB_CODE_H

#include "kernel/symtab_format.h"
#include "tools/symtab/buffer.h"

enum { SYMTAB_SYMBOLS = 256 }; /* a byte has so many values */

/* Bytes before they are coded: stream << 8 | byte. */
struct tokens {
	uint16_t *all;
	size_t n;
};

struct bit_buffer {
	struct buffer bytes;
	size_t n; /* bits */
};

void tokens_byte(struct tokens *t, enum symtab_stream stream, unsigned byte);
void tokens_varint(struct tokens *t, enum symtab_stream stream, uint32_t v);
/* v as zigzag varint: 0, -1, 1, -2, ... */
void tokens_zigzag(struct tokens *t, enum symtab_stream stream, int32_t v);

/* How often each byte occurs in each stream. */
struct token_counts {
	size_t of[SYMTAB_STREAMS + 1][SYMTAB_SYMBOLS];
};

/* Adds the tokens, so many times. */
void counts_add(struct token_counts *c, const struct tokens *t, size_t times);
/* What such tokens take at best, with a code made for them alone, in bits. */
double counts_entropy(const struct token_counts *c);

struct codes {
	uint8_t bits[SYMTAB_STREAMS + 1][SYMTAB_SYMBOLS];  /* length; 0: the byte does not occur */
	uint16_t code[SYMTAB_STREAMS + 1][SYMTAB_SYMBOLS]; /* the last one is RAW's */
};

/* Makes the best codes for the tokens, and the part that tells them to the reader. */
void codes_make(struct codes *c, const struct tokens *t, struct buffer *part);

/* Appends the lowest `width` bits of v; the highest of them first. */
void bits_put(struct bit_buffer *out, uint32_t v, unsigned width);
/* How many bits hold v: 1 at least. */
unsigned bits_width(uint32_t v);

/* Appends tokens[from .. to - 1]. */
void codes_write(const struct codes *c, const struct tokens *t, size_t from, size_t to,
		 struct bit_buffer *out);
/* What codes_write() would append, in bits. */
size_t codes_size(const struct codes *c, const struct tokens *t, size_t from, size_t to);

#endif

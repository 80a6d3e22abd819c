/* Growing buffers for the table's parts. */
#include "tools/symtab/buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void die(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	fputs("symtab: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
	exit(1);
}

void *grow(void *old, size_t count, size_t element)
{
	void *p = reallocarray(old, count ? count : 1, element);
	if (p == NULL)
		die("out of memory");
	return p;
}

void buffer_put(struct buffer *b, const void *data, size_t size)
{
	for (size_t i = 0; i < size; i++)
		buffer_byte(b, ((const uint8_t *)data)[i]);
}

void buffer_byte(struct buffer *b, unsigned byte)
{
	ARRAY_ROOM(b->data, b->size);
	b->data[b->size++] = (uint8_t)byte;
}

void buffer_varint(struct buffer *b, uint32_t v)
{
	for (; v >= 0x80; v >>= 7)
		buffer_byte(b, (v & 0x7f) | 0x80);
	buffer_byte(b, v);
}

void buffer_zigzag(struct buffer *b, int32_t v)
{
	buffer_varint(b, (uint32_t)v << 1 ^ (uint32_t)(v >> 31));
}

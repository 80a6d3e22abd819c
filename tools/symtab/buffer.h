/* A growing run of bytes, and the end of the program for whatever cannot go on. */
#ifndef TOOLS_SYMTAB_BUFFER_H
#define TOOLS_SYMTAB_BUFFER_H

#include <stddef.h>
#include <stdint.h>

/* Prints "symtab: " and the message, and exits with status 1. */
_Noreturn void die(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* realloc() of `count` elements that does not return NULL. Nothing is ever freed: the program is short. */
void *grow(void *old, size_t count, size_t element) __attribute__((warn_unused_result));

/* Makes room for one more element behind `n` in an array that doubles: call before writing a[n]. */
#define ARRAY_ROOM(a, n)                                               \
	do {                                                           \
		if (((n) & ((n)-1)) == 0)                              \
			(a) = grow((a), (n) ? (n)*2 : 1, sizeof *(a)); \
	} while (0)

struct buffer {
	uint8_t *data;
	size_t size;
};

void buffer_put(struct buffer *b, const void *data, size_t size);
void buffer_byte(struct buffer *b, unsigned byte);
void buffer_varint(struct buffer *b, uint32_t v);
/* v as zigzag varint: 0, -1, 1, -2, ... */
void buffer_zigzag(struct buffer *b, int32_t v);

#endif

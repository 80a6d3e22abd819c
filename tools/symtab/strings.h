/* The names part: each string once, NUL-terminated; the empty string at offset 0. */
#ifndef TOOLS_SYMTAB_STRINGS_H
#define TOOLS_SYMTAB_STRINGS_H

#include <stdint.h>

#include "tools/symtab/buffer.h"

/* Offset of `s` in the names part; adds it when it is new. */
uint32_t strings_add(const char *s);

/* The whole part. */
const struct buffer *strings_part(void);

/* The one copy of `s`: two equal strings give the same pointer. Not part of the table. */
const char *strings_intern(const char *s);

#endif

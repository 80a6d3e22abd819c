/* The names of the table: each string once, numbered in alphabetical order. */
#ifndef TOOLS_SYMTAB_STRINGS_H
#define TOOLS_SYMTAB_STRINGS_H

#include <stdint.h>

#include "tools/symtab/code.h"

/* Makes `s` one of the names. All before strings_number(). */
void strings_add(const char *s);

/* The number of a name that was added. The first call numbers them all. */
uint32_t strings_number(const char *s);

/* The names in order, as they are written; and in *size what they take when unpacked. Returns how many there are. */
size_t strings_tokens(struct tokens *t, size_t *size);

/* The one copy of `s`: two equal strings give the same pointer. Not part of the table. */
const char *strings_intern(const char *s);

#endif

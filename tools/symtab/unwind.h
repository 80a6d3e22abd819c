/* The unwind pages, rows and rules of the table, from the image's CFI. */
#ifndef TOOLS_SYMTAB_UNWIND_H
#define TOOLS_SYMTAB_UNWIND_H

#include "tools/symtab/buffer.h"
#include "tools/symtab/functions.h"

struct unwind_parts {
	struct buffer pages, rows, rules;
	unsigned rule_bits;
};

/* Makes the parts, and notes in each function whether CFI covers its start, and where it is of no use. */
void unwind_make(const struct image *im, struct function *f, size_t n, struct unwind_parts *out);

#endif

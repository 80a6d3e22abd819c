/* The unwind pages, rows and rules of the table, from the image's CFI. */
#ifndef TOOLS_SYMTAB_UNWIND_H
#define TOOLS_SYMTAB_UNWIND_H

#include "tools/symtab/buffer.h"
#include "tools/symtab/functions.h"

struct unwind_parts {
	struct buffer pages, rows, rules;
	unsigned rule_bits;
	size_t n_refused; /* stretches of code whose CFI says what a rule cannot hold */
};

/* Makes the parts, and notes in each function whether CFI covers its start. */
void unwind_make(const struct image *im, struct function *f, size_t n, struct unwind_parts *out);

#endif

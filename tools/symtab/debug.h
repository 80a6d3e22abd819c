/* Files, lines and inlined calls of the functions, from the image's debug information. */
#ifndef TOOLS_SYMTAB_DEBUG_H
#define TOOLS_SYMTAB_DEBUG_H

#include "tools/symtab/functions.h"

/* A function that was inlined somewhere. */
struct inlined {
	const char *name, *file; /* interned; file NULL when not known */
	unsigned line;           /* of the declaration */
};

struct debug_info {
	struct inlined *inlined;
	size_t n_inlined;
};

/*
 * Fills in file, line, nodes and rows of the functions. With `all_rows` every row of the line tables is kept,
 * else those that begin a statement (and those that change the inlined function, so that lines always fit
 * functions).
 */
void debug_read(const struct image *im, struct function *f, size_t n, bool all_rows, struct debug_info *out);

#endif

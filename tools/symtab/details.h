/* The details part: size, name, declaration, inline nodes and row chunks of each function. */
#ifndef TOOLS_SYMTAB_DETAILS_H
#define TOOLS_SYMTAB_DETAILS_H

#include "tools/symtab/buffer.h"
#include "tools/symtab/debug.h"

struct details {
	struct buffer functions, files, inlines, bytes; /* the parts of these names */
	int line_base;
	unsigned line_range, fars;
	size_t n_rows, n_nodes, row_bytes, node_bytes; /* for the statistics */
};

void details_make(const struct image *im, const struct function *f, size_t n, const struct debug_info *info,
		  struct details *out);

#endif

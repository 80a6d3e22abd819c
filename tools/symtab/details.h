/* Name, size, declaration, inline nodes and row chunks of each function, and the names. */
#ifndef TOOLS_SYMTAB_DETAILS_H
#define TOOLS_SYMTAB_DETAILS_H

#include "tools/symtab/buffer.h"
#include "tools/symtab/debug.h"

struct details {
	struct buffer functions, files, inlines, codes, bytes, names; /* the parts of these names */
	int line_base;
	unsigned line_range, fars;
	unsigned start_width, detail_width, name_width, file_width, line_width;
	size_t n_files, n_inlines, n_names, names_size;
	size_t n_rows, n_nodes, row_bits, node_bits; /* for the statistics */
};

void details_make(const struct image *im, const struct function *f, size_t n, const struct debug_info *info,
		  struct details *out);

#endif

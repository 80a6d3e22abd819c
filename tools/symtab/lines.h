/* The line rows of the image, and of one function. */
#ifndef TOOLS_SYMTAB_LINES_H
#define TOOLS_SYMTAB_LINES_H

#include "tools/symtab/inline.h"

struct line {
	uint64_t pc;
	const char *file; /* interned */
	unsigned line;
	bool statement, end; /* begins a statement; one past the code of a sequence */
	size_t order;        /* of rows at one pc the last one holds */
};

struct line_table {
	struct line *all; /* sorted by pc, ends first, then by order */
	size_t n;
};

void lines_read(const struct image *im, struct line_table *out);

/* Makes f->rows; for a function without declaration also its file and line. Drops inline nodes without code.
 */
void lines_assign(const struct line_table *lines, struct function *f, const struct inline_tree *tree,
		  const struct debug_info *info, bool all_rows);

#endif

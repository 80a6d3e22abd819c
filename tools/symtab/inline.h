/* The inlined calls of one function and where their code lies. */
#ifndef TOOLS_SYMTAB_INLINE_H
#define TOOLS_SYMTAB_INLINE_H

#include "tools/symtab/debug.h"

struct inline_range {
	uint64_t lo, hi;
	uint32_t node;
};

struct inline_tree {
	struct inline_range *ranges;
	size_t n_ranges;
};

/* Reads the tree below a subprogram into f->nodes (preorder) and the ranges inside of f into the tree. */
void inline_tree_read(struct inline_tree *tree, struct function *f, Dwarf_Die *subprogram, Dwarf_Files *files,
		      struct debug_info *info);

/* The innermost node whose code holds pc; 0: the function itself. */
uint32_t inline_node_at(const struct inline_tree *tree, const struct function *f, uint64_t pc);

#endif

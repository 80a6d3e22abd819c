/* The functions of the image, sorted by start, without overlap. */
#ifndef TOOLS_SYMTAB_FUNCTIONS_H
#define TOOLS_SYMTAB_FUNCTIONS_H

#include "tools/symtab/image.h"

/* A call that was inlined: node of a function's inline tree. */
struct node {
	uint32_t parent;       /* index into the function's nodes; 0: the function itself */
	uint32_t inlined;      /* number of the inlined function, see debug.h */
	const char *call_file; /* interned; NULL: not known */
	unsigned call_line;
	unsigned depth; /* 1: called in the function itself */
};

/* From pc on: the innermost inline node, and the place in the source. */
struct row {
	uint64_t pc;
	uint32_t node;    /* 0: the function itself */
	const char *file; /* interned */
	unsigned line;
};

struct function {
	uint64_t start, size;
	const char *name;
	const char *file; /* of the declaration, interned; NULL when not known */
	unsigned line;
	struct node *nodes; /* nodes[0] stands for the function; the others in preorder */
	size_t n_nodes;
	struct row *rows; /* sorted by pc; the first is at start */
	size_t n_rows;
	bool has_cfi;
	size_t refused; /* bytes of code whose CFI says what a rule cannot hold */
};

/* Reads the functions from the ELF's symbols; sets *out and returns their number. */
size_t functions_read(const struct image *im, struct function **out);

/* The function that holds addr, or NULL. */
struct function *functions_find(struct function *f, size_t n, uint64_t addr);

#endif

/*
 * Reader of a flattened device tree (Devicetree Specification 0.4, chapter 5): checks the blob once, then
 * walks its nodes and reads their properties where they lie. Knows no binding; boot/fdt_info does.
 */
#ifndef BOOT_FDT_H
#define BOOT_FDT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	FDT_DEPTH_MAX = 16,      /* levels of nodes; QEMU's virt has 5 */
	FDT_CELLS_DEFAULT_A = 2, /* a node without #address-cells, as the specification says */
	FDT_CELLS_DEFAULT_S = 1,
	FDT_CELLS_BAD = 255, /* a cell count that is not one */
};

/* A blob that fdt_open has accepted. Offsets count from base. */
struct fdt {
	const uint8_t *base;
	uint32_t size;
	uint32_t nodes, nodes_end; /* structure block */
	uint32_t strings, strings_end;
	uint32_t reserved; /* memory reservation block */
};

struct fdt_node {
	const char *name;
	uint32_t props;        /* offset of its first property */
	uint8_t address_cells; /* what it says about its children */
	uint8_t size_cells;
	bool disabled;   /* it or a parent has a status other than okay */
	bool translated; /* it or a parent maps its children's addresses to others ("ranges" with content) */
};

/* A walk over all nodes, parents first; path[depth] is the node it stands on, path[0] the root. */
struct fdt_walk {
	const struct fdt *tree;
	uint32_t at;
	int depth;
	struct fdt_node path[FDT_DEPTH_MAX];
};

/*
 * Checks header, blocks, every token, name and length, and the nesting of the blob, of which at most limit
 * bytes may be read. No alignment needed. NULL, or an error line; then nothing else may be called with it.
 */
const char *fdt_open(struct fdt *tree, const void *blob, size_t limit);

/* The k-th entry of the memory reservation block; false after the last. */
bool fdt_reserved(const struct fdt *tree, uint32_t k, uint64_t *start, uint64_t *size);

void fdt_walk_start(struct fdt_walk *walk, const struct fdt *tree);

/* Steps to the next node; NULL after the last. */
const struct fdt_node *fdt_walk_next(struct fdt_walk *walk);

/* A property's bytes and their number, or NULL. Never NULL for an empty property. */
const uint8_t *fdt_prop(const struct fdt *tree, const struct fdt_node *node, const char *name, uint32_t *len);

/* The property as a number of one cell; false when it is missing or has another length. */
bool fdt_prop_u32(const struct fdt *tree, const struct fdt_node *node, const char *name, uint32_t *value);

/* The property as a number of one or two cells; false when it is missing or has another length. */
bool fdt_prop_number(const struct fdt *tree, const struct fdt_node *node, const char *name, uint64_t *value);

/* The property as a string; NULL when it is missing or does not end in NUL. */
const char *fdt_prop_string(const struct fdt *tree, const struct fdt_node *node, const char *name);

/* Is text one of the strings of the property (a string list, such as "compatible")? */
bool fdt_prop_lists(const struct fdt *tree, const struct fdt_node *node, const char *name, const char *text);

/* Is this the node's name, not counting the unit address ("@...")? */
bool fdt_node_is(const struct fdt_node *node, const char *name);

/*
 * Number of (address, size) entries in the "reg" of the node the walk stands on, by its parent's cell counts;
 * 0 without a "reg". Error line when the cells are not 1 or 2 (0 is a size), or the length is not a whole
 * number of entries.
 */
const char *fdt_reg_count(const struct fdt_walk *walk, uint32_t *n);

/* Entry i, below the count that fdt_reg_count gave; size 0 when it has no cells. */
void fdt_reg(const struct fdt_walk *walk, uint32_t i, uint64_t *address, uint64_t *size);

/* Big-endian 32 bits at p. */
static inline uint32_t fdt_cell(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

#endif

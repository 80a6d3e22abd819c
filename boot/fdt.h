/*
 * Reader of a flattened device tree (Devicetree Specification 0.4, chapter 5): a walk over its nodes
 * that checks each token as it comes to it and leaves the properties where they lie. Knows no binding;
 * boot/fdt_info does.
 *
 * It runs once, in an emulator that translates each piece of code before it runs for the first time: little
 * code that runs often is what counts here.
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

/* A blob whose header fdt_open has accepted. Offsets count from base. */
struct fdt {
	const uint8_t *base;
	uint32_t size;
	uint32_t nodes, nodes_end; /* structure block */
	uint32_t strings, strings_end;
	uint32_t reserved; /* memory reservation block */
};

/* The properties that boot reads: the walk picks them out of each node in one pass over its properties. */
enum fdt_name { /* those with the same first character side by side */
		FDT_ADDRESS_CELLS,
		FDT_INTERRUPT_CELLS,
		FDT_SIZE_CELLS,
		FDT_BOOTARGS,
		FDT_COMPATIBLE,
		FDT_INTERRUPTS,
		FDT_INTERRUPTS_EXTENDED,
		FDT_INITRD_START,
		FDT_INITRD_END,
		FDT_PHANDLE,
		FDT_RANGES,
		FDT_REG,
		FDT_REG_SHIFT,
		FDT_ISA,
		FDT_ISA_EXTENSIONS,
		FDT_STATUS,
		FDT_STDOUT_PATH,
		FDT_TIMEBASE,
		FDT_NAMES
};

struct fdt_prop {
	const uint8_t *data; /* NULL: the node has no such property */
	uint32_t len;
};

struct fdt_node {
	const char *name;
	uint32_t props;        /* offset of the token behind its name */
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
	bool rooted;                     /* the root node has ended */
	const char *error;               /* after the last node: what is wrong with the tree, or NULL */
	struct fdt_prop prop[FDT_NAMES]; /* of the node it stands on; of two with one name the first */
	struct fdt_node path[FDT_DEPTH_MAX];
};

/*
 * Checks the header, the blocks and the memory reservations of the blob, of which at most limit bytes may be
 * read. No alignment needed. NULL, or an error line; then nothing else may be called with it.
 */
const char *fdt_open(struct fdt *tree, const void *blob, size_t limit);

/* The k-th entry of the memory reservation block; false after the last. */
bool fdt_reserved(const struct fdt *tree, uint32_t k, uint64_t *start, uint64_t *size);

void fdt_walk_start(struct fdt_walk *walk, const struct fdt *tree);

/*
 * Steps to the next node. NULL after the last, or at the first token, name, length or nesting that is wrong:
 * then walk->error is a line that says so.
 */
const struct fdt_node *fdt_walk_next(struct fdt_walk *walk);

/* Any property of the node that the walk stands on, by its name; false when there is none. Reads them all again: for what few ask for. */
bool fdt_prop_find(const struct fdt_walk *walk, const char *name, struct fdt_prop *prop);

/* The property as a number of one cell; false when it is missing or has another length. */
bool fdt_u32(const struct fdt_walk *walk, enum fdt_name name, uint32_t *value);

/* The property as a number of one or two cells; false when it is missing or has another length. */
bool fdt_number(const struct fdt_walk *walk, enum fdt_name name, uint64_t *value);

/* The property as a string; NULL when it is missing or does not end in NUL. */
const char *fdt_string(const struct fdt_walk *walk, enum fdt_name name);

/*
 * The first of the property's strings (it is a list, such as "compatible") that is one of n texts: the number
 * of the text, or -1.
 */
int fdt_list_find(const struct fdt_walk *walk, enum fdt_name name, const char *const *texts, int n);

/* Is text, up to its NUL or to the character stop, the same as other? */
bool fdt_text_is(const char *text, const char *other, char stop);

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

/* Big-endian number of n cells, at most two, at p. */
static inline uint64_t fdt_cells(const uint8_t *p, uint32_t n)
{
	uint64_t v = 0;
	for (uint32_t i = 0; i < n; i++)
		v = v << 32 | fdt_cell(p + 4 * i);
	return v;
}

#endif

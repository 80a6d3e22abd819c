/*
 * Flattened device tree reader.
 *
 *   header (40 bytes) | memory reservation block | structure block | strings block      in any order behind
 * the header structure block: BEGIN name.. props.. children.. END, nested; PROP len nameoff bytes..; NOP;
 * DONE. Cells of 4 bytes.
 *
 * 1. Every read is inside [base, base + size), size at most the caller's limit, otherwise a blob that lies
 * about its length walks boot into devices or unmapped memory.
 * 2. fdt_open reads every token with token_read, and the walk uses the same function, so a tree that was
 * accepted has no surprises later: one place checks.
 * 3. Each token moves forward by at least a cell, otherwise a damaged tree could hold boot for ever.
 * 4. In a node all properties come before all children (the specification's rule), otherwise a child could be
 * read before its parent's #address-cells.
 * 5. The strings block ends in NUL, so every offset inside it is a string.
 */
#include "boot/fdt.h"

#include "boot/line.h"
#include "kernel/assert.h"

#include <string.h>

enum {
	HEADER_SIZE = 40,
	RESERVED_ENTRY = 16, /* two 64-bit numbers; (0, 0) ends the block */
	VERSION = 17,        /* the only layout in use since 2007 */
};

#define FDT_MAGIC UINT32_C(0xd00dfeed)

enum token_kind { TOKEN_BEGIN = 1, TOKEN_END = 2, TOKEN_PROP = 3, TOKEN_NOP = 4, TOKEN_DONE = 9 };

struct token {
	uint32_t kind;
	const char *name; /* BEGIN, PROP */
	const uint8_t *data;
	uint32_t len;
	uint32_t next; /* offset of the token behind it */
};

static uint64_t cells_read(const uint8_t *p, uint32_t n)
{
	uint64_t v = 0;
	for (uint32_t i = 0; i < n; i++)
		v = v << 32 | fdt_cell(p + 4 * i);
	return v;
}

static uint32_t cells_round(uint32_t n)
{
	return (n + 3) & ~UINT32_C(3);
}

/* Reads the token at offset at (NOPs skipped). NULL, or an error line. */
static const char *token_read(const struct fdt *t, uint32_t at, struct token *k)
{
	do {
		if (t->nodes_end - at < 4)
			return boot_error("device tree: structure ends at offset %u without its end mark",
					  at);
		k->kind = fdt_cell(t->base + at);
		at += 4;
	} while (k->kind == TOKEN_NOP);

	uint32_t left = t->nodes_end - at;
	if (k->kind == TOKEN_BEGIN) {
		const uint8_t *name = t->base + at;
		const uint8_t *nul = left > 0 ? memchr(name, 0, left) : NULL;
		if (nul == NULL)
			return boot_error("device tree: node name at offset %u does not end", at);
		k->name = (const char *)name;
		k->len = (uint32_t)(nul - name) + 1;
	} else if (k->kind == TOKEN_PROP) {
		if (left < 8)
			return boot_error("device tree: property at offset %u is cut", at);
		uint32_t name = fdt_cell(t->base + at + 4);
		k->len = fdt_cell(t->base + at);
		at += 8;
		left -= 8;
		if (name >= t->strings_end - t->strings)
			return boot_error(
				"device tree: property at offset %u has its name outside the strings", at);
		k->name = (const char *)t->base + t->strings + name;
		if (k->len > left)
			return boot_error("device tree: property '%s' of %u bytes, %u left", k->name, k->len,
					  left);
		k->data = t->base + at;
	} else if (k->kind == TOKEN_END || k->kind == TOKEN_DONE) {
		k->len = 0;
	} else {
		return boot_error("device tree: token %u at offset %u is not one", k->kind, at - 4);
	}
	/* the block has a whole number of cells: rounding up stays inside */
	k->next = at + cells_round(k->len);
	return NULL;
}

/* Do [off, off + len) lie behind the header and inside the blob? */
static bool block_fits(uint32_t off, uint32_t len, uint32_t size)
{
	return off >= HEADER_SIZE && off <= size && len <= size - off;
}

static const char *header_check(struct fdt *t, const uint8_t *p, size_t limit)
{
	if (p == NULL || limit < HEADER_SIZE)
		return boot_error("device tree: none, or shorter than its header of %u bytes",
				  (unsigned)HEADER_SIZE);
	if (fdt_cell(p) != FDT_MAGIC)
		return boot_error("device tree: starts with %#lx, %#lx expected", (uint64_t)fdt_cell(p),
				  (uint64_t)FDT_MAGIC);
	uint32_t size = fdt_cell(p + 4), version = fdt_cell(p + 20), compatible = fdt_cell(p + 24);
	if (size < HEADER_SIZE || size > limit)
		return boot_error("device tree: says it has %u bytes, %u to %lu expected", size,
				  (unsigned)HEADER_SIZE, (uint64_t)limit);
	if (version < VERSION || compatible > VERSION)
		return boot_error("device tree: version %u (compatible to %u), %u expected", version,
				  compatible, (unsigned)VERSION);

	uint32_t nodes = fdt_cell(p + 8), strings = fdt_cell(p + 12), reserved = fdt_cell(p + 16);
	uint32_t strings_size = fdt_cell(p + 32), nodes_size = fdt_cell(p + 36);
	if (!block_fits(nodes, nodes_size, size) || nodes_size % 4 != 0)
		return boot_error("device tree: structure of %u bytes at %u does not fit %u bytes",
				  nodes_size, nodes, size);
	if (!block_fits(strings, strings_size, size) ||
	    (strings_size > 0 && p[strings + strings_size - 1] != 0))
		return boot_error("device tree: strings of %u bytes at %u do not fit %u bytes, or do not end",
				  strings_size, strings, size);
	*t = (struct fdt){p, size, nodes, nodes + nodes_size, strings, strings + strings_size, reserved};
	return NULL;
}

static const char *reserved_check(const struct fdt *t)
{
	uint32_t at = t->reserved;
	uint64_t start, size;
	do {
		if (!block_fits(at, RESERVED_ENTRY, t->size))
			return boot_error("device tree: memory reservation block at %u does not end",
					  t->reserved);
		start = cells_read(t->base + at, 2);
		size = cells_read(t->base + at + 8, 2);
		at += RESERVED_ENTRY;
	} while (start != 0 || size != 0);
	return NULL;
}

/* Reads every token of the structure block; the tree must be one root node and then the end mark. */
static const char *nodes_check(const struct fdt *t)
{
	int depth = 0;
	bool props = false; /* may a property come here? */
	bool root = false;  /* has the root ended? */
	uint32_t at = t->nodes;
	for (;;) {
		struct token k;
		const char *error = token_read(t, at, &k);
		if (error != NULL)
			return error;
		switch (k.kind) {
		case TOKEN_BEGIN:
			if (depth == FDT_DEPTH_MAX)
				return boot_error("device tree: node '%s' is nested deeper than %u levels",
						  k.name, (unsigned)FDT_DEPTH_MAX);
			if (root)
				return boot_error("device tree: a second root node '%s'", k.name);
			depth++;
			props = true;
			break;
		case TOKEN_PROP:
			if (!props)
				return boot_error(
					"device tree: property '%s' behind a child node or outside any",
					k.name);
			break;
		case TOKEN_END:
			if (depth == 0)
				return boot_error("device tree: a node ends at offset %u that never began",
						  at);
			depth--;
			props = false;
			root = depth == 0;
			break;
		default:
			if (!root)
				return boot_error(
					"device tree: end mark at offset %u before the root node's end", at);
			return NULL;
		}
		at = k.next;
	}
}

const char *fdt_open(struct fdt *tree, const void *blob, size_t limit)
{
	const char *error = header_check(tree, blob, limit);
	if (error == NULL)
		error = reserved_check(tree);
	if (error == NULL)
		error = nodes_check(tree);
	return error;
}

bool fdt_reserved(const struct fdt *tree, uint32_t k, uint64_t *start, uint64_t *size)
{
	const uint8_t *p = tree->base + tree->reserved + (size_t)k * RESERVED_ENTRY;
	*start = cells_read(p, 2);
	*size = cells_read(p + 8, 2);
	return *start != 0 || *size != 0;
}

const uint8_t *fdt_prop(const struct fdt *tree, const struct fdt_node *node, const char *name, uint32_t *len)
{
	struct token k;
	for (uint32_t at = node->props;; at = k.next) {
		if (token_read(tree, at, &k) != NULL || k.kind != TOKEN_PROP)
			return NULL;
		/* Most differ in a letter: calls are what costs in an emulator. */
		if (k.name[0] == name[0] && strcmp(k.name, name) == 0) {
			*len = k.len;
			return k.data;
		}
	}
}

bool fdt_prop_u32(const struct fdt *tree, const struct fdt_node *node, const char *name, uint32_t *value)
{
	uint32_t len;
	const uint8_t *p = fdt_prop(tree, node, name, &len);
	if (p == NULL || len != 4)
		return false;
	*value = fdt_cell(p);
	return true;
}

bool fdt_prop_number(const struct fdt *tree, const struct fdt_node *node, const char *name, uint64_t *value)
{
	uint32_t len;
	const uint8_t *p = fdt_prop(tree, node, name, &len);
	if (p == NULL || (len != 4 && len != 8))
		return false;
	*value = cells_read(p, len / 4);
	return true;
}

const char *fdt_prop_string(const struct fdt *tree, const struct fdt_node *node, const char *name)
{
	uint32_t len;
	const uint8_t *p = fdt_prop(tree, node, name, &len);
	return p != NULL && len > 0 && p[len - 1] == 0 ? (const char *)p : NULL;
}

bool fdt_prop_lists(const struct fdt *tree, const struct fdt_node *node, const char *name, const char *text)
{
	uint32_t len;
	const uint8_t *p = fdt_prop(tree, node, name, &len);
	if (p == NULL || len == 0 || p[len - 1] != 0)
		return false;
	for (const uint8_t *end = p + len; p < end; p += strlen((const char *)p) + 1) {
		if (strcmp((const char *)p, text) == 0)
			return true;
	}
	return false;
}

bool fdt_node_is(const struct fdt_node *node, const char *name)
{
	size_t n = strlen(name);
	return strncmp(node->name, name, n) == 0 && (node->name[n] == '\0' || node->name[n] == '@');
}

static uint8_t cells_of(const struct fdt *t, const struct fdt_node *node, const char *name, uint8_t missing)
{
	uint32_t len, value;
	if (fdt_prop(t, node, name, &len) == NULL)
		return missing;
	return fdt_prop_u32(t, node, name, &value) && value < FDT_CELLS_BAD ? (uint8_t)value : FDT_CELLS_BAD;
}

static bool status_okay(const struct fdt *t, const struct fdt_node *node)
{
	uint32_t len;
	if (fdt_prop(t, node, "status", &len) == NULL)
		return true;
	const char *status = fdt_prop_string(t, node, "status");
	return status != NULL && (strcmp(status, "okay") == 0 || strcmp(status, "ok") == 0);
}

void fdt_walk_start(struct fdt_walk *walk, const struct fdt *tree)
{
	memset(walk, 0, sizeof *walk);
	walk->tree = tree;
	walk->at = tree->nodes;
	walk->depth = -1;
}

const struct fdt_node *fdt_walk_next(struct fdt_walk *walk)
{
	const struct fdt *t = walk->tree;
	for (;;) {
		struct token k;
		if (token_read(t, walk->at, &k) != NULL || k.kind == TOKEN_DONE)
			return NULL;
		walk->at = k.next;
		if (k.kind == TOKEN_END) {
			walk->depth--;
		} else if (k.kind == TOKEN_BEGIN) {
			ASSERT(walk->depth + 1 < FDT_DEPTH_MAX, "fdt_open has bounded the depth");
			const struct fdt_node *parent = walk->depth >= 0 ? &walk->path[walk->depth] : NULL;
			struct fdt_node *node = &walk->path[++walk->depth];
			uint32_t len = 0;
			node->name = k.name;
			node->props = k.next;
			node->address_cells = cells_of(t, node, "#address-cells", FDT_CELLS_DEFAULT_A);
			node->size_cells = cells_of(t, node, "#size-cells", FDT_CELLS_DEFAULT_S);
			node->disabled = (parent != NULL && parent->disabled) || !status_okay(t, node);
			node->translated = (parent != NULL && parent->translated) ||
					   (fdt_prop(t, node, "ranges", &len) != NULL && len > 0);
			return node;
		}
	}
}

const char *fdt_reg_count(const struct fdt_walk *walk, uint32_t *n)
{
	const struct fdt_node *node = &walk->path[walk->depth];
	uint32_t len;
	*n = 0;
	if (walk->depth == 0 || fdt_prop(walk->tree, node, "reg", &len) == NULL)
		return NULL;
	const struct fdt_node *parent = node - 1;
	uint32_t a = parent->address_cells, s = parent->size_cells;
	if (a < 1 || a > 2)
		return boot_error("device tree: #address-cells of '%s' is %u, 1 or 2 expected", parent->name,
				  a);
	if (s > 2)
		return boot_error("device tree: #size-cells of '%s' is %u, 0 to 2 expected", parent->name, s);
	uint32_t entry = (a + s) * 4;
	if (len == 0 || len % entry != 0)
		return boot_error("device tree: reg of '%s' has %u bytes, a multiple of %u expected",
				  node->name, len, entry);
	*n = len / entry;
	return NULL;
}

void fdt_reg(const struct fdt_walk *walk, uint32_t i, uint64_t *address, uint64_t *size)
{
	const struct fdt_node *node = &walk->path[walk->depth];
	uint32_t len = 0, a = node[-1].address_cells, s = node[-1].size_cells;
	const uint8_t *p = fdt_prop(walk->tree, node, "reg", &len);
	ASSERT(p != NULL && i < len / ((a + s) * 4), "fdt_reg_count bounds the entries");
	p += (size_t)i * (a + s) * 4;
	*address = cells_read(p, a);
	*size = cells_read(p + 4 * a, s);
}

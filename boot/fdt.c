/*
 * Flattened device tree reader.
 *
 *   header (40 bytes) | memory reservation block | structure block | strings block      in any order behind
 * the header structure block: BEGIN name.. props.. children.. END, nested; PROP len nameoff bytes..; NOP;
 * DONE. Cells of 4 bytes.
 *
 * 1. Every read is inside [base, base + size), size at most the caller's limit, otherwise a blob that lies
 * about its length walks boot into devices or unmapped memory.
 * 2. Every walk reads every token with token_read, which checks it (fdt_prop_find reads what a walk has checked), and goes to the end mark unless its caller
 * has found an error. Otherwise a damaged tree could be used up to the damage and no further, in silence.
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
		uint32_t n = 0;
		while (n < left && name[n] != 0)
			n++;
		if (n == left)
			return boot_error("device tree: node name at offset %u does not end", at);
		k->name = (const char *)name;
		k->len = n + 1;
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
	uint32_t h[HEADER_SIZE / 4];
	for (int i = 0; i < HEADER_SIZE / 4; i++)
		h[i] = fdt_cell(p + 4 * i);
	uint32_t size = h[1], nodes = h[2], strings = h[3], reserved = h[4], version = h[5],
		 compatible = h[6];
	uint32_t strings_size = h[8], nodes_size = h[9];
	if (h[0] != FDT_MAGIC)
		return boot_error("device tree: starts with %#lx, %#lx expected", (uint64_t)h[0],
				  (uint64_t)FDT_MAGIC);
	if (size < HEADER_SIZE || size > limit)
		return boot_error("device tree: says it has %u bytes, %u to %lu expected", size,
				  (unsigned)HEADER_SIZE, (uint64_t)limit);
	if (version < VERSION || compatible > VERSION)
		return boot_error("device tree: version %u (compatible to %u), %u expected", version,
				  compatible, (unsigned)VERSION);
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
		start = fdt_cells(t->base + at, 2);
		size = fdt_cells(t->base + at + 8, 2);
		at += RESERVED_ENTRY;
	} while (start != 0 || size != 0);
	return NULL;
}

const char *fdt_open(struct fdt *tree, const void *blob, size_t limit)
{
	const char *error = header_check(tree, blob, limit);
	return error != NULL ? error : reserved_check(tree);
}

bool fdt_reserved(const struct fdt *tree, uint32_t k, uint64_t *start, uint64_t *size)
{
	const uint8_t *p = tree->base + tree->reserved + (size_t)k * RESERVED_ENTRY;
	*start = fdt_cells(p, 2);
	*size = fdt_cells(p + 8, 2);
	return *start != 0 || *size != 0;
}

bool fdt_text_is(const char *text, const char *other, char stop)
{
	for (; *other != '\0'; text++, other++) {
		if (*text != *other)
			return false;
	}
	return *text == '\0' || *text == stop;
}

bool fdt_node_is(const struct fdt_node *node, const char *name)
{
	return fdt_text_is(node->name, name, '@');
}

bool fdt_number(const struct fdt_walk *walk, enum fdt_name name, uint64_t *value)
{
	const struct fdt_prop *p = &walk->prop[name];
	if (p->data == NULL || (p->len != 4 && p->len != 8))
		return false;
	*value = fdt_cells(p->data, p->len / 4);
	return true;
}

bool fdt_u32(const struct fdt_walk *walk, enum fdt_name name, uint32_t *value)
{
	uint64_t number;
	if (walk->prop[name].len != 4 || !fdt_number(walk, name, &number))
		return false;
	*value = (uint32_t)number;
	return true;
}

const char *fdt_string(const struct fdt_walk *walk, enum fdt_name name)
{
	const struct fdt_prop *p = &walk->prop[name];
	return p->data != NULL && p->len > 0 && p->data[p->len - 1] == 0 ? (const char *)p->data : NULL;
}

int fdt_list_find(const struct fdt_walk *walk, enum fdt_name name, const char *const *texts, int n)
{
	const char *p = fdt_string(walk, name);
	if (p == NULL)
		return -1;
	const char *end = p + walk->prop[name].len;
	while (p < end) {
		for (int i = 0; i < n; i++) {
			if (fdt_text_is(p, texts[i], '\0'))
				return i;
		}
		while (*p++ != '\0')
			;
	}
	return -1;
}

static uint8_t cells_of(const struct fdt_walk *walk, enum fdt_name name, uint8_t missing)
{
	uint32_t value;
	if (walk->prop[name].data == NULL)
		return missing;
	return fdt_u32(walk, name, &value) && value < FDT_CELLS_BAD ? (uint8_t)value : FDT_CELLS_BAD;
}

static bool status_okay(const struct fdt_walk *walk)
{
	if (walk->prop[FDT_STATUS].data == NULL)
		return true;
	const char *status = fdt_string(walk, FDT_STATUS);
	return status != NULL && (fdt_text_is(status, "okay", '\0') || fdt_text_is(status, "ok", '\0'));
}

static void prop_keep(struct fdt_walk *walk, const struct token *k)
{
	static const char *const names[FDT_NAMES] = {
		[FDT_ADDRESS_CELLS] = "#address-cells",
		[FDT_SIZE_CELLS] = "#size-cells",
		[FDT_STATUS] = "status",
		[FDT_RANGES] = "ranges",
		[FDT_REG] = "reg",
		[FDT_COMPATIBLE] = "compatible",
		[FDT_BOOTARGS] = "bootargs",
		[FDT_STDOUT_PATH] = "stdout-path",
		[FDT_INITRD_START] = "linux,initrd-start",
		[FDT_INITRD_END] = "linux,initrd-end",
		[FDT_ISA] = "riscv,isa",
		[FDT_ISA_EXTENSIONS] = "riscv,isa-extensions",
		[FDT_TIMEBASE] = "timebase-frequency",
		[FDT_PHANDLE] = "phandle",
		[FDT_INTERRUPT_CELLS] = "#interrupt-cells",
		[FDT_INTERRUPTS] = "interrupts",
		[FDT_INTERRUPTS_EXTENDED] = "interrupts-extended",
		[FDT_REG_SHIFT] = "reg-shift",
	};
	/* By first character: where in names to look, and 0 where none begins so. */
	static const uint8_t group[128] = {
		['#'] = 1 + FDT_ADDRESS_CELLS, ['b'] = 1 + FDT_BOOTARGS,     ['c'] = 1 + FDT_COMPATIBLE,
		['i'] = 1 + FDT_INTERRUPTS,    ['l'] = 1 + FDT_INITRD_START, ['p'] = 1 + FDT_PHANDLE,
		['r'] = 1 + FDT_RANGES,        ['s'] = 1 + FDT_STATUS,       ['t'] = 1 + FDT_TIMEBASE,
	};
	char first = k->name[0];
	unsigned at = group[first & 127];
	if (at == 0)
		return;
	for (unsigned i = at - 1; i < FDT_NAMES && names[i][0] == first; i++) {
		if (!fdt_text_is(k->name, names[i], '\0'))
			continue;
		if (walk->prop[i].data == NULL)
			walk->prop[i] = (struct fdt_prop){k->data, k->len};
		return;
	}
}

void fdt_walk_start(struct fdt_walk *walk, const struct fdt *tree)
{
	walk->tree = tree;
	walk->at = tree->nodes;
	walk->depth = -1;
	walk->rooted = false;
	walk->error = NULL;
}

bool fdt_prop_find(const struct fdt_walk *walk, const char *name, struct fdt_prop *prop)
{
	const struct fdt *t = walk->tree;
	/* From the node's name to where the walk stands are properties, which it has checked. */
	for (uint32_t at = walk->path[walk->depth].props; at < walk->at;) {
		uint32_t kind = fdt_cell(t->base + at), len = fdt_cell(t->base + at + 4);
		at += 4;
		if (kind != TOKEN_PROP)
			continue; /* NOP */
		const char *k = (const char *)t->base + t->strings + fdt_cell(t->base + at + 4);
		if (fdt_text_is(k, name, '\0')) {
			*prop = (struct fdt_prop){t->base + at + 8, len};
			return true;
		}
		at += 8 + cells_round(len);
	}
	return false;
}

static struct fdt_node *node_begin(struct fdt_walk *walk, const struct token *k)
{
	const char *name = k->name;
	if (walk->rooted) {
		walk->error = boot_error("device tree: a second root node '%s'", name);
		return NULL;
	}
	if (walk->depth + 1 == FDT_DEPTH_MAX) {
		walk->error = boot_error("device tree: node '%s' is nested deeper than %u levels", name,
					 (unsigned)FDT_DEPTH_MAX);
		return NULL;
	}
	for (int i = 0; i < FDT_NAMES; i++)
		walk->prop[i] = (struct fdt_prop){NULL, 0};
	struct fdt_node *node = &walk->path[++walk->depth];
	node->name = name;
	node->props = k->next;
	return node;
}

/* All properties of the node have been read. */
static const struct fdt_node *node_whole(struct fdt_walk *walk, struct fdt_node *node)
{
	const struct fdt_prop *ranges = &walk->prop[FDT_RANGES];
	const struct fdt_node *parent = walk->depth > 0 ? node - 1 : NULL;
	node->address_cells = cells_of(walk, FDT_ADDRESS_CELLS, FDT_CELLS_DEFAULT_A);
	node->size_cells = cells_of(walk, FDT_SIZE_CELLS, FDT_CELLS_DEFAULT_S);
	node->disabled = (parent != NULL && parent->disabled) || !status_okay(walk);
	node->translated = (parent != NULL && parent->translated) || ranges->len > 0;
	return node;
}

const struct fdt_node *fdt_walk_next(struct fdt_walk *walk)
{
	struct fdt_node *node = NULL; /* has begun, its properties are being read */
	for (;;) {
		struct token k = {0};
		walk->error = token_read(walk->tree, walk->at, &k);
		if (walk->error != NULL)
			return NULL;
		if (k.kind == TOKEN_PROP) {
			if (node == NULL) {
				walk->error = boot_error(
					"device tree: property '%s' behind a child node or outside any",
					k.name);
				return NULL;
			}
			prop_keep(walk, &k);
		} else if (node != NULL) {
			return node_whole(walk, node); /* this token is for the next call */
		} else if (k.kind == TOKEN_BEGIN) {
			node = node_begin(walk, &k);
			if (node == NULL)
				return NULL;
		} else if (k.kind == TOKEN_END) {
			if (walk->depth < 0) {
				walk->error = boot_error(
					"device tree: a node ends at offset %u that never began", walk->at);
				return NULL;
			}
			walk->rooted = --walk->depth < 0;
		} else {
			if (!walk->rooted)
				walk->error = boot_error(
					"device tree: end mark at offset %u before the root node's end",
					walk->at);
			return NULL;
		}
		walk->at = k.next;
	}
}

const char *fdt_reg_count(const struct fdt_walk *walk, uint32_t *n)
{
	const struct fdt_node *node = &walk->path[walk->depth];
	const struct fdt_prop *reg = &walk->prop[FDT_REG];
	*n = 0;
	if (walk->depth == 0 || reg->data == NULL)
		return NULL;
	const struct fdt_node *parent = node - 1;
	uint32_t a = parent->address_cells, s = parent->size_cells;
	if (a < 1 || a > 2)
		return boot_error("device tree: #address-cells of '%s' is %u, 1 or 2 expected", parent->name,
				  a);
	if (s > 2)
		return boot_error("device tree: #size-cells of '%s' is %u, 0 to 2 expected", parent->name, s);
	uint32_t entry = (a + s) * 4;
	if (reg->len == 0 || reg->len % entry != 0)
		return boot_error("device tree: reg of '%s' has %u bytes, a multiple of %u expected",
				  node->name, reg->len, entry);
	*n = reg->len / entry;
	return NULL;
}

void fdt_reg(const struct fdt_walk *walk, uint32_t i, uint64_t *address, uint64_t *size)
{
	const struct fdt_node *parent = &walk->path[walk->depth - 1];
	uint32_t a = parent->address_cells, s = parent->size_cells;
	const struct fdt_prop *reg = &walk->prop[FDT_REG];
	ASSERT(reg->data != NULL && i < reg->len / ((a + s) * 4), "fdt_reg_count bounds the entries");
	const uint8_t *p = reg->data + (size_t)i * (a + s) * 4;
	*address = fdt_cells(p, a);
	*size = fdt_cells(p + 4 * a, s);
}

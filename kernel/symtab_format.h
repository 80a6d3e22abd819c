/*
 * The symbol table of an image, byte for byte: written by tools/symtab on the host, read by
 * kernel/symtab*.c and kernel/unwind.c in the image. Little-endian, position fixed, every part
 * aligned to 8 bytes:
 *
 *   header | functions | pages | rows | rules | files | inlines | details | names
 *          | 8 B each  | 4 B   | 2 B  | 8 B   | 4 B   | 8 B     | varints | strings
 *
 * A unit is the smallest distance between two instructions: 1 << unit_shift bytes (riscv64 2,
 * x86-64 1).
 *
 * Functions are sorted by start and do not overlap. `detail` is an offset into details, where stand
 * as varints:
 *
 *   size in bytes, name (offset into names), file (index + 1; 0: unknown, nothing follows), line
 *   number of inline nodes, then the nodes in preorder
 *   number of row chunks, then for each but the first {units, bytes} of the chunk before it
 *   the chunks
 *
 * Inline node: varint v = inline << 3 | file_given << 2 | up. up 0: child of the node before (of
 * the function, for the first); 1: its sibling; 2: its parent's sibling; 3: a varint follows with
 * `up`. Then the file of the call when given (index; else it is the file in which the parent is
 * declared), then the line of the call as zigzag varint, relative to the call of the sibling before
 * it (for a first child to the parent's declaration).
 *
 * Row chunk: bytes interpreted by enum symtab_row_op, as DWARF's special opcodes: a row holds until
 * the next. State at the start of a chunk: unit one before the chunk's first, node and the node
 * before it 0 (the function itself; node n is the n-th inline node), file of the function. There is
 * a line slot for each node number modulo SYMTAB_LINE_SLOTS: a row's line is relative to its slot,
 * and is then put there. At the start of a chunk a slot has the line where the function of the
 * first node with its number is declared (slot 0, and those without node: that of the function
 * itself).
 *
 * Unwind rows: text is cut into pages of 1 << (16 - rule_bits) units; page p owns the rows pages[p]
 * to pages[p + 1] - 1 and always has one at offset 0. A row is offset << rule_bits | rule, sorted.
 */
#ifndef KERNEL_SYMTAB_FORMAT_H
#define KERNEL_SYMTAB_FORMAT_H

#include <stdint.h>

#define SYMTAB_MAGIC   "HBSYMTAB"
#define SYMTAB_VERSION 1u

enum symtab_arch {
	SYMTAB_ARCH_RISCV64 = 1, /* the return address of a leaf is in a register */
	SYMTAB_ARCH_X86_64 = 2,
};

enum {
	SYMTAB_BUILD_ID = 20,   /* bytes: SHA-1 */
	SYMTAB_INLINE_MAX = 16, /* deepest inline nesting that is kept */
	SYMTAB_LINE_SLOTS = 32,
	SYMTAB_CHUNK_ROWS = 64, /* rows of a chunk at most: bounds the bytes a lookup reads */
	SYMTAB_RULE_BITS_MAX = 11,
	SYMTAB_UNIT_SHIFT_MAX = 2,
};

enum symtab_part_id {
	SYMTAB_FUNCTIONS,
	SYMTAB_PAGES,
	SYMTAB_ROWS,
	SYMTAB_RULES,
	SYMTAB_FILES,
	SYMTAB_INLINES,
	SYMTAB_DETAILS,
	SYMTAB_NAMES,
	SYMTAB_PARTS
};

struct symtab_part {
	uint32_t offset; /* bytes from the start of the table */
	uint32_t count;  /* elements */
};

struct symtab_header {
	char magic[8];
	uint32_t version;
	uint8_t arch; /* enum symtab_arch */
	uint8_t unit_shift;
	uint8_t rule_bits;
	uint8_t line_range; /* special opcodes: see SYMTAB_ROW_FAR */
	int8_t line_base;
	uint8_t fars;
	uint8_t reserved[2];
	uint8_t build_id[SYMTAB_BUILD_ID]; /* of the image: the first link pass's, which the second keeps */
	uint64_t text_base, text_limit;
	struct symtab_part parts[SYMTAB_PARTS];
	uint32_t size;  /* of the whole table, bytes */
	uint32_t crc32; /* zlib's, of the whole table with this field 0 */
};

struct symtab_function_entry {
	uint32_t start;  /* bytes from text_base */
	uint32_t detail; /* offset into details */
};

/* A function that was inlined somewhere: bits 0-23 name, 24-43 file index, 44-63 line of its declaration. */
typedef uint64_t symtab_inline_entry;

enum symtab_cfa {
	SYMTAB_CFA_NONE,     /* no rule is known: the walk is broken here */
	SYMTAB_CFA_ROOT,     /* marked as the outermost frame */
	SYMTAB_CFA_SP,       /* CFA = sp + cfa_offset */
	SYMTAB_CFA_FP,       /* CFA = fp + cfa_offset */
	SYMTAB_CFA_FP_DEREF, /* CFA = word at fp + cfa_offset: realigned frames */
};

enum symtab_rule_flag {
	SYMTAB_RULE_WIDE = 1,   /* the slots stand in the next rule's place, as struct symtab_rule_wide */
	SYMTAB_RULE_SIGNAL = 2, /* the caller was interrupted: its pc is exact, not a return address */
};

/* Slots are in words of 8 bytes from the CFA. */
enum {
	SYMTAB_SLOT_NONE = -128, /* unchanged: pc is in the return-address register, fp keeps its value */
	SYMTAB_SLOT_NONE_WIDE = -32768, /* the same in a wide rule; for sp: it is the CFA; for ra: unknown */
};

struct symtab_rule {
	int32_t cfa_offset; /* bytes */
	uint8_t cfa;        /* enum symtab_cfa */
	uint8_t flags;      /* enum symtab_rule_flag */
	int8_t pc_slot, fp_slot;
};

struct symtab_rule_wide {
	int16_t pc_slot, fp_slot, sp_slot, ra_slot;
};

enum symtab_row_op {
	SYMTAB_ROW_END = 0,
	SYMTAB_ROW_NODE = 1,    /* varint: node of the rows from here; the file becomes the node's */
	SYMTAB_ROW_FILE = 2,    /* varint: file index of the rows from here until the node changes */
	SYMTAB_ROW_ADVANCE = 3, /* varint: units to add to the next row's distance */
	SYMTAB_ROW_LINE = 4,    /* zigzag varint: lines to add to the next row's */
	SYMTAB_ROW_BACK = 5,    /* as NODE: the node before this one */
	SYMTAB_ROW_STEP = 6,    /* as NODE: 6-9: this node - 4 ... - 1; 10-13: + 1 ... + 4 */
	SYMTAB_ROW_FAR = 14, /* 14 ... 14 + fars - 1: row 1 ... fars units on; zigzag varint: lines to add */
	/* The rest, special, v = op - 14 - fars: row v / line_range + 1 units on, line_base + v % line_range
	   lines on. */

	SYMTAB_ROW_STEPS = 4,
	SYMTAB_FARS_MAX = 64,
};

_Static_assert(sizeof(struct symtab_header) == 8 + 4 + 8 + 20 + 16 + 8 * SYMTAB_PARTS + 8,
	       "header has no holes");
_Static_assert(sizeof(struct symtab_header) % 8 == 0, "parts start aligned");
_Static_assert(sizeof(struct symtab_function_entry) == 8, "wire format");
_Static_assert(sizeof(struct symtab_rule) == 8 && sizeof(struct symtab_rule_wide) == 8, "wire format");

#endif

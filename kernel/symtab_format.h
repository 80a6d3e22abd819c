/*
 * The symbol table of an image, byte for byte: written by tools/symtab on the host, read by
 * kernel/symtab*.c and kernel/unwind.c in the image. Little-endian, position fixed, every part
 * aligned to 8 bytes:
 *
 *   header | functions | pages | rows | rules | files  | inlines | codes | details | names
 *          | fields    | 4 B   | 2 B  | 8 B   | fields | fields  | bytes | bits    | bits
 *
 * Fields are numbers of as many bits as the header's widths say, the highest bit first, one behind the other
 * without gaps; so are all bits here.
 *
 *   functions  start (units from text_base), detail (offset into details in bits)
 *   files      name
 *   inlines    name, file, line of its declaration: a function that was inlined somewhere
 *
 * A unit is the smallest distance between two instructions: 1 << unit_shift bytes (riscv64 2,
 * x86-64 1).
 *
 * Details and names are bytes, each written with the Huffman code of the stream it belongs to. A stream's code is canonical (shorter codes are smaller numbers; among
 * those of one length the symbols' order in `codes` counts); `codes` holds for each stream, one behind the
 * other, the number of its codes of 1 to SYMTAB_CODE_BITS bits, 16 bits each, and then its symbols. Numbers
 * are varints, all bytes of one in one stream. A RAW byte is 8 bits as they are.
 *
 * Names are numbered in alphabetical order: PREFIX how many characters are those of the name before, at most
 * 255, then NAME the others and a NUL. They are unpacked when the table is put into use.
 *
 * Functions are sorted by start and do not overlap. A detail:
 *
 *   HEAD  units from the end to the next function's start (of the last, to the limit of text); TITLE name
 *   PLACE file (index + 1; 0: unknown, nothing follows), LINE
 *   HEAD  number of inline nodes, then the nodes in preorder
 *   HEAD  number of row chunks, then for each but the first RAW {units, bits} of the chunk before it
 *         the chunks
 *
 * Inline node: NODE v = inline << 3 | file_given << 2 | up. up 0: child of the node before (of
 * the function, for the first); 1: its sibling; 2: its parent's sibling; 3: NODE
 * `up` follows. Then NODE the file of the call when given (index; else it is the file in which the parent is
 * declared), then CALL the line of the call as zigzag varint, relative to the call of the sibling before
 * it (for a first child to the parent's declaration).
 *
 * Row chunk: OP bytes (MOVED ones from a change of the node to the row behind it) with ARG varints, interpreted by
 * enum symtab_row_op, as DWARF's special opcodes: a row holds until the next. State at the start of a chunk: unit one before the chunk's first, node and the node
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
#define SYMTAB_VERSION 2u

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
	SYMTAB_CODE_BITS = 15, /* the longest code */
	SYMTAB_WIDTH_MAX = 24,
	SYMTAB_NAMES_MAX = 1 << 17, /* names_size, and 4 bytes for each name */
};

enum symtab_stream {
	SYMTAB_HEAD,
	SYMTAB_TITLE,
	SYMTAB_PLACE,
	SYMTAB_LINE,
	SYMTAB_PREFIX,
	SYMTAB_NAME,
	SYMTAB_NODE,
	SYMTAB_CALL,
	SYMTAB_OP,
	SYMTAB_MOVED,
	SYMTAB_ARG,
	SYMTAB_STREAMS,
	SYMTAB_RAW = SYMTAB_STREAMS
};

enum symtab_part_id {
	SYMTAB_FUNCTIONS,
	SYMTAB_PAGES,
	SYMTAB_ROWS,
	SYMTAB_RULES,
	SYMTAB_FILES,
	SYMTAB_INLINES,
	SYMTAB_CODES,
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
	uint8_t start_width, detail_width, name_width, file_width, line_width; /* of fields, 1 to 24 */
	uint8_t reserved[1];
	uint16_t n_functions, n_files, n_inlines, n_names;
	uint32_t names_size;               /* of the names when unpacked, NULs included */
	uint8_t build_id[SYMTAB_BUILD_ID]; /* of the image: the first link pass's, which the second keeps */
	uint64_t text_base, text_limit;
	struct symtab_part parts[SYMTAB_PARTS];
	uint32_t size;  /* of the whole table, bytes */
	uint32_t crc32; /* zlib's, of the whole table with this field 0 */
};

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
	SYMTAB_ROW_NODE = 1,    /* ARG: node of the rows from here; the file becomes the node's */
	SYMTAB_ROW_FILE = 2,    /* PLACE: file index of the rows from here until the node changes */
	SYMTAB_ROW_ADVANCE = 3, /* ARG: units to add to the next row's distance */
	SYMTAB_ROW_LINE = 4,    /* ARG, zigzag: lines to add to the next row's */
	SYMTAB_ROW_BACK = 5,    /* as NODE: the node before this one */
	SYMTAB_ROW_STEP = 6,    /* as NODE: 6-9: this node - 4 ... - 1; 10-13: + 1 ... + 4 */
	SYMTAB_ROW_FAR = 14,    /* 14 ... 14 + fars - 1: row 1 ... fars units on; ARG, zigzag: lines to add */
	/* The rest, special, v = op - 14 - fars: row v / line_range + 1 units on, line_base + v % line_range
	   lines on. */

	SYMTAB_ROW_STEPS = 4,
	SYMTAB_FARS_MAX = 64,
};

_Static_assert(sizeof(struct symtab_header) == 8 + 4 + 12 + 8 + 4 + 20 + 16 + 8 * SYMTAB_PARTS + 8,
	       "header has no holes");
_Static_assert(sizeof(struct symtab_header) % 8 == 0, "parts start aligned");
_Static_assert(sizeof(struct symtab_rule) == 8 && sizeof(struct symtab_rule_wide) == 8, "wire format");

#endif

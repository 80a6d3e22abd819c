/*
 * The source-level frames at an address. A function's detail holds its inline tree, in preorder, and row
 * chunks that say for each address the line and the innermost inline node (symtab_format.h): first the row is
 * found, then one pass over the nodes up to the row's keeps the path to it.
 */
#include "kernel/symtab.h"

#include "kernel/symtab_detail.h"

_Static_assert((int)SYMTAB_FRAMES_MAX == (int)SYMTAB_INLINE_MAX + 1, "an inline path and the function");

enum { FILE_OF_NODE = UINT32_MAX }; /* the row's file is the one its node's function is declared in */

/* The row that holds an address. */
struct row {
	uint32_t node, file, line;
};

/* A function that was inlined: name, and where it is declared. */
struct inlined {
	uint32_t name, file, line;
};

/* One level of the path from the function to a node: the inlined function, and where it was called. */
struct level {
	struct inlined inlined;
	uint32_t call_file, call_line; /* index; line */
};

static struct inlined inlined_read(const struct symtab_table *t, uint32_t i)
{
	uint32_t at = i * (t->name_width + t->file_width + t->line_width);
	return (struct inlined){
		.name = symtab_field(t->inlines, at, t->name_width),
		.file = symtab_field(t->inlines, at + t->name_width, t->file_width),
		.line = symtab_field(t->inlines, at + t->name_width + t->file_width, t->line_width),
	};
}

/*
 * Runs a chunk's bytes until they pass `unit` (units from the chunk's start). `slots` are as at its start,
 * and are used up. False when the bytes are damaged.
 */
static bool chunk_find(const struct symtab_table *t, struct symtab_bits b, uint32_t *slots, uint32_t unit,
		       struct row *out)
{
	uint32_t next = unit + 1; /* units until the row behind the wanted one: counts down, stops below */
	uint32_t node = 0, node_before = 0, file = FILE_OF_NODE, advance = 0, add = 0;
	uint32_t special = SYMTAB_ROW_FAR + t->fars;
	bool found = false;
	enum symtab_stream stream = SYMTAB_OP;
	uint32_t op, v;
	while (symtab_byte(t, &b, stream, &op)) {
		if (op >= special) {
			advance += (op - special) / t->line_range + 1u;
			add += (uint32_t)t->line_base + (op - special) % t->line_range;
		} else if (op >= SYMTAB_ROW_FAR) {
			if (!symtab_zigzag(t, &b, SYMTAB_ARG, &v))
				return false;
			advance += op - SYMTAB_ROW_FAR + 1u;
			add += v;
		} else if (op >= SYMTAB_ROW_BACK) {
			uint32_t step = op - SYMTAB_ROW_STEP, to = node + step - SYMTAB_ROW_STEPS;
			if (op == SYMTAB_ROW_BACK)
				to = node_before;
			else if (step >= SYMTAB_ROW_STEPS)
				to++;
			node_before = node;
			node = to;
			file = FILE_OF_NODE;
			stream = SYMTAB_MOVED;
			continue;
		} else if (op == SYMTAB_ROW_END) {
			return found;
		} else {
			enum symtab_stream of = op == SYMTAB_ROW_FILE ? SYMTAB_PLACE : SYMTAB_ARG;
			if (op == SYMTAB_ROW_LINE ? !symtab_zigzag(t, &b, of, &v)
						  : !symtab_varint(t, &b, of, &v))
				return false;
			if (op == SYMTAB_ROW_NODE) {
				node_before = node;
				node = v;
				file = FILE_OF_NODE;
				stream = SYMTAB_MOVED;
			} else if (op == SYMTAB_ROW_FILE) {
				file = v;
			} else if (op == SYMTAB_ROW_ADVANCE) {
				advance += v;
			} else {
				add += v;
			}
			continue;
		}
		if (advance > next)
			return found;
		next -= advance;
		slots[node % SYMTAB_LINE_SLOTS] += add;
		*out = (struct row){node, file, slots[node % SYMTAB_LINE_SLOTS]};
		found = true;
		stream = SYMTAB_OP;
		advance = add = 0;
	}
	return found;
}

/* Finds the chunk that holds `unit` (units from the function's start) in the list at p, then the row in it.
 */
static bool row_find(const struct symtab_table *t, struct symtab_bits b, uint32_t *slots, uint32_t unit,
		     struct row *out)
{
	uint32_t n_chunks;
	if (!symtab_varint(t, &b, SYMTAB_HEAD, &n_chunks) || n_chunks == 0)
		return false;
	uint32_t units = 0, bits = 0, chunk_units = 0, chunk_bits = 0;
	bool behind = false; /* the list is read to its end, because the chunks follow it */
	for (uint32_t i = 1; i < n_chunks; i++) {
		uint32_t more_units, more_bits;
		if (!symtab_varint(t, &b, SYMTAB_RAW, &more_units) ||
		    !symtab_varint(t, &b, SYMTAB_RAW, &more_bits))
			return false;
		units += more_units;
		bits += more_bits;
		behind |= units > unit;
		if (!behind) {
			chunk_units = units;
			chunk_bits = bits;
		}
	}
	if (chunk_bits >= b.end - b.at)
		return false;
	b.at += chunk_bits;
	return chunk_find(t, b, slots, unit - chunk_units, out);
}

/*
 * Reads the first `count` inline nodes at *b and moves *b behind them; leaves the path to the last one in
 * path[1 .. depth] and returns the depth; -1 when the nodes are damaged. With slots, sets those to which a
 * node gives a line.
 */
static int nodes_read(const struct symtab_table *t, const struct symtab_detail *d, struct symtab_bits *b,
		      uint32_t count, struct level path[SYMTAB_FRAMES_MAX], uint32_t *slots)
{
	uint32_t depth = 0;
	for (uint32_t i = 0; i < count; i++) {
		uint32_t v, up, file, line;
		if (!symtab_varint(t, b, SYMTAB_NODE, &v))
			return -1;
		up = v & 3;
		if (up == 3 && !symtab_varint(t, b, SYMTAB_NODE, &up))
			return -1;
		if (up > depth || depth + 1 - up > SYMTAB_INLINE_MAX || v >> 3 >= t->n_inlines)
			return -1;
		uint32_t at = depth + 1 - up;
		const struct level *parent = &path[at - 1]; /* at > 1 */
		file = at > 1 ? parent->inlined.file : d->file - 1;
		if ((v & 4) != 0 && !symtab_varint(t, b, SYMTAB_NODE, &file))
			return -1;
		if (!symtab_zigzag(t, b, SYMTAB_CALL, &line))
			return -1;
		if (up > 0)
			line += path[at].call_line;
		else
			line += at > 1 ? parent->inlined.line : d->line;
		path[at] = (struct level){inlined_read(t, v >> 3), file, line};
		depth = at;
		if (slots != NULL && i + 1 < SYMTAB_LINE_SLOTS)
			slots[i + 1] = path[at].inlined.line;
	}
	return (int)depth;
}

/*
 * Finds the row at pc of a function with known file, and the path to its node. Returns the depth of the path.
 * The nodes are read twice: the rows, which stand behind them, say which one is wanted.
 */
static int place_find(const struct symtab_table *t, const struct symtab_detail *d, uintptr_t pc,
		      struct row *row, struct level path[SYMTAB_FRAMES_MAX])
{
	const struct row unknown = {0, FILE_OF_NODE, 0};
	uint32_t slots[SYMTAB_LINE_SLOTS], n_nodes;
	uint32_t unit = (uint32_t)(pc - t->text_base - d->start) >> t->unit_shift;
	struct symtab_bits b = d->rest, nodes;
	for (int i = 0; i < SYMTAB_LINE_SLOTS; i++)
		slots[i] = d->line;
	*row = unknown;
	if (!symtab_varint(t, &b, SYMTAB_HEAD, &n_nodes))
		return 0;
	nodes = b;
	if (nodes_read(t, d, &b, n_nodes, path, slots) < 0 || !row_find(t, b, slots, unit, row))
		return 0;
	int depth = row->node <= n_nodes ? nodes_read(t, d, &nodes, row->node, path, NULL) : -1;
	if (depth < 0)
		*row = unknown;
	return depth < 0 ? 0 : depth;
}

unsigned symtab_frames(uintptr_t pc, struct symtab_frame *out, unsigned max)
{
	const struct symtab_table *t = symtab_table();
	struct symtab_detail d;
	if (max == 0 || t == NULL || !symtab_detail_find(t, pc, &d))
		return 0;
	struct symtab_frame outer = {symtab_name(t, d.name), "??", 0, 0};
	struct level path[SYMTAB_FRAMES_MAX];
	struct row row = {0, FILE_OF_NODE, 0};
	int depth = 0;
	if (d.file != 0) {
		outer.file = symtab_file(t, d.file - 1);
		outer.start_line = d.line;
		depth = place_find(t, &d, pc, &row, path);
	}
	unsigned n = 0;
	uint32_t line = row.line, file = row.file;
	for (; depth > 0 && n < max; depth--) {
		const struct inlined *e = &path[depth].inlined;
		if (file == FILE_OF_NODE)
			file = e->file;
		out[n++] =
			(struct symtab_frame){symtab_name(t, e->name), symtab_file(t, file), line, e->line};
		line = path[depth].call_line;
		file = path[depth].call_file;
	}
	if (n < max) {
		outer.line = line;
		if (file != FILE_OF_NODE)
			outer.file = symtab_file(t, file);
		out[n++] = outer;
	}
	return n;
}

/*
 * Line rows. A row of the table holds from its pc on and says line, file and innermost inline node. Its line
 * is that of the last row of the line table that begins a statement, as long as node and file stay; where
 * they change, the row in force is taken whatever it begins: a line must never be shown with a function it is
 * not in.
 */
#include "tools/symtab/lines.h"

#include <dwarf.h>
#include <stdlib.h>

#include "tools/symtab/buffer.h"
#include "tools/symtab/files.h"

static int line_order(const void *pa, const void *pb)
{
	const struct line *a = pa, *b = pb;
	if (a->pc != b->pc)
		return a->pc < b->pc ? -1 : 1;
	if (a->end != b->end)
		return a->end ? -1 : 1;
	return a->order < b->order ? -1 : a->order > b->order;
}

static void unit_read(const struct image *im, Dwarf_Die *cu, struct line_table *t)
{
	Dwarf_Lines *lines;
	size_t n;
	if (dwarf_getsrclines(cu, &lines, &n) != 0)
		return;
	const char *raw = NULL, *name = NULL;
	for (size_t i = 0; i < n; i++) {
		Dwarf_Line *l = dwarf_onesrcline(lines, i);
		Dwarf_Addr pc;
		int line;
		bool statement, end;
		if (l == NULL || dwarf_lineaddr(l, &pc) != 0 || dwarf_lineno(l, &line) != 0 ||
		    dwarf_linebeginstatement(l, &statement) != 0 || dwarf_lineendsequence(l, &end) != 0)
			continue;
		if (pc < im->text_base || pc > im->text_limit || (line == 0 && !end))
			continue;
		const char *file = dwarf_linesrc(l, NULL, NULL);
		if (file != raw) {
			raw = file;
			name = files_name(file);
		}
		ARRAY_ROOM(t->all, t->n);
		t->all[t->n] = (struct line){pc, name, (unsigned)line, statement, end, t->n};
		t->n++;
	}
}

void lines_read(const struct image *im, struct line_table *out)
{
	*out = (struct line_table){0};
	Dwarf_Off at = 0, next;
	size_t header;
	while (dwarf_nextcu(im->dwarf, at, &next, &header, NULL, NULL, NULL) == 0) {
		Dwarf_Die cu;
		if (dwarf_offdie(im->dwarf, at + header, &cu) != NULL)
			unit_read(im, &cu, out);
		at = next;
	}
	if (out->n > 0)
		qsort(out->all, out->n, sizeof *out->all, line_order);
}

/* Index of the first line row behind pc. */
static size_t lines_after(const struct line_table *t, uint64_t pc)
{
	size_t lo = 0, hi = t->n;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		if (t->all[mid].pc <= pc)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* The next pc behind `pc` at which an inlined call begins or ends. */
static uint64_t tree_next(const struct inline_tree *tree, uint64_t pc)
{
	uint64_t next = UINT64_MAX;
	for (size_t i = 0; i < tree->n_ranges; i++) {
		if (tree->ranges[i].lo > pc && tree->ranges[i].lo < next)
			next = tree->ranges[i].lo;
		if (tree->ranges[i].hi > pc && tree->ranges[i].hi < next)
			next = tree->ranges[i].hi;
	}
	return next;
}

static void row_add(struct function *f, struct row row)
{
	if (f->n_rows > 0) {
		struct row *last = &f->rows[f->n_rows - 1];
		if (last->node == row.node && last->file == row.file && last->line == row.line)
			return;
	}
	ARRAY_ROOM(f->rows, f->n_rows);
	f->rows[f->n_rows++] = row;
}

/* Renumbers the nodes so that those without code of their own or of an inner one are gone. */
static void nodes_prune(struct function *f)
{
	if (f->n_nodes == 0)
		return;
	uint32_t *number = grow(NULL, f->n_nodes, sizeof *number);
	for (size_t i = 0; i < f->n_nodes; i++)
		number[i] = i == 0;
	for (size_t i = 0; i < f->n_rows; i++) {
		for (uint32_t node = f->rows[i].node; node != 0; node = f->nodes[node].parent)
			number[node] = 1;
	}
	uint32_t n = 0;
	for (size_t i = 0; i < f->n_nodes; i++) {
		if (number[i] == 0)
			continue;
		number[i] = n;
		f->nodes[n] = f->nodes[i];
		f->nodes[n].parent = number[f->nodes[n].parent];
		n++;
	}
	f->n_nodes = n;
	for (size_t i = 0; i < f->n_rows; i++)
		f->rows[i].node = number[f->rows[i].node];
	free(number);
}

static const char *node_file(const struct function *f, const struct debug_info *info, uint32_t node)
{
	return node ? info->inlined[f->nodes[node].inlined].file : f->file;
}

void lines_assign(const struct line_table *lines, struct function *f, const struct inline_tree *tree,
		  const struct debug_info *info, bool all_rows)
{
	size_t next = lines_after(lines, f->start);
	const struct line *last = next > 0 ? &lines->all[next - 1] : NULL; /* the row in force, NULL: none */
	if (last != NULL && last->end)
		last = NULL;
	if (f->file == NULL && last != NULL) {
		f->file = last->file;
		f->line = last->line;
	}
	if (f->file == NULL)
		return;
	const struct line *statement = NULL; /* the last at pc that begins a statement */
	struct row row = {.pc = f->start};
	uint64_t end = f->start + f->size, pc = f->start;
	while (pc < end) {
		uint32_t node = inline_node_at(tree, f, pc);
		bool moved = pc == f->start || node != row.node || last == NULL || last->file != row.file;
		row.pc = pc;
		row.node = node;
		if (last == NULL) {
			row.file = node_file(f, info, node);
			row.line = 0;
		} else if (statement != NULL || moved) {
			const struct line *from = moved || statement->file != last->file ? last : statement;
			row.file = from->file;
			row.line = from->line;
		}
		row_add(f, row);
		uint64_t to = tree_next(tree, pc);
		statement = NULL;
		if (next < lines->n && lines->all[next].pc <= to) {
			to = lines->all[next].pc;
			for (; next < lines->n && lines->all[next].pc == to; next++) {
				last = lines->all[next].end ? NULL : &lines->all[next];
				if (last != NULL && (last->statement || all_rows))
					statement = last;
			}
		}
		pc = to;
	}
	nodes_prune(f);
}

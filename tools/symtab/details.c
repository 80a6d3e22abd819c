/*
 * Writes what kernel/symtab_frames.c reads (format and state: kernel/symtab_format.h). Inlined functions are
 * numbered by descending use, so that the most used have short numbers. The parameters of the special opcodes
 * are those of a small grid that make the whole shortest.
 */
#include "tools/symtab/details.h"

#include <stdlib.h>
#include <string.h>

#include "tools/symtab/strings.h"

struct numbers {
	const struct debug_info *info;
	const char **files; /* interned names, by number */
	size_t n_files;
	uint32_t *inlined; /* number of info->inlined[i] in the table */
	uint64_t text_base;
	unsigned unit_shift;
	int line_base;
	unsigned line_range, fars, specials; /* specials: opcodes that are left for them */
};

struct use {
	size_t count, index;
};

static int use_order(const void *pa, const void *pb)
{
	const struct use *a = pa, *b = pb;
	if (a->count != b->count)
		return a->count > b->count ? -1 : 1;
	return a->index < b->index ? -1 : a->index > b->index;
}

static uint32_t file_number(struct numbers *nu, const char *file)
{
	for (size_t i = 0; i < nu->n_files; i++) {
		if (nu->files[i] == file)
			return (uint32_t)i;
	}
	ARRAY_ROOM(nu->files, nu->n_files);
	nu->files[nu->n_files++] = file;
	return (uint32_t)nu->n_files - 1;
}

static const char *node_file(const struct numbers *nu, const struct function *f, uint32_t node)
{
	return node ? nu->info->inlined[f->nodes[node].inlined].file : f->file;
}

static unsigned node_line(const struct numbers *nu, const struct function *f, uint32_t node)
{
	return node ? nu->info->inlined[f->nodes[node].inlined].line : f->line;
}

static void inlined_make(struct numbers *nu, const struct function *f, size_t n, struct buffer *out)
{
	size_t n_inlined = nu->info->n_inlined;
	struct use *uses = grow(NULL, n_inlined, sizeof *uses);
	for (size_t i = 0; i < n_inlined; i++)
		uses[i] = (struct use){0, i};
	for (size_t i = 0; i < n; i++) {
		for (size_t k = 1; k < f[i].n_nodes; k++)
			uses[f[i].nodes[k].inlined].count++;
	}
	qsort(uses, n_inlined, sizeof *uses, use_order);
	nu->inlined = grow(NULL, n_inlined, sizeof *nu->inlined);
	for (size_t i = 0; i < n_inlined && uses[i].count > 0; i++) {
		const struct inlined *e = &nu->info->inlined[uses[i].index];
		uint64_t name = strings_add(e->name), line = e->line;
		uint64_t file = file_number(nu, e->file ? e->file : strings_intern("??"));
		if (name > 0xffffff || file > 0xfffff || line > 0xfffff)
			die("%s: name, file or line number beyond the table's format", e->name);
		symtab_inline_entry entry = line << 44 | file << 24 | name;
		buffer_put(out, &entry, sizeof entry);
		nu->inlined[uses[i].index] = (uint32_t)i;
	}
}

static void nodes_write(struct numbers *nu, const struct function *f, struct buffer *out)
{
	unsigned depth = 0;
	uint32_t at[SYMTAB_INLINE_MAX + 1] = {0}; /* the last node at each depth */
	buffer_varint(out, f->n_nodes ? (uint32_t)f->n_nodes - 1 : 0);
	for (uint32_t i = 1; i < f->n_nodes; i++) {
		const struct node *node = &f->nodes[i];
		uint32_t up = depth + 1 - node->depth;
		const char *file = node->call_file ? node->call_file : node_file(nu, f, node->parent);
		bool given = file != node_file(nu, f, node->parent);
		buffer_varint(out,
			      nu->inlined[node->inlined] << 3 | (uint32_t)given << 2 | (up < 3 ? up : 3));
		if (up >= 3)
			buffer_varint(out, up);
		if (given)
			buffer_varint(out, file_number(nu, file));
		unsigned from = up ? f->nodes[at[node->depth]].call_line : node_line(nu, f, node->parent);
		buffer_zigzag(out, (int32_t)(node->call_line - from));
		depth = node->depth;
		at[depth] = i;
	}
}

static void node_step(struct buffer *out, uint32_t before, uint32_t from, uint32_t to)
{
	int64_t step = (int64_t)to - from;
	if (to == before) {
		buffer_byte(out, SYMTAB_ROW_BACK);
	} else if (step >= -SYMTAB_ROW_STEPS && step < 0) {
		buffer_byte(out, (unsigned)(SYMTAB_ROW_STEP + SYMTAB_ROW_STEPS + step));
	} else if (step > 0 && step <= SYMTAB_ROW_STEPS) {
		buffer_byte(out, (unsigned)(SYMTAB_ROW_STEP + SYMTAB_ROW_STEPS - 1 + step));
	} else {
		buffer_byte(out, SYMTAB_ROW_NODE);
		buffer_varint(out, to);
	}
}

static void row_emit(const struct numbers *nu, struct buffer *out, uint32_t units, int32_t lines)
{
	uint32_t reach = (nu->specials - 1) / nu->line_range + 1; /* units that a special opcode may go */
	int64_t rest = (int64_t)lines - nu->line_base;
	bool special = rest >= 0 && rest < nu->line_range;
	if (!special && units <= nu->fars) {
		buffer_byte(out, SYMTAB_ROW_FAR + units - 1);
		buffer_zigzag(out, lines);
		return;
	}
	if (!special) {
		buffer_byte(out, SYMTAB_ROW_LINE);
		buffer_zigzag(out, lines - nu->line_base);
		rest = 0;
	}
	while (units > reach || (units - 1) * nu->line_range + (uint32_t)rest >= nu->specials) {
		uint32_t over = units > reach ? units - reach : 1;
		buffer_byte(out, SYMTAB_ROW_ADVANCE);
		buffer_varint(out, over);
		units -= over;
	}
	buffer_byte(out, SYMTAB_ROW_FAR + nu->fars + (units - 1) * nu->line_range + (uint32_t)rest);
}

/* Writes rows [from, to) as one chunk. */
static void chunk_write(struct numbers *nu, const struct function *f, size_t from, size_t to,
			struct buffer *out)
{
	uint32_t slots[SYMTAB_LINE_SLOTS];
	for (int i = 0; i < SYMTAB_LINE_SLOTS; i++)
		slots[i] = i > 0 && (size_t)i < f->n_nodes ? node_line(nu, f, (uint32_t)i) : f->line;
	uint32_t node = 0, before = 0;
	const char *file = f->file;
	uint64_t pc = f->rows[from].pc - (1u << nu->unit_shift);
	for (size_t i = from; i < to; i++) {
		const struct row *row = &f->rows[i];
		if (row->node != node) {
			node_step(out, before, node, row->node);
			before = node;
			node = row->node;
			file = node_file(nu, f, node);
		}
		if (row->file != file) {
			file = row->file;
			buffer_byte(out, SYMTAB_ROW_FILE);
			buffer_varint(out, file_number(nu, file ? file : strings_intern("??")));
		}
		uint32_t *slot = &slots[node % SYMTAB_LINE_SLOTS];
		row_emit(nu, out, (uint32_t)((row->pc - pc) >> nu->unit_shift), (int32_t)(row->line - *slot));
		*slot = row->line;
		pc = row->pc;
	}
	buffer_byte(out, SYMTAB_ROW_END);
}

static void rows_write(struct numbers *nu, const struct function *f, struct buffer *out)
{
	static struct buffer chunks, list;
	chunks.size = list.size = 0;
	buffer_varint(out, (uint32_t)((f->n_rows + SYMTAB_CHUNK_ROWS - 1) / SYMTAB_CHUNK_ROWS));
	size_t last_size = 0;
	for (size_t at = 0; at < f->n_rows; at += SYMTAB_CHUNK_ROWS) {
		size_t to = at + SYMTAB_CHUNK_ROWS < f->n_rows ? at + SYMTAB_CHUNK_ROWS : f->n_rows;
		if (at > 0) {
			uint64_t bytes = f->rows[at].pc - f->rows[at - SYMTAB_CHUNK_ROWS].pc;
			buffer_varint(out, (uint32_t)(bytes >> nu->unit_shift));
			buffer_varint(out, (uint32_t)(chunks.size - last_size));
		}
		last_size = chunks.size;
		chunk_write(nu, f, at, to, &chunks);
	}
	buffer_put(out, chunks.data, chunks.size);
}

static size_t rows_size(struct numbers *nu, const struct function *f, size_t n)
{
	static struct buffer b;
	b.size = 0;
	for (size_t i = 0; i < n; i++)
		rows_write(nu, &f[i], &b);
	return b.size;
}

static void parameters_choose(struct numbers *nu, const struct function *f, size_t n)
{
	static const unsigned fars[] = {4, 8, 12, 16, 24, 32};
	struct numbers best = *nu;
	size_t best_size = SIZE_MAX;
	for (size_t i = 0; i < sizeof fars / sizeof *fars; i++) {
		for (nu->line_base = -8; nu->line_base <= 0; nu->line_base++) {
			for (nu->line_range = 4; nu->line_range <= 24; nu->line_range += 2) {
				nu->fars = fars[i];
				nu->specials = 256 - SYMTAB_ROW_FAR - fars[i];
				size_t size = rows_size(nu, f, n);
				if (size < best_size) {
					best_size = size;
					best = *nu;
				}
			}
		}
	}
	nu->line_base = best.line_base;
	nu->line_range = best.line_range;
	nu->fars = best.fars;
	nu->specials = best.specials;
}

void details_make(const struct image *im, const struct function *f, size_t n, const struct debug_info *info,
		  struct details *out)
{
	struct numbers nu = {.info = info, .text_base = im->text_base, .unit_shift = im->unit_shift};
	*out = (struct details){0};
	inlined_make(&nu, f, n, &out->inlines);
	parameters_choose(&nu, f, n);
	out->line_base = nu.line_base;
	out->line_range = nu.line_range;
	out->fars = nu.fars;
	for (size_t i = 0; i < n; i++) {
		struct symtab_function_entry e = {(uint32_t)(f[i].start - im->text_base),
						  (uint32_t)out->bytes.size};
		buffer_put(&out->functions, &e, sizeof e);
		buffer_varint(&out->bytes, (uint32_t)f[i].size);
		buffer_varint(&out->bytes, strings_add(f[i].name));
		buffer_varint(&out->bytes, f[i].file ? file_number(&nu, f[i].file) + 1 : 0);
		if (f[i].file == NULL)
			continue;
		buffer_varint(&out->bytes, f[i].line);
		size_t before = out->bytes.size;
		nodes_write(&nu, &f[i], &out->bytes);
		out->node_bytes += out->bytes.size - before;
		before = out->bytes.size;
		rows_write(&nu, &f[i], &out->bytes);
		out->row_bytes += out->bytes.size - before;
		out->n_nodes += f[i].n_nodes ? f[i].n_nodes - 1 : 0;
		out->n_rows += f[i].n_rows;
	}
	for (size_t i = 0; i < nu.n_files; i++) {
		uint32_t offset = strings_add(nu.files[i]);
		buffer_put(&out->files, &offset, sizeof offset);
	}
}

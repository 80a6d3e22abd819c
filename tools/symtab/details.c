/*
 * Writes what kernel/symtab_frames.c reads (format and state: kernel/symtab_format.h). Inlined functions are
 * numbered by descending use, so that the most used have short numbers. The parameters of the special opcodes
 * are those of a small grid that make the whole shortest. First all bytes are made, then the codes for them,
 * then what is written with them.
 */
#include "tools/symtab/details.h"

#include <stdlib.h>
#include <string.h>

#include "tools/symtab/code.h"
#include "tools/symtab/strings.h"

struct numbers {
	const struct debug_info *info;
	const char **files; /* interned names, by number */
	size_t n_files;
	uint32_t *inlined;           /* number of info->inlined[i] in the table */
	const struct inlined **used; /* the same by number in the table */
	size_t n_used;
	bool named; /* the names have been numbered */
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

/* Numbers the inlined functions that are used, by descending use. */
static void inlined_number(struct numbers *nu, const struct function *f, size_t n)
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
	nu->used = grow(NULL, n_inlined, sizeof *nu->used);
	for (size_t i = 0; i < n_inlined && uses[i].count > 0; i++) {
		nu->inlined[uses[i].index] = (uint32_t)i;
		nu->used[nu->n_used++] = &nu->info->inlined[uses[i].index];
	}
}

static const char *inlined_file(const struct inlined *e)
{
	return e->file ? e->file : strings_intern("??");
}

static void nodes_write(struct numbers *nu, const struct function *f, struct tokens *out)
{
	unsigned depth = 0;
	uint32_t at[SYMTAB_INLINE_MAX + 1] = {0}; /* the last node at each depth */
	tokens_varint(out, SYMTAB_HEAD, f->n_nodes ? (uint32_t)f->n_nodes - 1 : 0);
	for (uint32_t i = 1; i < f->n_nodes; i++) {
		const struct node *node = &f->nodes[i];
		uint32_t up = depth + 1 - node->depth;
		const char *file = node->call_file ? node->call_file : node_file(nu, f, node->parent);
		bool given = file != node_file(nu, f, node->parent);
		tokens_varint(out, SYMTAB_NODE,
			      nu->inlined[node->inlined] << 3 | (uint32_t)given << 2 | (up < 3 ? up : 3));
		if (up >= 3)
			tokens_varint(out, SYMTAB_NODE, up);
		if (given)
			tokens_varint(out, SYMTAB_NODE, file_number(nu, file));
		unsigned from = up ? f->nodes[at[node->depth]].call_line : node_line(nu, f, node->parent);
		tokens_zigzag(out, SYMTAB_CALL, (int32_t)(node->call_line - from));
		depth = node->depth;
		at[depth] = i;
	}
}

static void node_step(struct tokens *out, uint32_t before, uint32_t from, uint32_t to)
{
	int64_t step = (int64_t)to - from;
	if (to == before) {
		tokens_byte(out, SYMTAB_OP, SYMTAB_ROW_BACK);
	} else if (step >= -SYMTAB_ROW_STEPS && step < 0) {
		tokens_byte(out, SYMTAB_OP, (unsigned)(SYMTAB_ROW_STEP + SYMTAB_ROW_STEPS + step));
	} else if (step > 0 && step <= SYMTAB_ROW_STEPS) {
		tokens_byte(out, SYMTAB_OP, (unsigned)(SYMTAB_ROW_STEP + SYMTAB_ROW_STEPS - 1 + step));
	} else {
		tokens_byte(out, SYMTAB_OP, SYMTAB_ROW_NODE);
		tokens_varint(out, SYMTAB_ARG, to);
	}
}

static void row_emit(const struct numbers *nu, struct tokens *out, enum symtab_stream stream, uint32_t units,
		     int32_t lines)
{
	uint32_t reach = (nu->specials - 1) / nu->line_range + 1; /* units that a special opcode may go */
	int64_t rest = (int64_t)lines - nu->line_base;
	bool special = rest >= 0 && rest < nu->line_range;
	if (!special && units <= nu->fars) {
		tokens_byte(out, stream, SYMTAB_ROW_FAR + units - 1);
		tokens_zigzag(out, SYMTAB_ARG, lines);
		return;
	}
	if (!special) {
		tokens_byte(out, stream, SYMTAB_ROW_LINE);
		tokens_zigzag(out, SYMTAB_ARG, lines - nu->line_base);
		rest = 0;
	}
	while (units > reach || (units - 1) * nu->line_range + (uint32_t)rest >= nu->specials) {
		uint32_t over = units > reach ? units - reach : 1;
		tokens_byte(out, stream, SYMTAB_ROW_ADVANCE);
		tokens_varint(out, SYMTAB_ARG, over);
		units -= over;
	}
	tokens_byte(out, stream, SYMTAB_ROW_FAR + nu->fars + (units - 1) * nu->line_range + (uint32_t)rest);
}

/* How far a row is from the one before, and how many rows are. */
struct advance {
	enum symtab_stream stream;
	uint32_t units;
	int32_t lines;
	size_t count;
};

struct advances {
	struct advance *all;
	size_t n;
};

/* Writes rows [from, to) as one chunk; their advances not to `out` but to `apart`, unless that is NULL. */
static void chunk_write(struct numbers *nu, const struct function *f, size_t from, size_t to,
			struct tokens *out, struct advances *apart)
{
	uint32_t slots[SYMTAB_LINE_SLOTS];
	for (int i = 0; i < SYMTAB_LINE_SLOTS; i++)
		slots[i] = i > 0 && (size_t)i < f->n_nodes ? node_line(nu, f, (uint32_t)i) : f->line;
	uint32_t node = 0, before = 0;
	const char *file = f->file;
	uint64_t pc = f->rows[from].pc - (1u << nu->unit_shift);
	for (size_t i = from; i < to; i++) {
		const struct row *row = &f->rows[i];
		enum symtab_stream stream = SYMTAB_OP;
		if (row->node != node) {
			node_step(out, before, node, row->node);
			before = node;
			node = row->node;
			file = node_file(nu, f, node);
			stream = SYMTAB_MOVED;
		}
		if (row->file != file) {
			file = row->file;
			tokens_byte(out, stream, SYMTAB_ROW_FILE);
			tokens_varint(out, SYMTAB_PLACE, file_number(nu, file ? file : strings_intern("??")));
		}
		uint32_t *slot = &slots[node % SYMTAB_LINE_SLOTS];
		uint32_t units = (uint32_t)((row->pc - pc) >> nu->unit_shift);
		int32_t lines = (int32_t)(row->line - *slot);
		if (apart == NULL) {
			row_emit(nu, out, stream, units, lines);
		} else {
			ARRAY_ROOM(apart->all, apart->n);
			apart->all[apart->n++] = (struct advance){stream, units, lines, 1};
		}
		*slot = row->line;
		pc = row->pc;
	}
	tokens_byte(out, SYMTAB_OP, SYMTAB_ROW_END);
}

static size_t chunk_end(const struct function *f, size_t at)
{
	return at + SYMTAB_CHUNK_ROWS < f->n_rows ? at + SYMTAB_CHUNK_ROWS : f->n_rows;
}

static int advance_order(const void *pa, const void *pb)
{
	const struct advance *a = pa, *b = pb;
	if (a->stream != b->stream)
		return a->stream < b->stream ? -1 : 1;
	if (a->units != b->units)
		return a->units < b->units ? -1 : 1;
	return a->lines < b->lines ? -1 : a->lines > b->lines;
}

/* Equal ones become one. */
static void advances_join(struct advances *a)
{
	size_t n = 0;
	qsort(a->all, a->n, sizeof *a->all, advance_order);
	for (size_t i = 0; i < a->n; i++) {
		if (n > 0 && advance_order(&a->all[n - 1], &a->all[i]) == 0)
			a->all[n - 1].count++;
		else
			a->all[n++] = a->all[i];
	}
	a->n = n;
}

/* What the rows take, in bits: their advances, and `rest`, what else is written of them. */
static double rows_size(const struct numbers *nu, const struct advances *a, const struct token_counts *rest)
{
	static struct tokens t;
	static struct token_counts counts;
	counts = *rest;
	for (size_t i = 0; i < a->n; i++) {
		t.n = 0;
		row_emit(nu, &t, a->all[i].stream, a->all[i].units, a->all[i].lines);
		counts_add(&counts, &t, a->all[i].count);
	}
	return counts_entropy(&counts);
}

static void parameters_choose(struct numbers *nu, const struct function *f, size_t n)
{
	static struct token_counts rest;
	struct tokens t = {NULL, 0};
	struct advances a = {NULL, 0};
	for (size_t i = 0; i < n; i++)
		for (size_t at = 0; at < f[i].n_rows; at += SYMTAB_CHUNK_ROWS)
			chunk_write(nu, &f[i], at, chunk_end(&f[i], at), &t, &a);
	counts_add(&rest, &t, 1);
	advances_join(&a);
	static const unsigned fars[] = {4, 8, 12, 16, 24, 32};
	struct numbers best = *nu;
	double best_size = 1e300;
	for (size_t i = 0; i < sizeof fars / sizeof *fars; i++) {
		for (nu->line_base = -8; nu->line_base <= 0; nu->line_base++) {
			for (nu->line_range = 4; nu->line_range <= 24; nu->line_range += 2) {
				nu->fars = fars[i];
				nu->specials = 256 - SYMTAB_ROW_FAR - fars[i];
				double size = rows_size(nu, &a, &rest);
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

/* The bytes of a function's detail: where they stand among all. */
struct piece {
	size_t head, nodes, chunks; /* each up to the next; the number of chunks is the last of nodes */
	size_t *chunk_ends;
	size_t n_chunks;
};

/* next: where the next function starts. */
static struct piece detail_tokens(struct numbers *nu, const struct function *f, uint64_t next,
				  struct tokens *t)
{
	struct piece p = {.head = t->n};
	tokens_varint(t, SYMTAB_HEAD, (uint32_t)((next - f->start - f->size) >> nu->unit_shift));
	tokens_varint(t, SYMTAB_TITLE, nu->named ? strings_number(f->name) : 0);
	tokens_varint(t, SYMTAB_PLACE, f->file ? file_number(nu, f->file) + 1 : 0);
	if (f->file != NULL)
		tokens_varint(t, SYMTAB_LINE, f->line);
	p.nodes = p.chunks = t->n;
	if (f->file == NULL)
		return p;
	nodes_write(nu, f, t);
	tokens_varint(t, SYMTAB_HEAD, (uint32_t)((f->n_rows + SYMTAB_CHUNK_ROWS - 1) / SYMTAB_CHUNK_ROWS));
	p.chunks = t->n;
	for (size_t at = 0; at < f->n_rows; at += SYMTAB_CHUNK_ROWS) {
		chunk_write(nu, f, at, chunk_end(f, at), t, NULL);
		ARRAY_ROOM(p.chunk_ends, p.n_chunks);
		p.chunk_ends[p.n_chunks++] = t->n;
	}
	return p;
}

/* Writes the list of chunks, and the chunks. */
static void chunks_put(const struct numbers *nu, const struct function *f, const struct piece *p,
		       const struct codes *c, const struct tokens *t, struct bit_buffer *out)
{
	struct tokens list = {NULL, 0};
	size_t from = p->chunks;
	for (size_t k = 1; k < p->n_chunks; k++) {
		const struct row *row = &f->rows[k * SYMTAB_CHUNK_ROWS];
		uint64_t bytes = row->pc - row[-SYMTAB_CHUNK_ROWS].pc;
		tokens_varint(&list, SYMTAB_RAW, (uint32_t)(bytes >> nu->unit_shift));
		tokens_varint(&list, SYMTAB_RAW, (uint32_t)codes_size(c, t, from, p->chunk_ends[k - 1]));
		from = p->chunk_ends[k - 1];
	}
	codes_write(c, &list, 0, list.n, out);
	if (p->n_chunks > 0)
		codes_write(c, t, p->chunks, p->chunk_ends[p->n_chunks - 1], out);
}

static void details_put(const struct numbers *nu, const struct function *f, size_t n,
			const struct piece *pieces, const struct codes *c, const struct tokens *t,
			struct details *out)
{
	struct bit_buffer bits = {0}, functions = {0};
	size_t *at = grow(NULL, n, sizeof *at);
	for (size_t i = 0; i < n; i++) {
		const struct piece *p = &pieces[i];
		at[i] = bits.n;
		codes_write(c, t, p->head, p->nodes, &bits);
		size_t before = bits.n;
		codes_write(c, t, p->nodes, p->chunks, &bits);
		out->node_bits += bits.n - before;
		before = bits.n;
		chunks_put(nu, &f[i], p, c, t, &bits);
		out->row_bits += bits.n - before;
		out->n_nodes += f[i].n_nodes ? f[i].n_nodes - 1 : 0;
		out->n_rows += f[i].file ? f[i].n_rows : 0;
	}
	uint64_t last = n > 0 ? (f[n - 1].start - nu->text_base) >> nu->unit_shift : 0;
	if (last >> SYMTAB_WIDTH_MAX != 0 || bits.n >> SYMTAB_WIDTH_MAX != 0)
		die("%zu bits of details for %llu units of code: beyond the table's format", bits.n,
		    (unsigned long long)last);
	out->start_width = bits_width((uint32_t)last);
	out->detail_width = bits_width((uint32_t)bits.n);
	for (size_t i = 0; i < n; i++) {
		bits_put(&functions, (uint32_t)((f[i].start - nu->text_base) >> nu->unit_shift),
			 out->start_width);
		bits_put(&functions, (uint32_t)at[i], out->detail_width);
	}
	out->functions = functions.bytes;
	out->bytes = bits.bytes;
}

static void inlines_put(struct numbers *nu, struct details *out)
{
	struct bit_buffer bits = {0};
	uint32_t lines = 0;
	for (size_t i = 0; i < nu->n_used; i++)
		lines |= nu->used[i]->line;
	out->line_width = bits_width(lines);
	out->file_width = bits_width((uint32_t)nu->n_files);
	for (size_t i = 0; i < nu->n_used; i++) {
		bits_put(&bits, strings_number(nu->used[i]->name), out->name_width);
		bits_put(&bits, file_number(nu, inlined_file(nu->used[i])), out->file_width);
		bits_put(&bits, nu->used[i]->line, out->line_width);
	}
	out->inlines = bits.bytes;
	out->n_inlines = nu->n_used;
}

static void files_put(const struct numbers *nu, struct details *out)
{
	struct bit_buffer bits = {0};
	for (size_t i = 0; i < nu->n_files; i++)
		bits_put(&bits, strings_number(nu->files[i]), out->name_width);
	out->files = bits.bytes;
	out->n_files = nu->n_files;
}

static void tokens_make(struct numbers *nu, const struct image *im, const struct function *f, size_t n,
			struct piece *pieces, struct tokens *t)
{
	t->n = 0;
	for (size_t i = 0; i < n; i++)
		pieces[i] = detail_tokens(nu, &f[i], i + 1 < n ? f[i + 1].start : im->text_limit, t);
}

/* Every string that is shown. Which files there are is known when all details have been made once. */
static void names_add(const struct numbers *nu, const struct function *f, size_t n)
{
	for (size_t i = 0; i < n; i++)
		strings_add(f[i].name);
	for (size_t i = 0; i < nu->n_used; i++)
		strings_add(nu->used[i]->name);
	for (size_t i = 0; i < nu->n_files; i++)
		strings_add(nu->files[i]);
}

static void limits_check(const struct details *d, size_t n)
{
	if (n > UINT16_MAX || d->n_files > UINT16_MAX || d->n_inlines > UINT16_MAX ||
	    d->n_names > UINT16_MAX || d->line_width > SYMTAB_WIDTH_MAX)
		die("%zu functions, %zu files, %zu inlined functions, %zu names: beyond the table's format",
		    n, d->n_files, d->n_inlines, d->n_names);
	if (d->names_size + 4 * d->n_names > SYMTAB_NAMES_MAX)
		die("%zu names of %zu bytes: beyond the table's format", d->n_names, d->names_size);
}

void details_make(const struct image *im, const struct function *f, size_t n, const struct debug_info *info,
		  struct details *out)
{
	struct numbers nu = {.info = info, .text_base = im->text_base, .unit_shift = im->unit_shift};
	struct piece *pieces = grow(NULL, n, sizeof *pieces);
	struct tokens t = {NULL, 0};
	struct codes c;
	*out = (struct details){0};
	inlined_number(&nu, f, n);
	for (size_t i = 0; i < nu.n_used; i++)
		file_number(&nu, inlined_file(nu.used[i]));
	parameters_choose(&nu, f, n);
	out->line_base = nu.line_base;
	out->line_range = nu.line_range;
	out->fars = nu.fars;
	tokens_make(&nu, im, f, n, pieces, &t);
	names_add(&nu, f, n);
	nu.named = true;
	tokens_make(&nu, im, f, n, pieces, &t);
	size_t end = t.n;
	out->n_names = strings_tokens(&t, &out->names_size);
	out->name_width = bits_width((uint32_t)out->n_names);
	codes_make(&c, &t, &out->codes);
	details_put(&nu, f, n, pieces, &c, &t, out);
	inlines_put(&nu, out);
	files_put(&nu, out);
	limits_check(out, n);
	struct bit_buffer names = {0};
	codes_write(&c, &t, end, t.n, &names);
	out->names = names.bytes;
}

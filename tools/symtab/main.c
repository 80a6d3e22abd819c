/*
 * symtab IMAGE.elf -o table.bin [--stats] [--all-rows] [--strip PREFIX]...
 *
 * Makes the symbol table of a linked image (kernel/symtab_format.h, docs/symbols.md). Exit status 0, or 1
 * with one line on stderr. The same ELF file always gives the same bytes.
 */
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <zlib.h>

#include "tools/symtab/debug.h"
#include "tools/symtab/details.h"
#include "tools/symtab/files.h"
#include "tools/symtab/unwind.h"

struct options {
	const char *image, *out;
	bool stats, all_rows;
};

struct parts {
	const struct buffer *bytes[SYMTAB_PARTS];
	uint32_t count[SYMTAB_PARTS];
};

static _Noreturn void usage(void)
{
	die("usage: symtab IMAGE.elf -o TABLE [--stats] [--all-rows] [--strip PREFIX]...");
}

static void options_read(struct options *o, int argc, char **argv)
{
	static const struct option longs[] = {
		{"stats", no_argument, NULL, 's'},
		{"all-rows", no_argument, NULL, 'a'},
		{"strip", required_argument, NULL, 'p'},
		{0},
	};
	int c;
	opterr = 0;
	while ((c = getopt_long(argc, argv, "o:", longs, NULL)) != -1) {
		if (c == 'o')
			o->out = optarg;
		else if (c == 's')
			o->stats = true;
		else if (c == 'a')
			o->all_rows = true;
		else if (c == 'p')
			files_strip(optarg);
		else
			usage();
	}
	if (o->out == NULL || optind != argc - 1)
		usage();
	o->image = argv[optind];
}

/* Header and parts in one piece, with the check sum. */
static struct buffer table_make(const struct image *im, size_t n, const struct details *d,
				const struct unwind_parts *u, const struct parts *parts)
{
	struct symtab_header h = {
		.version = SYMTAB_VERSION,
		.arch = im->arch,
		.unit_shift = (uint8_t)im->unit_shift,
		.rule_bits = (uint8_t)u->rule_bits,
		.line_range = (uint8_t)d->line_range,
		.line_base = (int8_t)d->line_base,
		.fars = (uint8_t)d->fars,
		.start_width = (uint8_t)d->start_width,
		.detail_width = (uint8_t)d->detail_width,
		.name_width = (uint8_t)d->name_width,
		.file_width = (uint8_t)d->file_width,
		.line_width = (uint8_t)d->line_width,
		.n_functions = (uint16_t)n,
		.n_files = (uint16_t)d->n_files,
		.n_inlines = (uint16_t)d->n_inlines,
		.n_names = (uint16_t)d->n_names,
		.names_size = (uint32_t)d->names_size,
		.text_base = im->text_base,
		.text_limit = im->text_limit,
	};
	memcpy(h.magic, SYMTAB_MAGIC, sizeof h.magic);
	memcpy(h.build_id, im->build_id, sizeof h.build_id);
	struct buffer b = {0};
	buffer_put(&b, &h, sizeof h);
	for (int i = 0; i < SYMTAB_PARTS; i++) {
		while (b.size % 8 != 0)
			buffer_byte(&b, 0);
		h.parts[i] = (struct symtab_part){(uint32_t)b.size, parts->count[i]};
		buffer_put(&b, parts->bytes[i]->data, parts->bytes[i]->size);
	}
	h.size = (uint32_t)b.size;
	memcpy(b.data, &h, sizeof h);
	h.crc32 = (uint32_t)crc32(0, b.data, (uInt)b.size);
	memcpy(b.data, &h, sizeof h);
	return b;
}

static void stat_print(const char *name, size_t bytes, const struct image *im, size_t n, const char *what)
{
	printf("  %-18s %8zu bytes %5.1f %% of text", name, bytes,
	       100.0 * (double)bytes / (double)im->text_size);
	if (what != NULL)
		printf("   %zu %s", n, what);
	printf("\n");
}

static void stats_print(const struct image *im, const struct details *d, const struct unwind_parts *u,
			size_t total, const struct function *f, size_t n)
{
	size_t functions = d->functions.size + d->bytes.size - (d->row_bits + d->node_bits) / 8;
	printf("symbol table: %zu bytes, %.1f %% of %llu bytes of text\n", total,
	       100.0 * (double)total / (double)im->text_size, (unsigned long long)im->text_size);
	stat_print("functions", functions, im, n, "functions");
	stat_print("names", d->names.size + d->files.size, im, d->n_names, "names");
	stat_print("lines", d->row_bits / 8, im, d->n_rows, "rows");
	stat_print("inlined calls", d->node_bits / 8 + d->inlines.size, im, d->n_nodes, "calls");
	stat_print("codes", d->codes.size, im, SYMTAB_STREAMS, "streams");
	stat_print("unwind", u->pages.size + u->rows.size + u->rules.size, im, u->rows.size / 2, "rows");
	stat_print("  of it rules", u->rules.size, im, u->rules.size / 8, "rules");
	printf("  functions without CFI (default rule):");
	for (size_t i = 0; i < n; i++) {
		if (!f[i].has_cfi)
			printf(" %s", f[i].name);
	}
	printf("\n  functions with CFI that no rule can hold (bytes where a walk is broken):");
	for (size_t i = 0; i < n; i++) {
		if (f[i].refused != 0)
			printf(" %s %zu", f[i].name, f[i].refused);
	}
	printf("\n");
}

static void file_write(const char *path, const struct buffer *b)
{
	FILE *out = fopen(path, "wb");
	if (out == NULL || fwrite(b->data, 1, b->size, out) != b->size || fclose(out) != 0)
		die("%s: cannot be written", path);
}

int main(int argc, char **argv)
{
	struct options o = {0};
	options_read(&o, argc, argv);
	struct image im;
	image_open(&im, o.image);
	struct function *f;
	size_t n = functions_read(&im, &f);
	struct debug_info info;
	debug_read(&im, f, n, o.all_rows, &info);
	struct unwind_parts u;
	unwind_make(&im, f, n, &u);
	struct details d;
	details_make(&im, f, n, &info, &d);
	struct parts parts = {
		.bytes = {&d.functions, &u.pages, &u.rows, &u.rules, &d.files, &d.inlines, &d.codes, &d.bytes,
			  &d.names},
		.count = {(uint32_t)d.functions.size, (uint32_t)u.pages.size / 4, (uint32_t)u.rows.size / 2,
			  (uint32_t)u.rules.size / 8, (uint32_t)d.files.size, (uint32_t)d.inlines.size,
			  (uint32_t)d.codes.size, (uint32_t)d.bytes.size, (uint32_t)d.names.size},
	};
	struct buffer table = table_make(&im, n, &d, &u, &parts);
	file_write(o.out, &table);
	if (o.stats)
		stats_print(&im, &d, &u, table.size, f, n);
	return 0;
}

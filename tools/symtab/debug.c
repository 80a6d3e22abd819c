/*
 * Walks the debug information once. A function takes its declaration and inline tree from the subprogram
 * whose ranges hold its start (so a .cold part has those of its function), or, in assembly without one, from
 * its first line row. All line rows of the image are gathered first, since one function's rows stand together
 * but their order is no help.
 */
#include "tools/symtab/debug.h"

#include <dwarf.h>
#include <stdlib.h>
#include <string.h>

#include "tools/symtab/buffer.h"
#include "tools/symtab/files.h"
#include "tools/symtab/inline.h"
#include "tools/symtab/lines.h"

struct walk {
	const struct image *im;
	struct function *f;
	size_t n;
	struct inline_tree *trees; /* one for each function */
	struct debug_info *info;
};

static void subprogram_read(struct walk *w, Dwarf_Die *die, Dwarf_Files *files)
{
	Dwarf_Addr base, lo, hi;
	ptrdiff_t at = 0;
	while ((at = dwarf_ranges(die, at, &base, &lo, &hi)) > 0) {
		if (lo < w->im->text_base || lo >= w->im->text_limit) /* removed by the linker */
			continue;
		for (struct function *f = functions_find(w->f, w->n, lo); f < w->f + w->n; f++) {
			if (f == NULL || f->start >= hi)
				break;
			if (f->start < lo || f->file != NULL)
				continue;
			int line = 0;
			dwarf_decl_line(die, &line);
			f->file = files_name(dwarf_decl_file(die));
			f->line = (unsigned)line;
			inline_tree_read(&w->trees[f - w->f], f, die, files, w->info);
		}
	}
}

static void children_walk(struct walk *w, Dwarf_Die *parent, Dwarf_Files *files)
{
	Dwarf_Die die;
	if (dwarf_child(parent, &die) != 0)
		return;
	do {
		int tag = dwarf_tag(&die);
		if (tag == DW_TAG_subprogram)
			subprogram_read(w, &die, files);
		if (tag == DW_TAG_subprogram || tag == DW_TAG_lexical_block || tag == DW_TAG_namespace)
			children_walk(w, &die, files); /* functions nested in functions */
	} while (dwarf_siblingof(&die, &die) == 0);
}

void debug_read(const struct image *im, struct function *f, size_t n, bool all_rows, struct debug_info *out)
{
	*out = (struct debug_info){0};
	if (im->dwarf == NULL)
		return;
	struct line_table lines;
	lines_read(im, &lines);
	struct walk w = {im, f, n, grow(NULL, n, sizeof *w.trees), out};
	memset(w.trees, 0, n * sizeof *w.trees);
	Dwarf_Off at = 0, next;
	size_t header;
	while (dwarf_nextcu(im->dwarf, at, &next, &header, NULL, NULL, NULL) == 0) {
		Dwarf_Die cu;
		Dwarf_Files *files = NULL;
		size_t n_files;
		if (dwarf_offdie(im->dwarf, at + header, &cu) != NULL) {
			dwarf_getsrcfiles(&cu, &files, &n_files);
			children_walk(&w, &cu, files);
		}
		at = next;
	}
	for (size_t i = 0; i < n; i++)
		lines_assign(&lines, &f[i], &w.trees[i], out, all_rows);
}

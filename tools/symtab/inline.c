/* Inline trees: DW_TAG_inlined_subroutine, through lexical blocks, to the depth that the table keeps. */
#include "tools/symtab/inline.h"

#include <dwarf.h>

#include "tools/symtab/files.h"
#include "tools/symtab/strings.h"

struct reader {
	struct inline_tree *tree;
	struct function *f;
	Dwarf_Files *files;
	struct debug_info *info;
};

static unsigned attribute_read(Dwarf_Die *die, unsigned name)
{
	Dwarf_Attribute attr;
	Dwarf_Word value = 0;
	if (dwarf_attr(die, name, &attr) == NULL || dwarf_formudata(&attr, &value) != 0)
		return 0;
	return (unsigned)value;
}

/* Number of the function that `die` is an inlined copy of. */
static uint32_t inlined_number(struct debug_info *info, Dwarf_Die *die)
{
	const char *name = dwarf_diename(die);
	int line = 0;
	dwarf_decl_line(die, &line);
	struct inlined e = {strings_intern(name ? name : "??"), files_name(dwarf_decl_file(die)),
			    (unsigned)line};
	for (size_t i = 0; i < info->n_inlined; i++) {
		const struct inlined *old = &info->inlined[i];
		if (old->name == e.name && old->file == e.file && old->line == e.line)
			return (uint32_t)i;
	}
	ARRAY_ROOM(info->inlined, info->n_inlined);
	info->inlined[info->n_inlined++] = e;
	return (uint32_t)info->n_inlined - 1;
}

/* Adds the ranges of `die` inside of the function; false when there are none. */
static bool ranges_add(struct reader *r, Dwarf_Die *die, uint32_t node)
{
	Dwarf_Addr base, lo, hi;
	ptrdiff_t at = 0;
	bool any = false;
	while ((at = dwarf_ranges(die, at, &base, &lo, &hi)) > 0) {
		if (lo < r->f->start)
			lo = r->f->start;
		if (hi > r->f->start + r->f->size)
			hi = r->f->start + r->f->size;
		if (lo >= hi)
			continue;
		ARRAY_ROOM(r->tree->ranges, r->tree->n_ranges);
		r->tree->ranges[r->tree->n_ranges++] = (struct inline_range){lo, hi, node};
		any = true;
	}
	return any;
}

static void node_add(struct function *f, struct node node)
{
	ARRAY_ROOM(f->nodes, f->n_nodes);
	f->nodes[f->n_nodes++] = node;
}

static void children_read(struct reader *r, Dwarf_Die *parent_die, uint32_t parent)
{
	Dwarf_Die die;
	if (dwarf_child(parent_die, &die) != 0)
		return;
	do {
		int tag = dwarf_tag(&die);
		uint32_t node = (uint32_t)r->f->n_nodes;
		unsigned depth = r->f->nodes[parent].depth + 1;
		if (tag == DW_TAG_lexical_block) {
			children_read(r, &die, parent);
		} else if (tag == DW_TAG_inlined_subroutine && depth <= SYMTAB_INLINE_MAX &&
			   ranges_add(r, &die, node)) {
			unsigned file = attribute_read(&die, DW_AT_call_file);
			node_add(r->f,
				 (struct node){
					 .parent = parent,
					 .inlined = inlined_number(r->info, &die),
					 .call_file = files_name(dwarf_filesrc(r->files, file, NULL, NULL)),
					 .call_line = attribute_read(&die, DW_AT_call_line),
					 .depth = depth,
				 });
			children_read(r, &die, node);
		}
	} while (dwarf_siblingof(&die, &die) == 0);
}

void inline_tree_read(struct inline_tree *tree, struct function *f, Dwarf_Die *subprogram, Dwarf_Files *files,
		      struct debug_info *info)
{
	struct reader r = {tree, f, files, info};
	f->n_nodes = 0;
	node_add(f, (struct node){0});
	children_read(&r, subprogram, 0);
}

uint32_t inline_node_at(const struct inline_tree *tree, const struct function *f, uint64_t pc)
{
	uint32_t best = 0;
	for (size_t i = 0; i < tree->n_ranges; i++) {
		const struct inline_range *range = &tree->ranges[i];
		if (pc >= range->lo && pc < range->hi && f->nodes[range->node].depth > f->nodes[best].depth)
			best = range->node;
	}
	return best;
}

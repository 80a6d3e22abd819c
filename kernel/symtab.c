/* Which function holds an address: binary search in the sorted functions of the symbol table
 * (symtab_format.h). */
#include "kernel/symtab.h"

#include "kernel/symtab_detail.h"

bool symtab_detail_find(const struct symtab_table *t, uintptr_t pc, struct symtab_detail *out)
{
	if (pc < t->text_base || pc >= t->text_limit)
		return false;
	uint32_t offset = (uint32_t)(pc - t->text_base);
	uint32_t lo = 0, hi = t->n_functions;
	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;
		if (t->functions[mid].start <= offset)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo == 0 || t->functions[lo - 1].detail >= t->n_details)
		return false;
	const uint8_t *p = t->details + t->functions[lo - 1].detail;
	out->start = t->functions[lo - 1].start;
	out->end = t->details + t->n_details;
	out->line = 0;
	if (!symtab_varint(&p, out->end, &out->size) || !symtab_varint(&p, out->end, &out->name) ||
	    !symtab_varint(&p, out->end, &out->file))
		return false;
	if (out->file != 0 && !symtab_varint(&p, out->end, &out->line))
		return false;
	out->rest = p;
	return offset - out->start < out->size;
}

bool symtab_function(uintptr_t pc, struct symtab_function *out)
{
	const struct symtab_table *t = symtab_table();
	struct symtab_detail d;
	if (t == NULL || !symtab_detail_find(t, pc, &d))
		return false;
	*out = (struct symtab_function){
		.name = symtab_name(t, d.name),
		.start = t->text_base + d.start,
		.size = d.size,
		.file = d.file != 0 ? symtab_file(t, d.file - 1) : "??",
		.line = d.line,
	};
	return true;
}

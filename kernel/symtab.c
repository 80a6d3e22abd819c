/* Which function holds an address: binary search in the sorted functions of the symbol table
 * (symtab_format.h), and the bytes of details. */
#include "kernel/symtab.h"

#include "kernel/symtab_detail.h"

bool symtab_byte(const struct symtab_table *t, struct symtab_bits *b, enum symtab_stream stream,
		 uint32_t *out)
{
	uint32_t at = b->at, code = 0, first = 0, index = 0;
	if (stream == SYMTAB_RAW) {
		if (b->end - at < 8)
			return false;
		for (int i = 0; i < 8; i++, at++)
			code = code << 1 | (b->base[at / 8] >> (7 - at % 8) & 1);
		b->at = at;
		*out = code;
		return true;
	}
	/* Codes of one length are consecutive numbers, from `first` on: code - first is an index into the symbols. */
	const struct symtab_code *c = &t->codes[stream];
	for (int bits = 0; bits < SYMTAB_CODE_BITS && at < b->end; bits++, at++) {
		code |= b->base[at / 8] >> (7 - at % 8) & 1;
		uint32_t count = c->count[bits];
		if (code - first < count) {
			b->at = at + 1;
			*out = c->symbols[index + code - first];
			return true;
		}
		index += count;
		first = (first + count) << 1;
		code <<= 1;
	}
	return false;
}

bool symtab_varint(const struct symtab_table *t, struct symtab_bits *b, enum symtab_stream stream,
		   uint32_t *out)
{
	uint32_t v = 0, byte;
	for (unsigned shift = 0; shift < 35 && symtab_byte(t, b, stream, &byte); shift += 7) {
		v |= (byte & 0x7f) << shift;
		if (byte < 0x80) {
			*out = v;
			return true;
		}
	}
	return false;
}

/* Where function i starts, in units. */
static uint32_t start_of(const struct symtab_table *t, uint32_t i)
{
	return symtab_field(t->functions, i * (t->start_width + t->detail_width), t->start_width);
}

bool symtab_detail_find(const struct symtab_table *t, uintptr_t pc, struct symtab_detail *out)
{
	if (pc < t->text_base || pc >= t->text_limit)
		return false;
	uint32_t unit = (uint32_t)(pc - t->text_base) >> t->unit_shift;
	uint32_t lo = 0, hi = t->n_functions;
	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;
		if (start_of(t, mid) <= unit)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo == 0)
		return false;
	uint32_t start = start_of(t, lo - 1), gap;
	uint32_t next = lo < t->n_functions ? start_of(t, lo)
					    : (uint32_t)(t->text_limit - t->text_base) >> t->unit_shift;
	uint32_t at =
		symtab_field(t->functions, (lo - 1) * (t->start_width + t->detail_width) + t->start_width,
			     t->detail_width);
	struct symtab_bits b = {t->details, at, t->n_details * 8};
	if (at >= b.end || !symtab_varint(t, &b, SYMTAB_HEAD, &gap) || gap > next - start ||
	    !symtab_varint(t, &b, SYMTAB_TITLE, &out->name) ||
	    !symtab_varint(t, &b, SYMTAB_PLACE, &out->file))
		return false;
	out->start = start << t->unit_shift;
	out->size = (next - start - gap) << t->unit_shift;
	out->line = 0;
	if (out->file != 0 && !symtab_varint(t, &b, SYMTAB_LINE, &out->line))
		return false;
	out->rest = b;
	return unit - start < next - start - gap;
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

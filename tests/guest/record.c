/* Records of a profile (see record.h). */
#include "record.h"

#include <stdio.h>
#include <string.h>

#include "kernel/symtab.h"
#include "suite.h"

const char *record_name(const struct prof_record *r, uint32_t i)
{
	struct symtab_function f;
	if (i >= r->depth)
		return "";
	if (r->pcs[i] < PROF_FRAME_MAX)
		return prof_frame_name(r->pcs[i]);
	return symtab_function(prof_pc_address(i, r->pcs[i]), &f) ? f.name : "?";
}

bool record_is_at(const struct prof_record *r, uint32_t i, const char *name)
{
	return strcmp(record_name(r, i), name) == 0;
}

uint32_t record_find(const struct prof_record *r, const char *name)
{
	uint32_t i = 0;
	while (i < r->depth && !record_is_at(r, i, name))
		i++;
	return i;
}

bool record_synthetic(const struct prof_record *r)
{
	return r->depth > 0 && r->pcs[r->depth - 1] < PROF_FRAME_MAX;
}

void record_wrong(const char *what, const struct prof_record *r)
{
	char text[300];
	size_t n = 0;
	text[0] = '\0';
	for (uint32_t i = 0; i < r->depth && n < sizeof text - 60; i++)
		n += (size_t)snprintf(text + n, sizeof text - n, "%s%s", i > 0 ? " < " : "",
				      record_name(r, i));
	guest_fail(__FILE__, __LINE__, "%s: leaf pc 0x%llx: %s", what, (unsigned long long)r->pcs[0], text);
}

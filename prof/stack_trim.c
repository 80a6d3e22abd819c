/* See stack_trim.h. A pc counts by the function that it is in itself, not by what was inlined there: that is the program's, where it is. */
#include "prof/stack_trim.h"

#include <string.h>

#include "kernel/symtab.h"

bool prof_file_is(const char *file, const char *name)
{
	return file != NULL && strcmp(file, name) == 0;
}

uint32_t stack_trim(const uintptr_t *pcs, uint32_t depth, const char *const *files)
{
	for (uint32_t i = 0; i < depth; i++) {
		struct symtab_frame f[SYMTAB_FRAMES_MAX];
		unsigned n = symtab_frames(pcs[i] - 1, f, SYMTAB_FRAMES_MAX), k = 0;
		while (n > 0 && files[k] != NULL && !prof_file_is(f[n - 1].file, files[k]))
			k++;
		if (n == 0 || files[k] == NULL)
			return i;
	}
	return 0;
}

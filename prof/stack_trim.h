/* Leaving out the innermost frames of a stack of return addresses: those of the kernel that are the same in all of a kind. */
#ifndef PROF_STACK_TRIM_H
#define PROF_STACK_TRIM_H

#include <stdbool.h>
#include <stdint.h>

/* Whether a file's name from the symbol table is this one. */
bool prof_file_is(const char *file, const char *name);

/* How many pcs to leave out at the innermost end: those in functions of these files (NULL ends them), but not all there are. */
uint32_t stack_trim(const uintptr_t *pcs, uint32_t depth, const char *const *files);

#endif

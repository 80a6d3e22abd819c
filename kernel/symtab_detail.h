/* A function's entry in the symbol table, found and decoded: for kernel/symtab*.c only. */
#ifndef KERNEL_SYMTAB_DETAIL_H
#define KERNEL_SYMTAB_DETAIL_H

#include <stdbool.h>
#include <stdint.h>

#include "kernel/symtab_table.h"

struct symtab_detail {
	uint32_t start, size; /* bytes from text_base; bytes */
	uint32_t name;        /* number */
	uint32_t file; /* file index + 1; 0: file and line are not known, and no nodes and rows follow */
	uint32_t line; /* of the declaration */
	struct symtab_bits rest; /* the inline nodes and row chunks */
};

/* The function of table t that holds pc, or false. Binary search. Any context. */
bool symtab_detail_find(const struct symtab_table *t, uintptr_t pc, struct symtab_detail *out);

#endif

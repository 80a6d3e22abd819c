/*
 * Images for the tests of symbol table and unwinder: compiles the corpus beside this file for both
 * architectures in a temporary folder, runs the symtab tool on it and loads the result. Tests run from the
 * root of the tree. From the environment: SYMTAB_TOOL (build/host/symtab), RISCV64_CC, X86_64_CC, and
 * SYMTAB_IMAGES, further linked images (each with build id and debug information), separated by spaces.
 */
#ifndef TESTS_HOST_SYMTAB_CORPUS_BUILD_H
#define TESTS_HOST_SYMTAB_CORPUS_BUILD_H

#include <elfutils/libdw.h>
#include <gelf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CORPUS_RISCV64, CORPUS_X86_64, CORPUS_FIRST_GIVEN };

struct corpus {
	char path[512];
	uint8_t *table, *table_all; /* with statement rows; with all rows (malloc'd to the exact size) */
	size_t size, size_all;
	uint8_t build_id[20];
	Elf *elf;
	bool riscv;
};

/* Image number i, built at first use; NULL behind the last. Ends the program with a message when it cannot be
 * made. */
struct corpus *corpus_get(unsigned i);

/* The corpus for x86-64, all of it compiled with further flags (behind the usual ones). Built at each call.
 */
struct corpus *corpus_variant(const char *flags);

/* Puts its table into use. */
void corpus_use(const struct corpus *c, bool all_rows);

/* Value of a symbol of the image, 0 when there is none. */
uint64_t corpus_symbol(const struct corpus *c, const char *name);

/* Sets the table's check sum right: for tests that damage it. */
void table_seal(uint8_t *table, size_t size);

#endif

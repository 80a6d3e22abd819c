/* The linked ELF that the table describes. */
#ifndef TOOLS_SYMTAB_IMAGE_H
#define TOOLS_SYMTAB_IMAGE_H

#include <elfutils/libdw.h>
#include <gelf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/symtab_format.h"

struct image {
	Elf *elf;
	Dwarf *dwarf; /* NULL without debug information */
	uint8_t arch; /* enum symtab_arch */
	unsigned unit_shift;
	int reg_pc, reg_ra, reg_sp, reg_fp; /* DWARF numbers; reg_ra is -1 when ra is not a register */
	uint8_t build_id[SYMTAB_BUILD_ID];
	uint64_t text_base, text_limit; /* all executable sections lie between */
	uint64_t text_size;             /* bytes of executable sections */
};

/* Opens the ELF file; dies, naming what is wrong, when it is not one we can describe. */
void image_open(struct image *im, const char *path);

/* The end of the executable section that holds addr; 0 when none does. */
uint64_t image_text_end(const struct image *im, uint64_t addr);

#endif

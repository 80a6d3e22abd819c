/*
 * Names for addresses: function, file, line and inlined calls, from the table that the second link pass put
 * into the image. No allocation, no lock, no floating point: usable in any context, panic and interrupt
 * included. All strings returned lie in the table and live for ever. A caller's frame is looked up with its
 * return address minus 1.
 */
#ifndef KERNEL_SYMTAB_H
#define KERNEL_SYMTAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* symtab_table.c */

/*
 * Checks the table of `size` bytes at `start` (8-byte aligned) and puts it into use if it is whole and
 * belongs to the code with this build id (20 bytes). Returns NULL, or one line that says why it was refused:
 * then all lookups find nothing and addresses are printed as numbers. Boot context, before other harts start.
 */
const char *symtab_init(const void *start, size_t size, const uint8_t *build_id);

/* symtab_image.c */

/*
 * Puts the image's own table into use, once; later calls only answer. Returns as symtab_init(). Called by main's goroutine before the
 * program starts, or by a panic that comes earlier: checking it takes longer than all of boot before it. Any context.
 */
const char *symtab_attach(void);

/* symtab.c */

struct symtab_function {
	const char *name;
	uintptr_t start;  /* first address */
	size_t size;      /* bytes */
	const char *file; /* where it is declared, "??" when not known */
	unsigned line;    /* 0 when not known */
};

/* The function that holds pc, itself (not what is inlined there). False when none does. Any context. */
bool symtab_function(uintptr_t pc, struct symtab_function *out);

/* symtab_frames.c */

struct symtab_frame {
	const char *function;
	const char *file;    /* of the place in `function`; "??" when not known */
	unsigned line;       /* 0 when not known */
	unsigned start_line; /* line where `function` is declared; 0 when not known */
};

/*
 * The source-level frames at pc, innermost first: calls that were inlined there, then the function itself.
 * Returns their number, 0 when pc is in no function; if there are more than `max`, the inner `max` are
 * stored. At most SYMTAB_FRAMES_MAX exist. Any context; takes hundreds to a few thousand instructions, so not
 * for the sampler.
 */
unsigned symtab_frames(uintptr_t pc, struct symtab_frame *out, unsigned max);

enum { SYMTAB_FRAMES_MAX = 17 };

#endif

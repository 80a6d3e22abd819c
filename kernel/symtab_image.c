/* The symbol table of this image: where the second link pass put it. */
#include <stdatomic.h>

#include "kernel/symtab.h"

extern const char __hbsym_start[], __hbsym_size[];
extern const uint8_t __build_id[];

enum { NOTE_HEADER = 16 }; /* bytes of the build-id note before the id */

/* Read through this object, so that linking the table in changes no instruction. */
static const struct {
	const char *start;
	size_t size;
} place = {__hbsym_start, (size_t)__hbsym_size};

const char *symtab_attach(void)
{
	static _Atomic uint32_t attached;
	static const char *refused;
	/* pairs with the release in symtab_attach(), on another hart */
	if (atomic_load_explicit(&attached, memory_order_acquire) == 0) {
		refused = symtab_init(place.start, place.size, __build_id + NOTE_HEADER);
		/* pairs with the acquire in symtab_attach() */
		atomic_store_explicit(&attached, 1, memory_order_release);
	}
	return refused;
}

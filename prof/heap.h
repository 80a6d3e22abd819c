/* Recording for the heap profile. See heap.c. */
#ifndef PROF_HEAP_H
#define PROF_HEAP_H

#include <stdbool.h>
#include <stdint.h>

struct heap_account {
	uint64_t allocs, alloc_bytes, frees, freed_bytes; /* sampled; not scaled */
	uint64_t untracked; /* of them, those whose end no memory was left to see: counted as freed at once */
};

/* What has been sampled so far, at all rates. Figures read while other harts change them. Any context. */
void heap_account(struct heap_account *a);

#endif

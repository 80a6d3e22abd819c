/* What prof/heap_sample.c counts and prof/heap.c makes profiles of. */
#ifndef PROF_HEAP_STACKS_H
#define PROF_HEAP_STACKS_H

#include "prof/stacks.h"

/* Values of a record; its key is the size of the objects, key2 the rate at which they were sampled. */
enum { HEAP_ALLOCS, HEAP_FREES, HEAP_ALLOC_BYTES, HEAP_FREED_BYTES };

extern struct stack_table heap_stacks;

/* The values of a record: never more freed than allocated. */
struct heap_counts {
	uint64_t allocs, frees, alloc_bytes, freed_bytes;
};

struct heap_counts heap_counts(const struct stack_record *r);

#endif

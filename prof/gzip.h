/*
 * A sink that compresses what it gets and writes gzip to the next sink. See gzip.c.
 */
#ifndef PROF_GZIP_H
#define PROF_GZIP_H

#include "kernel/sink.h"
#include "prof/mem.h"

struct gzip;

enum {
	GZIP_LEVEL_FAST = 1,    /* traces: large, and they should not wait */
	GZIP_LEVEL_PROFILE = 6, /* profiles: small, 7 % smaller still than at level 1 */
};

/*
 * Begins a gzip stream to next at level 1 to 9, with about 40 KiB from mem. Returns NULL without memory. mem
 * and next outlive it. Goroutine or system context, as mem and next allow, for all functions.
 */
struct gzip *gzip_open(struct sink *next, const struct mem_ops *mem, int level);

/* Where to write the bytes to compress. Its write returns 0 or the first error. */
struct sink *gzip_sink(struct gzip *z);

/* Writes the rest and the trailer, and gives back all memory, always. Returns 0 or the first error of all. */
int gzip_close(struct gzip *z) __attribute__((warn_unused_result));

#endif

/*
 * The table of the functions that took most time, as text. See top.c.
 */
#ifndef PROF_TOP_H
#define PROF_TOP_H

#include <stdint.h>

#include "kernel/sink.h"
#include "prof/builder.h"
#include "prof/mem.h"
#include "prof/pprof.h"

struct top_options {
	uint32_t rows;        /* at most so many; 0 is all */
	uint64_t duration_ns; /* of the profile; 0 if not known */
	const char *image; /* file name for code without a symbol, shown as [image]; NULL shows <unknown> */
	pprof_symbolize_fn *symbolize;
	void *symbolize_ctx;
};

/*
 * Writes the table to out, each line in one write with its newline. Returns 0, -ENOMEM or the sink's error.
 * Goroutine or system context, as mem, out and the symboliser allow.
 */
int top_write(const struct builder *b, const struct top_options *options, const struct mem_ops *mem,
	      struct sink *out) __attribute__((warn_unused_result));

#endif

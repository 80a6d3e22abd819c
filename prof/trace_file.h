/* A trace on its way to a file on the console, or to a function of the program (see trace_file.c). */
#ifndef PROF_TRACE_FILE_H
#define PROF_TRACE_FILE_H

#include <hartbeat/trace.h>

#include "kernel/framing.h"
#include "kernel/sink.h"

struct trace_gen;

/* Fields belong to trace_file.c. A zeroed one with name or fn set is ready. */
struct trace_file {
	struct sink sink;
	char name[FRAME_NAME_MAX + 1];
	trace_write_fn *fn; /* NULL: to the console */
	void *ctx;
	struct dump *dump;
	uint32_t files;
	uint64_t number; /* of the last generation in the file; 0: it has not begun */
	uint64_t bytes;  /* given to the file or function */
	int error;       /* 0, or a negative error number: the first */
};

/* The next generation; NULL: one is missing, so what follows is another file. Goroutine context. */
void trace_file_gen(struct trace_file *f, const struct trace_gen *gen);
void trace_file_end(struct trace_file *f);

#endif

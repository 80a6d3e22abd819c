/* hbdump --draw-trace: which goroutine each p ran when, as a picture (SVG). */
#ifndef TOOLS_HBDUMP_TRACE_DRAW_H
#define TOOLS_HBDUMP_TRACE_DRAW_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* The part to be drawn, in ns from the trace's first event; length 0: all of it. */
struct trace_span {
	uint64_t from, length;
};

/* Draws n bytes of a trace, as trace_check() takes them. Returns NULL, or why it is no trace, in one line that goes on after its name. */
const char *trace_draw(const uint8_t *data, size_t n, const struct trace_span *span, FILE *to);

/* Draws the file `path` into the file `to`, NULL: standard output. Returns the program's exit status: 0, or 2. */
int trace_draw_run(const char *path, const struct trace_span *span, const char *to);

#endif

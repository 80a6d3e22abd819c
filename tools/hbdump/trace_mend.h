/*
 * hbdump --mend-trace: the whole generations of a trace that came over a line which lost some of it, as hbdump keeps it in NAME.damaged.
 */
#ifndef TOOLS_HBDUMP_TRACE_MEND_H
#define TOOLS_HBDUMP_TRACE_MEND_H

#include <stddef.h>
#include <stdint.h>

/* A generation that is whole: its batches, bytes of the data that was searched. */
struct trace_piece {
	uint64_t number;
	size_t from, to;
};

/*
 * Finds them in n bytes of a trace, in which lines that did not come are zeros; *list is to be freed. holes: whether zeros are such lines, as
 * in a plain trace; in one that was unpacked there are none: generations may be missing, the first and the header with it, and
 * what there is begins at one. Returns how many there are.
 */
size_t trace_pieces(const uint8_t *data, size_t n, int holes, struct trace_piece **list);

/*
 * Writes those of the file `path` to the file `to`, and behind each gap to another: trace.out, trace.2.out. to NULL: path without ".damaged"
 * and ".gz". Returns the program's exit status: 0, 1 when none is whole, 2 when a file could not be read or written.
 */
int trace_mend_run(const char *path, const char *to);

#endif

/*
 * hbdump --check-trace: reads an execution trace, says what in it cannot be true, and sums up where the time went.
 *
 * The summary as rows, fields separated by tabs, times in nanoseconds; a name has '_' for each space, '-' stands for none:
 *
 *     trace      generations|duration_ns|samples|regions_open   NUMBER
 *     event      NAME       NUMBER
 *     p          ID         running|idle   TIME
 *     goroutine  ID         NAME   running|runnable|waiting|syscall   REASON   TIME   HOW OFTEN
 */
#ifndef TOOLS_HBDUMP_TRACE_CHECK_H
#define TOOLS_HBDUMP_TRACE_CHECK_H

#include <stdbool.h>
#include <stdio.h>

#include "tools/hbdump/trace_file.h"

struct trace_order;

enum trace_summary_form { SUMMARY_NONE, SUMMARY_TEXT, SUMMARY_ROWS };

/*
 * Checks n bytes of a trace, plain or as gzip of one member or more. What is wrong goes to the report; the summary to `to`. Returns NULL, or
 * why it is no trace at all, in one line that goes on after its name.
 */
const char *trace_check(const uint8_t *data, size_t n, struct trace_report *report,
			enum trace_summary_form form, FILE *to);

enum { TRACE_SIZE_MAX = 1 << 30 };
/* Reads a whole file, - for stdin; to be freed. NULL after telling the user why not. */
uint8_t *trace_file_load(const char *path, size_t *n);

/* Checks a file; violations to stderr, the summary to stdout. Returns the program's exit status: 0, 1 when something is wrong, 2 when it
 * could not be read. */
int trace_check_run(const char *path, enum trace_summary_form form);

/* Reads a trace into o, which has a report and f as its file, and is to be freed, and then *unpacked. NULL, or why it is no trace at all: then
 * only *unpacked is to be freed. */
const char *trace_order_read(struct trace_order *o, struct trace_file *f, const uint8_t *data, size_t n,
			     uint8_t **unpacked);

void trace_summary_print(const struct trace_order *o, enum trace_summary_form form, FILE *to);

#endif

/* The flight recorder's generations (see recorder.c). One caller at a time; the list may be read by a panic. */
#ifndef TRACE_RECORDER_H
#define TRACE_RECORDER_H

#include "trace/trace.h"

struct trace_recorder {
	bool on;
	uint64_t min_age; /* arch_ticks() */
	uint64_t max_bytes;
	bool gap; /* since the newest one was put a generation was dropped */
	uint32_t n;
	uint64_t bytes;
	struct trace_gen *first, *last; /* from the oldest on by newer */
};

extern struct trace_recorder trace_recorder;

/* Takes a reference to a generation that is finished, and gives up what is not wanted any more. */
void trace_recorder_put(struct trace_recorder *r, struct trace_gen *t);
void trace_recorder_empty(struct trace_recorder *r);

#endif

/* The scheduler's state, a line at a time, as Go's schedtrace (see schedtrace.c). */
#ifndef SCHED_SCHEDTRACE_H
#define SCHED_SCHEDTRACE_H

#include <stdint.h>

/* What sched.c knows. */
struct sched_counts {
	uint64_t idle_mask;
	uint32_t spinning;
	uint32_t global; /* goroutines in the global queue */
};

void sched_counts(struct sched_counts *c); /* any context */

#endif

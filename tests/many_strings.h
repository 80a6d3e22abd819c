/* For tests of a trace that has no memory for its strings: for the guest's suites and the faults. */
#ifndef TESTS_MANY_STRINGS_H
#define TESTS_MANY_STRINGS_H

#include <string.h>

#include <hartbeat/trace.h>

/* A trace runs: strings that are all different, more than a block of their table has room for; events take less. */
static inline void many_strings(void)
{
	char name[1000];
	memset(name, 'x', sizeof name - 1);
	name[sizeof name - 1] = '\0';
	for (int i = 0; i < 100; i++) {
		name[0] = (char)('0' + i % 10);
		name[1] = (char)('0' + i / 10);
		trace_region_end(trace_region_begin(0, name));
		trace_log(0, "message", name);
	}
}

#endif

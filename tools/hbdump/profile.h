/*
 * A profile (github.com/google/pprof, proto/profile.proto) in memory, every reference in it looked up and checked.
 *
 * Strict and bounded: a field that the format does not have, a number that refers to nothing, a negative value
 * or sums past PROFILE_SUM_MAX make the whole profile wrong, and what is wrong is said.
 */
#ifndef TOOLS_HBDUMP_PROFILE_H
#define TOOLS_HBDUMP_PROFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	PROFILE_TYPES_MAX = 16,
	PROFILE_ERROR_MAX = 200,
};

/* Greatest sum of one value over all samples: what fits in the format's own numbers. */
#define PROFILE_SUM_MAX ((uint64_t)INT64_MAX)

struct profile_string {
	const uint8_t *p; /* in the profile's bytes; any bytes at all */
	size_t n;
};

struct profile_type { /* strings */
	uint32_t type, unit;
};

struct profile_function {
	uint64_t id;
	uint32_t name, file; /* strings */
	uint32_t line;       /* where it begins, 0 if unknown */
};

struct profile_line {
	uint32_t function; /* index */
	uint32_t line;     /* 0 if unknown */
};

struct profile_location {
	uint64_t id, address;
	size_t line, n_lines; /* a range of lines: calls inlined at the address, innermost first */
};

struct profile_label {
	uint32_t key, str, unit; /* strings */
	int64_t num;             /* when str is empty */
};

struct profile_sample {
	size_t location, n_locations; /* a range of stack: the leaf first */
	size_t label, n_labels;
	size_t value; /* of the first of n_types */
};

/* All zero is an empty one. Arrays are in the order of the file. */
struct profile {
	struct profile_type types[PROFILE_TYPES_MAX];
	uint64_t totals[PROFILE_TYPES_MAX]; /* of all samples */
	struct profile_string *strings;
	struct profile_function *functions;
	struct profile_line *lines;
	struct profile_location *locations;
	struct profile_label *labels;
	struct profile_sample *samples;
	uint32_t *stack; /* locations, by index */
	uint64_t *values;
	uint32_t *comments; /* strings */
	size_t n_types, n_strings, n_functions, n_lines, n_locations, n_labels, n_samples, n_stack, n_values,
		n_comments;
	uint32_t program;      /* string: the file of the first mapping */
	uint32_t default_type; /* index in types */
	uint64_t time_ns;      /* since 1970, 0 if unknown */
	uint64_t duration_ns;
	char error[PROFILE_ERROR_MAX];
};

/*
 * Reads n bytes, unpacked, which must stay while p is used. Returns false with p->error set: one line without a
 * newline, which goes on after the file's name. profile_free() is due in both cases.
 */
bool profile_read(struct profile *p, const void *data, size_t n);

void profile_free(struct profile *p);

#endif

/*
 * A reader of profile.proto for host tests, written without the encoder: it knows the wire format and
 * google/pprof's validity rules only.
 */
#ifndef TESTS_HOST_PPROF_READER_H
#define TESTS_HOST_PPROF_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MANY = 4096, TEXT = 256 };

struct read_label {
	uint64_t key, str, num, unit;
};

struct read_profile {
	bool bad;
	struct {
		uint64_t type, unit;
	} types[8], period_type;
	struct {
		uint64_t locations[160], values[8];
		struct read_label labels[8];
		unsigned n_locations, n_values, n_labels;
	} samples[MANY];
	struct {
		uint64_t id, start, limit, offset, file, build_id, has[4];
	} mappings[4];
	struct {
		uint64_t id, mapping, address, functions[20], lines[20];
		unsigned n_lines;
	} locations[MANY];
	struct {
		uint64_t id, name, system_name, file, start_line;
	} functions[MANY];
	char strings[MANY][TEXT];
	uint64_t comments[8], period, time, duration, default_type;
	unsigned n_types, n_samples, n_mappings, n_locations, n_functions, n_strings, n_comments,
		n_period_types;
};

/* The profile that read_profile read last. */
extern struct read_profile got;

/* Reads n bytes of uncompressed profile.proto into got, and fails the test that runs if it is not valid. */
void read_profile(const void *data, size_t n);

/* A string of got by its number. */
const char *read_text(uint64_t i);

/* Index in got of the function or location with that id; n_functions or n_locations if there is none. */
unsigned read_function_at(uint64_t id);
unsigned read_location_at(uint64_t id);

#endif

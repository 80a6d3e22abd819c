/*
 * Encodes any kind of profile as profile.proto, the format of `go tool pprof`. See pprof.c.
 *
 *	struct pprof *p = pprof_open(&options, mem, sink);
 *	pprof_add(p, &sample) ...
 *	error = pprof_close(p);
 */
#ifndef PROF_PPROF_H
#define PROF_PPROF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/sink.h"
#include "prof/builder.h"
#include "prof/mem.h"

enum {
	PPROF_VALUES_MAX = PROF_VALUES_MAX, /* sample types of one profile */
	PPROF_INLINE_MAX = 16,              /* frames at one pc */
};

/* One frame at a pc. An unknown file or line is NULL or 0. */
struct pprof_frame {
	const char *function, *file;
	uint32_t line;       /* of the pc, or of the inlined call */
	uint32_t start_line; /* of the function */
};

/*
 * Fills frames with the *n (1 to max) frames at pc, the innermost inlined function first. pc lies in the
 * instruction itself: for a caller the encoder has taken the 1 off the return address. False if nothing is
 * known of pc. If there are more than max levels, the callback chooses which to leave out. The strings live
 * as long as the encoder.
 */
typedef bool pprof_symbolize_fn(void *ctx, uintptr_t pc, struct pprof_frame *frames, unsigned max,
				unsigned *n);

/* A label is a string (str not NULL) or a number with a unit (NULL if it has none). */
struct pprof_label {
	const char *key, *str, *unit;
	int64_t num;
};

/* Gives label number i of a label set, false past the last. The same answer each time, for as long as the
 * encoder. */
typedef bool pprof_label_fn(void *ctx, uint32_t labels, unsigned i, struct pprof_label *label);

struct pprof_value_type {
	const char *type, *unit;
};

/* The image. All zero and NULL: one mapping that is known to hold all code, as Go writes when it knows no
 * better. */
struct pprof_mapping {
	uint64_t start, limit,
		offset; /* addresses [start, limit) of the code, and where they lie in the file */
	const char *filename;
	const char *build_id; /* hexadecimal */
};

/* Everything but sample_types is read as late as pprof_close: the duration and the losses are known only
 * then. */
struct pprof_options {
	struct pprof_value_type sample_types[PPROF_VALUES_MAX];
	unsigned n_sample_types; /* at least 1 */
	struct pprof_value_type period_type;
	int64_t period;                  /* in the unit of period_type */
	const char *default_sample_type; /* NULL: the last, by pprof's rule */
	const char *const *comments;
	unsigned n_comments;
	int64_t time_nanos; /* since 1970 */
	int64_t duration_nanos;
	struct pprof_mapping mapping;
	bool inline_expanded; /* symbolize gives inlined frames */
	bool returns;         /* the leaf of a stack is a return address like its callers */
	bool difference; /* of two profiles: a record's values have a sign, and one of zeros only is left out */
	pprof_symbolize_fn *symbolize;
	void *symbolize_ctx;
	pprof_label_fn *label; /* NULL if no sample has labels */
	void *label_ctx;
};

/* pcs as in struct prof_sample, at most PROF_DEPTH_MAX + 1 of them; one value per sample type. */
struct pprof_sample {
	const uintptr_t *pcs;
	uint32_t depth, labels;
	int64_t values[PPROF_VALUES_MAX];
};

/* Sets types, units and period as Go's CPU profile has them, and nothing else: values are {ticks, ns}. */
void pprof_options_cpu(struct pprof_options *o, int64_t period_ns);

/*
 * Begins a profile. options, mem and sink, and every string that options or its callbacks hand out, outlive
 * it. Returns NULL without memory. Goroutine or system context, as mem, sink and the callbacks allow, for all
 * functions.
 */
struct pprof *pprof_open(const struct pprof_options *options, const struct mem_ops *mem, struct sink *sink);

/* Writes one sample, and the locations and functions it is the first to use; without memory for these it is counted in [lost], and a comment of
 * the profile says so. Returns 0 or the first error of the sink. */
int pprof_add(struct pprof *p, const struct pprof_sample *s);

/* Writes what a profile ends with, and gives back all memory, always. Returns 0 or the first error of all. */
int pprof_close(struct pprof *p) __attribute__((warn_unused_result));

/* A whole profile with the values of each record of b, as many as there are sample types. Returns 0 or a negative error number. */
int pprof_write_builder(const struct builder *b, const struct pprof_options *options,
			const struct mem_ops *mem, struct sink *sink) __attribute__((warn_unused_result));

#endif

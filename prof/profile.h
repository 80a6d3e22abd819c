/*
 * Profiles by name, from within: what a profile is, and how to add one. Applications use include/hartbeat/profile.h.
 *
 *	prof/heap.c		struct profile prof_heap = {
 *					.name = "heap",
 *					.sample_types = {{"alloc_objects", "count"}, {"alloc_space", "bytes"}, ...},
 *					.n_sample_types = 4,
 *					.period_type = {"space", "bytes"},
 *					.sort_by = 3,
 *					.count = ..., .collect = ...,              these two are all that is needed
 *					.text_head = ..., .text_record = ...,      when debug=1 is more than a count
 *				};
 *	prof/profile.c		its address into built_in[], in the order of names
 *
 * What is common to all is in profile.c: encoding, text, compression, deltas, losses, callers with little stack.
 */
#ifndef PROF_PROFILE_H
#define PROF_PROFILE_H

#include <hartbeat/profile.h>

#include "prof/builder.h"
#include "prof/pprof.h"
#include "prof/text.h"

enum {
	SNAPSHOT_COMMENTS = 4,
	SNAPSHOT_COMMENT_SIZE = 160,
	SNAPSHOT_LIMIT = 64 << 20 /* bytes of records */
};

/* A profile at one moment. */
struct snapshot {
	struct builder
		records; /* initialised, empty, with memory that is refused before others lack it; values as the sample types */
	int64_t period; /* 1 at first; in the unit of the period type */
	unsigned n_comments;
	char comments[SNAPSHOT_COMMENTS][SNAPSHOT_COMMENT_SIZE];
	bool holds_labels; /* records hold references to their labels */
	/* set by profile.c */
	int64_t time_nanos, duration_nanos;
	uint64_t caller; /* the goroutine that asked; if another collects, that is nobody of the program */
};

struct profile {
	/* immutable once it is registered */
	const char *name;
	struct pprof_value_type sample_types[PROF_VALUES_MAX], period_type;
	unsigned n_sample_types;
	const char *default_sample_type; /* NULL: the last */
	unsigned sort_by;                /* number of the value that text is sorted by */

	/*
	 * Adds what there is to s, by snapshot_add() where records have labels, else by builder_add(). All pcs are return addresses, the
	 * leaf's too: an exact pc is passed as pc + 1. What finds no memory is in [lost] by itself. 0 or a negative error number. Goroutine
	 * context; several at once.
	 */
	int (*collect)(struct profile *p, struct snapshot *s);
	size_t (*count)(struct profile *p);
	/* debug=1, in parts (prof/text.h); ctx is the snapshot. NULL: text_count_head(), text_count_record(), none. */
	void (*text_head)(const struct text_options *o, const struct builder *b, struct text *t);
	void (*text_record)(const struct text_options *o, const struct prof_record *r, struct text *t);
	void (*text_tail)(const struct text_options *o, const struct builder *b, struct text *t);
	/* debug=2, for a caller as in a snapshot; NULL: as debug=1. 0 or a negative error number. */
	int (*write_details)(struct profile *p, uint64_t caller, struct sink *to);
	/* What a record's `labels` mean. NULL: a set of labels by its id (sched/sched.h), put in by snapshot_add(). */
	pprof_label_fn *label;

	_Atomic uint32_t delta; /* 0 or 1: the live port takes what changes in it */
	struct profile *next;   /* guarded by the registry's mutex: in the order of names */
};

/* Adds a sample whose `labels` is the id of a set that the caller keeps from going away; the snapshot then keeps it. Any context in which
 * memory may be allocated. As builder_put(). */
struct prof_record *snapshot_add(struct builder *b, const struct prof_sample *s);
/* Adds what b holds, whose records were put in by snapshot_add(), to s, and empties it. edit, if not NULL, may change each first: the
 * sample, whose pcs are those in pcs[]. Goroutine context. */
void snapshot_merge(struct snapshot *s, struct builder *b,
		    void (*edit)(struct prof_sample *sample, uintptr_t *pcs));

/* Adds a profile for good. False: there is one of that name. Goroutine context. */
bool profile_register(struct profile *p) __attribute__((warn_unused_result));

/* Waits so long; false: give up. */
typedef bool profile_wait_fn(void *ctx, uint64_t ns);
/* As profile_write_delta(), with another way to wait; when that gives up, -1 with errno ECANCELED. */
int profile_write_while(const char *name, uint64_t ns, profile_wait_fn *wait, void *ctx, struct sink *to)
	__attribute__((warn_unused_result));

/* The kernel's. */
extern struct profile prof_goroutine;
/* Those of prof/heap.c and prof/block.c. */
extern struct profile profile_allocs, profile_block, profile_heap, profile_mutex, profile_parked,
	profile_runnable;

/* prof/custom.c */
bool profile_is_custom(const struct profile *p);

#endif

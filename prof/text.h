/*
 * Profiles as text for people, in the form of Go's debug=1. See text.c. Pure: the same source runs on the host.
 */
#ifndef PROF_TEXT_H
#define PROF_TEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "kernel/sink.h"
#include "prof/builder.h"
#include "prof/mem.h"
#include "prof/pprof.h"

/* A sink for formatted text that remembers the first error. */
struct text {
	struct sink *to;
	int error; /* 0 or a negative error number */
};

/* Up to 1023 bytes at a time; the rest is cut. */
void text_printf(struct text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void text_put(struct text *t, const char *s, size_t n);
/* s in quotation marks, as Go's %q. */
void text_quote(struct text *t, const char *s);

struct text_options {
	/* What the text begins with, lines of it; and what stands before " @ " in the line of a record. */
	void (*head)(const struct text_options *o, const struct builder *b, struct text *t);
	void (*record)(const struct text_options *o, const struct prof_record *r, struct text *t);
	void (*tail)(const struct text_options *o, const struct builder *b, struct text *t); /* NULL: none */
	const void *ctx;  /* of the three */
	const char *name; /* of the profile */
	unsigned
		sort_by; /* value that comes first when it is greatest; equal ones in the order of their stacks */
	bool returns; /* as in struct pprof_options */
	pprof_symbolize_fn *symbolize;
	void *symbolize_ctx;
	pprof_label_fn *label; /* texts only are shown; NULL: none */
	void *label_ctx;
	uintptr_t (*entry)(uintptr_t pc);               /* where the function at pc begins; 0: not known */
	bool (*hides)(const struct pprof_frame *frame); /* leaves out at the ends of a stack; NULL: nothing */
};

/* Go's form for what is only counted: "NAME profile: total N", and the count in front of a stack. */
void text_count_head(const struct text_options *o, const struct builder *b, struct text *t);
void text_count_record(const struct text_options *o, const struct prof_record *r, struct text *t);

/* Writes all records of b. Returns 0, -ENOMEM or the sink's error. */
int text_write(const struct builder *b, const struct text_options *options, const struct mem_ops *mem,
	       struct sink *to) __attribute__((warn_unused_result));

#endif

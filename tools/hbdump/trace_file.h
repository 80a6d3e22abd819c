/*
 * An execution trace as a file: header, generations, batches, tables, events. docs/trace.md has the format.
 *
 *     header, then batches; those of a generation lie together
 *     batch = 01 generation m time size payload        payload: a table, a frequency, samples, or events of one m
 *
 * What is read here is only the form; what the events mean, and whether they can be true, is trace_order.c's.
 */
#ifndef TOOLS_HBDUMP_TRACE_FILE_H
#define TOOLS_HBDUMP_TRACE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tools/hbdump/pairs.h"

#define TRACE_NONE UINT64_MAX /* no m, p or goroutine; a number that is not there */

/* Event types that are more than a row of the table in trace_event.c. */
enum trace_type {
	EV_BATCH = 1,
	EV_STACKS,
	EV_STACK,
	EV_STRINGS,
	EV_STRING,
	EV_CPU_SAMPLES,
	EV_CPU_SAMPLE,
	EV_FREQUENCY,
	EV_PROCS_CHANGE,
	EV_PROC_START,
	EV_PROC_STOP,
	EV_PROC_STEAL,
	EV_PROC_STATUS,
	EV_GO_CREATE,
	EV_GO_CREATE_SYSCALL,
	EV_GO_START,
	EV_GO_DESTROY,
	EV_GO_DESTROY_SYSCALL,
	EV_GO_STOP,
	EV_GO_BLOCK,
	EV_GO_UNBLOCK,
	EV_GO_SYSCALL_BEGIN,
	EV_GO_SYSCALL_END,
	EV_GO_SYSCALL_END_BLOCKED,
	EV_GO_STATUS,
	EV_STW_BEGIN,
	EV_STW_END,
	EV_GC_ACTIVE,
	EV_GC_BEGIN,
	EV_GC_END,
	EV_GC_SWEEP_ACTIVE,
	EV_GC_SWEEP_BEGIN,
	EV_GC_SWEEP_END,
	EV_GC_MARK_ASSIST_ACTIVE,
	EV_GC_MARK_ASSIST_BEGIN,
	EV_GC_MARK_ASSIST_END,
	EV_HEAP_ALLOC,
	EV_HEAP_GOAL,
	EV_GO_LABEL,
	EV_TASK_BEGIN,
	EV_TASK_END,
	EV_REGION_BEGIN,
	EV_REGION_END,
	EV_LOG,
	EV_GO_SWITCH, /* from here on: header 1.23 or later */
	EV_GO_SWITCH_DESTROY,
	EV_GO_CREATE_BLOCKED,
	EV_GO_STATUS_STACK,
	EV_EXPERIMENTAL,
	EV_SYNC, /* 1.25 or later */
	EV_CLOCK_SNAPSHOT,
	EV_END_OF_GENERATION, /* 1.26 or later */
	EV_COUNT
};

enum { TRACE_ARGS_MAX = 4 }; /* arguments of an event after its time */

struct trace_spec {
	const char *name;
	uint8_t args;    /* after the time */
	uint8_t stacks;  /* bit i: argument i is a stack */
	uint8_t strings; /* bit i: argument i is a string */
};

/* NULL for what is not an event of one m. */
const struct trace_spec *trace_spec(unsigned type);

struct trace_event {
	uint8_t type;
	uint64_t time; /* in units of the clock */
	uint64_t args[TRACE_ARGS_MAX];
	size_t at; /* byte of the file */
};

/* Where something is wrong: TRACE_NONE and NULL for what does not apply. */
struct trace_place {
	uint64_t generation, m, p, g;
	const char *event;
	size_t at;
};

/* Takes what is wrong, one line for each. */
struct trace_report {
	void (*say)(void *ctx, const char *line);
	void *ctx;
	uint64_t violations;
};

enum { TRACE_VIOLATIONS_MAX = 1000 }; /* then nobody looks on */

void trace_violation(struct trace_report *r, const struct trace_place *where, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* ---- the file ---- */

struct trace_batch {
	uint64_t m, time;
	size_t at, size; /* payload */
};

struct trace_string {
	const uint8_t *text;
	uint32_t n;
};

struct trace_frame {
	uint64_t pc, function, file, line; /* function, file: ids of strings */
};

struct trace_stack {
	size_t frame; /* the first */
	uint32_t n;
	size_t at;
};

struct trace_sample {
	uint64_t time, m, p, g, stack;
	size_t at;
};

struct trace_generation {
	uint64_t number;
	size_t at;
	uint64_t hz; /* 0: none seen */
	bool ended;  /* by the byte of 1.26 */
	struct trace_batch *batches;
	struct pairs string_ids, stack_ids; /* (id, 0) to the place in the list */
	struct trace_string *strings;
	struct trace_stack *stacks;
	struct trace_frame *frames;
	struct trace_sample *samples;
	size_t n_batches, n_strings, n_stacks, n_frames, n_samples;
};

struct trace_file {
	const uint8_t *data;
	size_t n, at;
	unsigned version; /* 22 for "go 1.22 trace" */
	uint64_t last;    /* generation read before, 0 for none */
	struct trace_report *report;
};

/* Reads the header. Returns NULL or what is wrong, in one line that goes on after the file's name. data stays the caller's. */
const char *trace_file_open(struct trace_file *f, const uint8_t *data, size_t n, struct trace_report *report);

/* Reads the next generation, what is wrong with its form reported. False at the end. trace_generation_free() is due if true. */
bool trace_generation_read(struct trace_file *f, struct trace_generation *gen);
void trace_generation_free(struct trace_generation *gen);

/* Reads the head of the batch at f->at. Returns NULL, or what is wrong with it, in one line. */
const char *trace_batch_head(const struct trace_file *f, uint64_t *number, struct trace_batch *batch);

/* NULL when the id is not in the generation; id 0 is the empty string. */
const struct trace_string *trace_string_find(struct trace_generation *gen, uint64_t id);
const struct trace_stack *trace_stack_find(struct trace_generation *gen, uint64_t id);

/* A cursor over the bytes of one payload. */
struct trace_bytes {
	const uint8_t *data;
	size_t at, end;
};

/* False when the bytes end, or the number has more than 64 bits. */
bool trace_uvarint(struct trace_bytes *b, uint64_t *v);

/*
 * The next event of a batch of events; *time is that of the event before, of the batch at first. Returns NULL and fills *ev; at the end of
 * the batch ev->type is 0; or what is wrong with the bytes, after which nothing more can be read from them.
 */
const char *trace_event_read(const struct trace_file *f, struct trace_bytes *b, uint64_t *time,
			     struct trace_event *ev);

#endif

/* Traces taken into memory by tests, and looked at byte by byte. */
#ifndef TESTS_GUEST_TRACES_H
#define TESTS_GUEST_TRACES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TRACES_EVENTS = 52 };

/* What a trace_write_fn collected. With the argument keep=1 each file of it leaves as SUITE.TEST-N.out, at the latest when it is freed. */
struct taken {
	unsigned char *data;
	size_t n, room;
	_Atomic uint32_t calls;
	uint32_t files; /* beginnings of another file */
	size_t begin;   /* of the last one */
	bool refuse;    /* to take more */
	uint64_t delay; /* ns, for each call */
};

int taken_write(void *taken, const void *data, size_t n);
void taken_free(struct taken *t);
bool taken_has(const struct taken *t, const char *text);

/* Whether a generation has ended, and the next begun, since this was asked. */
bool trace_advanced(void);

/* Sets the length of a generation, unless the boot line wants one right after the other (trace.period=0s). Returns what it was. */
uint64_t traced_period(uint64_t ns);

/* Starts and stops a trace that leaves as file `name`; a failed check when it does not. */
void traced_begin(const char *name);
void traced_end(void);

struct trace_facts {
	bool good;       /* every byte is accounted for */
	bool count_only; /* nothing but how many there are */
	uint32_t gens, batches;
	uint64_t events[TRACES_EVENTS];
	uint64_t bytes_timed;                                  /* in batches of events */
	uint64_t heap_first, heap_most, heap_last, goal_least; /* bytes, by HeapAlloc and HeapGoal */
	uint64_t heap_first_time, heap_last_time;
};

/* A trace_write_fn that keeps nothing, but with the argument keep=1: it counts events while they come, and changes of the file. */
struct counted {
	struct trace_facts facts;
	uint32_t files;
	bool in_batch; /* its head has come */
	struct taken *kept;
};

int counted_write(void *counted, const void *data, size_t n);

/* Reads what was taken as one trace; a finding is a failed check. */
struct trace_facts taken_facts(const struct taken *t);

#endif

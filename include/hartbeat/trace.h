/*
 * Execution traces for `go tool trace`: what every goroutine and hart does, event by event (docs/trace.md). A program is traced from start to
 * end by the boot option trace=1; with trace=off it can take traces itself, and say in them what it does. While a panic is reported nothing
 * here starts, stops or sends: errno EBUSY.
 */
#ifndef HARTBEAT_TRACE_H
#define HARTBEAT_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <hartbeat/panic.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Starts a trace that goes to the console as file `name` (for example "trace.out"), while it runs. 0, or -1 with errno EBUSY when one is
 * running already, EINVAL when the name is not valid, ENOMEM when memory is out. Any goroutine. */
int trace_start(const char *name) __attribute__((warn_unused_result));
/* The same to a function of the program, which a goroutine of the kernel calls with the next n bytes; n is 0 where another file begins,
 * because part of the trace had to be dropped. It returns 0, or anything else to get no more. */
typedef int trace_write_fn(void *ctx, const void *data, size_t n);
int trace_start_func(trace_write_fn *write, void *ctx) __attribute__((warn_unused_result));
/* Stops it and returns when all of it has been written. 0, or -1 with errno ESRCH when none is running, EDEADLK when the function that
 * takes the trace calls it, EIO when that did not take all of it. Another start or stop waits for that; the flight recorder does not. The end
 * of the program stops it, too, and waits for a function until it has taken nothing for 10 s. */
int trace_stop(void);
/* Whether a trace runs, so that what is said now would be in it. */
bool trace_enabled(void);

/*
 * The flight recorder keeps the newest part of a trace in memory, for when something has happened: at least min_age_ns of it (0: 10 s), but
 * at most max_bytes (0: 10 MiB), and always the newest whole generation. It may run beside a trace. A panic sends what it has. 0, or -1 with
 * errno EBUSY when it runs already, ENOMEM when memory is out.
 */
int trace_flight_start(uint64_t min_age_ns, uint64_t max_bytes) __attribute__((warn_unused_result));
/* 0, or -1 with errno ESRCH when it does not run. */
int trace_flight_stop(void);
bool trace_flight_enabled(void);
/* Sends a snapshot up to now to the console as file `name`, or to a function. 0, or -1 with errno ESRCH when it does not run, EBUSY when
 * another snapshot is being written, EINVAL, ENOMEM, EIO. */
int trace_flight_write(const char *name);
int trace_flight_write_func(trace_write_fn *write, void *ctx);

/*
 * What a program says in its trace. Strings are cut to 1,024 bytes. When no trace runs, a task still gets its number, and the others do
 * nothing. Any goroutine.
 *
 * A task is a piece of work that may go through many goroutines; parent: the task it is part of, 0: none. Returns its number, never 0.
 */
uint64_t trace_task_begin(const char *name, uint64_t parent);
void trace_task_end(uint64_t task);

/* A region is a stretch of one goroutine, part of a task or not (0); regions of a goroutine nest. What is returned only stands for it, and is no
 * address. NULL when no trace runs, or memory is out. A region that is open when its goroutine ends, ends too. */
struct trace_region;
struct trace_region *trace_region_begin(uint64_t task, const char *name);
/* By the same goroutine; NULL is allowed. Regions in it that are still open end too; that, an end by another goroutine, or the end of one that
 * has ended already, is said on the console. */
void trace_region_end(struct trace_region *r);

/* A message of some category, at this place and time. */
void trace_log(uint64_t task, const char *category, const char *message);
void trace_logf(uint64_t task, const char *category, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* ---- what TRACE_REGION is made of ---- */

struct trace_scope {
	struct defer entry; /* first */
	struct trace_region *region;
};

void trace_scope_enter(struct trace_scope *s, uint64_t task, const char *name);

static inline void trace_scope_leave(struct trace_scope *s)
{
	defer_leave(&s->entry);
}

/* TRACE_REGION(task, "name"): the rest of the block is a region, however it is left, by a panic too. A declaration, as DEFER. */
#define TRACE_REGION(task, name)                                                                      \
	struct trace_scope HB_JOIN(hb_region_, __LINE__) __attribute__((cleanup(trace_scope_leave))); \
	trace_scope_enter(&HB_JOIN(hb_region_, __LINE__), task, name)

#ifdef __cplusplus
}
#endif

#endif

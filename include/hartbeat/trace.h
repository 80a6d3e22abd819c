/*
 * Execution traces for `go tool trace`: what every goroutine and hart does, event by event (docs/trace.md). A program is traced from start to
 * end by the boot option trace=1; with trace=off it can take traces itself, and say in them what it does.
 */
#ifndef HARTBEAT_TRACE_H
#define HARTBEAT_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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
 * takes the trace calls it, EIO when that did not take all of it. */
int trace_stop(void);
/* Whether a trace runs, so that what is said now would be in it. */
bool trace_enabled(void);

#ifdef __cplusplus
}
#endif

#endif

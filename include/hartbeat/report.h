/* Looking at goroutines: who waits for what since when, and stacks as text, in the form of Go's tracebacks. Called from goroutines. */
#ifndef HARTBEAT_REPORT_H
#define HARTBEAT_REPORT_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Prints how many goroutines there are by state, and the `max` (at most 64) that have waited longest: how long, for what, and their stacks.
 * Goroutines go on meanwhile; one that ran in between is left out. */
void goroutines_report(unsigned max);

/*
 * Writes the traceback of the calling goroutine into buf: "goroutine N [running]:", then two lines a frame, innermost first. In a deferred
 * function that a panic runs it shows the place of the panic. Keeps size - 1 bytes and a NUL; returns their number.
 */
size_t go_stack(char *buf, size_t size);

#ifdef __cplusplus
}
#endif

#endif

/*
 * Objects that are counted, and functions that run when one is gone, as Go's runtime.AddCleanup and runtime.SetFinalizer, without a
 * collector: an object is gone when it was released as often as it was retained.
 *
 *	struct conn *c = object_new(sizeof *c);                  one reference, the caller's
 *	cleanup_add(c, close_port, (void *)(uintptr_t)port);     runs after c is gone
 *	object_retain(c);                                        for another goroutine
 *	object_release(c);                                       the last of these frees it
 *
 * What is to run is run by a goroutine of its own, one function after the other in the order in which objects were released. It is part of
 * the kernel while it waits, and of the program while it runs a function: then it is counted, seen in profiles, and kept waiting for by nobody.
 * A function that panics ends the program; one that calls go_exit() does not keep the others from running; one that blocks does. Functions
 * that are still to be run when the program ends are not run.
 *
 * Goroutine context for all functions.
 */
#ifndef HARTBEAT_CLEANUP_H
#define HARTBEAT_CLEANUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* size bytes of zeros, aligned to 16. NULL when memory is out. */
void *object_new(size_t size) __attribute__((warn_unused_result));
/* One reference more, for a caller that has one or is given one by who has. Returns o. */
void *object_retain(void *o);
/* One less; o may be NULL. The last one: the finalizer runs, if there is one; then o is freed, then its cleanups run. */
void object_release(void *o);

/* fn(arg) runs when o, to which the caller has a reference, is gone and freed; arg must not be o: panics. Several run in the order in which
 * they were added. Returns a number for cleanup_stop(), 0 with errno ENOMEM. */
uint64_t cleanup_add(void *o, void (*fn)(void *arg), void *arg) __attribute__((warn_unused_result));
/* Takes a cleanup back; the caller has a reference to o. False: there is none of that number. */
bool cleanup_stop(void *o, uint64_t number);

/* fn(o) runs, with a reference of its own, when the last other one is released; NULL: no function. It runs once: fn may retain o, which then
 * lives on without a finalizer, and may set another. Panics when there is one already. 0, or -1 with errno ENOMEM. */
int finalizer_set(void *o, void (*fn)(void *o)) __attribute__((warn_unused_result));

/* Waits until everything that was to be run when it was called has been run. Not from such a function. */
void cleanup_wait(void);

#ifdef __cplusplus
}
#endif

#endif

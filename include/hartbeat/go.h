/*
 * Goroutines: functions that run concurrently on the machine's harts, preempted by the timer at any instruction.
 *
 *	static void greet(void *arg) { printf("hello from %s\n", (const char *)arg); }
 *	...
 *	go(greet, "a goroutine");
 *
 * Semantics as Go's. Every function here is called from a goroutine (main() runs in one).
 */
#ifndef HARTBEAT_GO_H
#define HARTBEAT_GO_H

#include <stddef.h>
#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Starts fn(arg) in a new goroutine. Returns its id (never reused), or 0 when memory is out (errno ENOMEM): then nothing was started. */
uint64_t go(void (*fn)(void *), void *arg) __attribute__((warn_unused_result));

struct go_options {
	const char *name; /* shown in reports; text that lives as long as the goroutine; NULL for none */
	size_t stack_size; /* bytes; 0: the default, 128 KiB. Rounded up to 128 KiB, 960 KiB, 8,128 KiB or 65,472 KiB */
	bool pinned;   /* runs on hart `hart` only, as if it had called go_pin() there */
	unsigned hart; /* 0 to go_harts() - 1 */
};

/* As go(), with options. 0 too, with errno EINVAL, when stack_size is more than there is, or hart. A stack is address space; memory is used for the
 * pages that were touched. */
uint64_t go_with(void (*fn)(void *), void *arg, const struct go_options *options)
	__attribute__((warn_unused_result));

/*
 * Pins the calling goroutine to the hart it runs on, until go_unpin() was called as often as go_pin() (Go's LockOSThread): its per-hart data
 * stays near, and two goroutines pinned to one hart never run at the same time. The hart goes on running others. go_unpin() of one that is not
 * pinned does nothing. A goroutine that ends pinned takes nothing with it.
 */
void go_pin(void);
void go_unpin(void);
bool go_pinned(void); /* whether the calling goroutine is pinned */

/* Gives the hart to another goroutine that can run. */
void go_yield(void);

/* Ends the calling goroutine; what it deferred (panic.h) runs first. If main's goroutine calls it, the program goes on until exit() or a deadlock. */
_Noreturn void go_exit(void);

/* Id of the calling goroutine. */
uint64_t go_id(void);

/* How many goroutines of the program exist (running, runnable and waiting; the kernel's own are not counted). */
uint32_t go_count(void);

/* How many harts run goroutines. */
unsigned go_harts(void);

#ifdef __cplusplus
}
#endif

#endif

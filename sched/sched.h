/*
 * The scheduler: which goroutine runs, and how one waits and is woken. What the other rooms may use; applications use include/hartbeat.
 */
#ifndef SCHED_SCHED_H
#define SCHED_SCHED_H

#include <stdbool.h>
#include <stdint.h>

#include "kernel/g.h"
#include "kernel/hart.h"

/* sched/sched.c */

/* Prepares hart h's scheduler. Boot context, once per hart. */
void sched_hart_init(struct hart *h);
/* Runs goroutines on this hart for ever; on its system stack, interrupts off at entry. */
_Noreturn void sched_loop(struct hart *h);

/* Set once at boot by prof/: told when a hart stops (idle = true) and starts again to have work. System context, interrupts off. */
extern void (*sched_idle_hook)(struct hart *h, bool idle);

/* sched/shake.c */

/* From here on the schedule is shaken: seed 0: picks, steals and slices as ever; every: a preemption at one release of a spinlock in so many,
 * 0: when seeded, in 64 or so. Both 0: nothing changes. Goroutine context, once. */
void sched_shake(uint64_t seed, uint32_t every);

/* sched/park.c */

/*
 * Waiting, in two steps, so that no lock is held at a switch:
 *
 *	spin_lock(&x->lock); enqueue self on x; park_prepare(WAIT_...); spin_unlock(&x->lock); park_commit();
 *
 * From park_prepare() on the goroutine may be made ready by whoever finds it on x; park_commit() returns after that. Goroutine context.
 */
void park_prepare(enum wait_reason reason);
void park_commit(void);
/* Instead of park_commit(): the goroutine goes on, because nobody will make it ready for this park. */
void park_cancel(void);
/* Makes a goroutine that is parking or waiting runnable. Exactly one ready for each park. Goroutine or system context; a spinlock ranked
 * before sched may be held. */
void ready(struct g *g);

/* sched/g.c */

/* Starts a goroutine of the kernel: not counted for deadlock, its sleep does not keep the program alive. 0 when memory is out. */
uint64_t go_system(void (*fn)(void *), void *arg, const char *name) __attribute__((warn_unused_result));
/* Starts main's goroutine at boot. */
uint64_t go_boot(void (*fn)(void *), void *arg, const char *name) __attribute__((warn_unused_result));

/* sched/deadlock.c */

extern bool
	sched_deadlock_fatal; /* boot option: a cycle of goroutines that wait for each other's mutexes ends the program */

/* sched/schedtrace.c */

extern uint64_t sched_trace_ms; /* boot options; 0: no trace */
extern bool sched_trace_detail;
/* Starts what the options ask for. Goroutine context, once. */
void sched_trace_start(void);

/* sched/shrink.c */

/* Starts the shrinker. Before main(); false when memory is out. */
__attribute__((warn_unused_result)) bool shrink_start(void);
/* Test mode (debug.shrink=1), set before shrink_start(): passes follow each other without a break, regard every waiting goroutine, and
 * fill what they release with a pattern before it is used again. */
extern bool shrink_always;

/* sched/libc.c */

/* Where fopen(INPUT) and stdin read from; name may be NULL. Boot context. */
void libc_input(const void *data, size_t size, const char *name);
/* Set once at boot: ends the machine with this status after everything has been written. Goroutine context. */
extern void (*libc_exit_hook)(int status);

#endif

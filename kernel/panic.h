/*
 * Panic: the one way a program ends for a broken rule. Turns interrupts off, stops the other harts, and reports on the
 * hart's panic stack by a path that takes no lock and allocates nothing. panic() itself is declared in kernel/assert.h.
 */
#ifndef KERNEL_PANIC_H
#define KERNEL_PANIC_H

#include <stdbool.h>

#include "arch/arch.h"
#include "kernel/assert.h"

bool panic_in_progress(void); /* any context */
bool panic_elsewhere(void);   /* the same, and it is not this hart that reports; interrupts off */

/* One line of the report; panic context. */
void panic_line(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* As panic(), for an interrupted place: prints the registers of f and walks from there. title is the line's text. */
_Noreturn void panic_at(struct arch_frame *f, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* As panic(), about what another hart does: its stack and registers are printed, if it could be stopped. */
_Noreturn void panic_hart(const struct hart *about, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* The hart that the report is about; panic context. */
const struct hart *panic_subject(void);

/* Ends with Go's "fatal error: ..." line instead of "panic: ...": deadlock and the like. */
_Noreturn void fatal_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* The same for what concerns all goroutines and none: only their stacks are printed. */
_Noreturn void fatal_goroutines(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* The end of a panic that nobody recovers: text is the title with its "panic: ", of one or more lines; u is where it was raised, in the
 * function that calls this or one that called it, which the traceback leaves out. */
_Noreturn void panic_text(const struct arch_unwind *u, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* Prints what the scheduler knows (set by sched/; may be NULL). Panic context: takes no lock. */
extern void (*panic_goroutines_hook)(void);

/*
 * Writes the n-th dump of a crash, n from 0 (set once at boot; may be NULL); false when there is none of that number. Panic context. A panic
 * inside of it ends that dump; the next one follows.
 */
extern bool (*panic_dump_hook)(unsigned n);

/* Where the program died: false when it was nowhere (a deadlock). If *called, *u is in a function that only says so. Panic context. */
bool panic_place(struct arch_unwind *u, bool *called);

#endif

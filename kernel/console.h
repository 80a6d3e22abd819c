/*
 * The console: the one owner of the UART. Text and frame lines are queued in a ring under a short lock; whoever queued also
 * drains the ring into the UART, one hart at a time, with interrupts on, so that slow output darkens nobody.
 */
#ifndef KERNEL_CONSOLE_H
#define KERNEL_CONSOLE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Sets the UART up (115200 8N1, FIFO on, no interrupts). Boot, once. */
void console_init(void);

/* Text, whole or partial lines; a line that would read as a frame line is escaped. Goroutine, system or boot context. */
void console_text(const char *text, size_t len);

/* One whole frame line ("@hb ...\n"): starts at column 0, an open text line is ended first. Signature of kernel/framing.h's sink. */
void console_frame(void *ctx, const char *line, size_t len);

/*
 * The line that a person types: a prompt and what there is of it, as a whole, beginning with "\r". It stands where the next line will, and
 * other output takes it away: whoever shows it looks now and then whether it is still there, and whether console_written() has changed since.
 * Goroutine context.
 */
void console_typed(const char *line, size_t len);
/* It is finished: what comes next begins a new line. */
void console_typed_end(void);
bool console_typed_shown(void);
/* Changes when something is queued. */
uint32_t console_written(void);

/* What the console shows besides dumps, and what is said to whoever types: see docs/live.md. */
enum console_level {
	CONSOLE_KERNEL, /* the kernel's lines */
	CONSOLE_ALL,    /* and the program's */
};
extern _Atomic uint32_t console_level;
/* As console_text(), for what the program writes. */
void console_program(const char *text, size_t len);
/* Bytes of the program that were not shown since the last call. Any context. */
uint64_t console_kept_back(void);

/* Waits until all that was queued has left the UART. Goroutine, system or boot context. */
void console_flush(void);

/* Panic context: takes the UART over for good (first pushes out what is queued), polled, with bounded waits. */
void console_panic_text(const char *text, size_t len);
/* The same for a frame line, as console_frame(). */
void console_panic_frame(void *ctx, const char *line, size_t len);
/* Ends a line that was begun. */
void console_panic_line_end(void);

/* Bytes that a bounded panic wait had to drop. */
extern uint64_t console_dropped;

#endif

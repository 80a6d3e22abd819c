/*
 * The console: the one owner of the UART. Text and frame lines are queued in a ring under a short lock; whoever queued also
 * drains the ring into the UART, one hart at a time, with interrupts on, so that slow output darkens nobody.
 */
#ifndef KERNEL_CONSOLE_H
#define KERNEL_CONSOLE_H

#include <stddef.h>
#include <stdint.h>

/* Sets the UART up (115200 8N1, FIFO on, no interrupts). Boot, once. */
void console_init(void);

/* Text, whole or partial lines; a line that would read as a frame line is escaped. Goroutine, system or boot context. */
void console_text(const char *text, size_t len);

/* One whole frame line ("@hb ...\n"): starts at column 0, an open text line is ended first. Signature of kernel/framing.h's sink. */
void console_frame(void *ctx, const char *line, size_t len);

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

/* Where the lines of a report go: the console in a panic, or a buffer. Context: that of who made the report. */
#ifndef KERNEL_REPORT_H
#define KERNEL_REPORT_H

#include <stddef.h>

struct report {
	/* takes one line of n bytes, its newline included */
	void (*line)(struct report *r, const char *text, size_t n);
};

void report_line(struct report *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Lines one behind the other in buf, of which the first size - 1 bytes are kept, and a NUL. */
struct report_text {
	struct report report; /* first */
	char *buf;
	size_t size, n; /* n: bytes so far, without the NUL */
};

void report_text_init(struct report_text *t, char *buf, size_t size); /* size > 0 */

extern struct report report_panic;   /* panic context (kernel/panic.c) */
extern struct report report_console; /* system or goroutine context */

#endif

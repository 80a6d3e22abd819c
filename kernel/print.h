/*
 * Formatting for the kernel's own lines: no allocation, no lock, no floating point, no libc. For applications there is stdio.
 */
#ifndef KERNEL_PRINT_H
#define KERNEL_PRINT_H

#include <stdarg.h>
#include <stddef.h>

/* As vsnprintf for %d %u %x %lu %zu %lld %p %s %.*s %c %%, with width, 0 and - flags. Returns the bytes written without the NUL
 * (never more than size - 1). Any context. */
size_t print_format(char *buf, size_t size, const char *fmt, va_list ap);

/* The same with its arguments in place. */
size_t print_text(char *buf, size_t size, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* One line to the console; the newline is added. System, goroutine or boot context. */
void print_line(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif

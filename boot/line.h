/*
 * One-line messages of boot's parsers, which run before there is a console, a heap or a libc that may print.
 */
#ifndef BOOT_LINE_H
#define BOOT_LINE_H

#include <stdarg.h>
#include <stddef.h>

/*
 * Formats into buf (size bytes, at least 1) and returns the length without the NUL. Knows %s, %u, %lu and
 * %#lx only. What comes from a %s is cut at 80 characters ("..." follows) and unprintable bytes become '?',
 * so that the result is one printable line whatever the input was. Any context.
 */
size_t line_vformat(char *buf, size_t size, const char *fmt, va_list ap);
size_t line_format(char *buf, size_t size, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Formats an error line into the one static buffer and returns it; the next call overwrites it. Boot context
 * only. */
const char *boot_error(const char *fmt, ...) __attribute__((format(printf, 1, 2), returns_nonnull));

#endif

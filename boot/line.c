/*
 * Message lines of boot's parsers. Owns the one error buffer: a parser stops at its first error, so one is
 * enough.
 *
 * 1. A line holds printable ASCII only and always ends in NUL, otherwise a damaged device tree could write
 * escape sequences to the terminal, or a line that looks like serial framing.
 */
#include "boot/line.h"

#include "kernel/assert.h"

#include <stdbool.h>
#include <stdint.h>

enum { TEXT_MAX = 80, ERROR_MAX = 256 };

struct line {
	char *buf;
	size_t size;
	size_t len;
};

static void line_char(struct line *l, char c)
{
	if (l->len + 1 < l->size)
		l->buf[l->len++] = c;
}

static void line_text(struct line *l, const char *s)
{
	if (s == NULL)
		s = "(none)";
	for (int i = 0; s[i] != '\0'; i++) {
		if (i == TEXT_MAX) {
			for (int dots = 0; dots < 3; dots++)
				line_char(l, '.');
			return;
		}
		line_char(l, s[i] >= ' ' && s[i] <= '~' ? s[i] : '?');
	}
}

static void line_number(struct line *l, uint64_t v, unsigned base)
{
	char digits[20]; /* 2^64 has 20 decimal digits */
	int n = 0;
	do {
		digits[n++] = "0123456789abcdef"[v % base];
		v /= base;
	} while (v != 0);
	while (n > 0)
		line_char(l, digits[--n]);
}

size_t line_vformat(char *buf, size_t size, const char *fmt, va_list ap)
{
	ASSERT(size > 0, "a line has room for its NUL");
	struct line l = {buf, size, 0};
	for (; *fmt != '\0'; fmt++) {
		if (*fmt != '%') {
			line_char(&l, *fmt);
		} else if (fmt[1] == 's') {
			line_text(&l, va_arg(ap, const char *));
			fmt++;
		} else if (fmt[1] == 'u') {
			line_number(&l, va_arg(ap, unsigned), 10);
			fmt++;
		} else if (fmt[1] == 'l' && fmt[2] == 'u') {
			line_number(&l, va_arg(ap, unsigned long), 10);
			fmt += 2;
		} else {
			ASSERT(fmt[1] == '#' && fmt[2] == 'l' && fmt[3] == 'x',
			       "a line knows %s, %u, %lu and %#lx only");
			line_char(&l, '0');
			line_char(&l, 'x');
			line_number(&l, va_arg(ap, unsigned long), 16);
			fmt += 3;
		}
	}
	buf[l.len] = '\0';
	return l.len;
}

size_t line_format(char *buf, size_t size, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	size_t len = line_vformat(buf, size, fmt, ap);
	va_end(ap);
	return len;
}

const char *boot_error(const char *fmt, ...)
{
	static char buf[ERROR_MAX];
	va_list ap;
	va_start(ap, fmt);
	line_vformat(buf, sizeof buf, fmt, ap);
	va_end(ap);
	return buf;
}

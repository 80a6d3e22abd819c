/* Formatting for kernel lines (see print.h). */
#include "kernel/print.h"

#include <stdbool.h>
#include <stdint.h>

#include "kernel/console.h"

struct out {
	char *buf;
	size_t size, n;
};

static void put(struct out *o, char c)
{
	if (o->n + 1 < o->size)
		o->buf[o->n++] = c;
}

static void put_field(struct out *o, const char *s, size_t len, int width, bool left, char pad)
{
	for (int i = (int)len; !left && i < width; i++)
		put(o, pad);
	for (size_t i = 0; i < len; i++)
		put(o, s[i]);
	for (int i = (int)len; left && i < width; i++)
		put(o, ' ');
}

static void put_number(struct out *o, uint64_t v, bool negative, unsigned base, int width, bool left,
		       char pad)
{
	char digits[24];
	size_t n = sizeof digits;
	do {
		digits[--n] = "0123456789abcdef"[v % base];
		v /= base;
	} while (v != 0);
	if (negative && pad == '0') {
		put(o, '-');
		width--;
	} else if (negative) {
		digits[--n] = '-';
	}
	put_field(o, digits + n, sizeof digits - n, width, left, pad);
}

/* Reads a length modifier and fetches the integer it names. */
static uint64_t fetch_integer(const char **fmt, va_list *ap, bool is_signed)
{
	int longs = 0;
	for (; **fmt == 'l' || **fmt == 'z' || **fmt == 'j'; (*fmt)++)
		longs++;
	if (is_signed)
		return longs ? (uint64_t)va_arg(*ap, long long) : (uint64_t)(long long)va_arg(*ap, int);
	return longs ? va_arg(*ap, unsigned long long) : va_arg(*ap, unsigned);
}

static char conversion(const char *fmt)
{
	while (*fmt == 'l' || *fmt == 'z' || *fmt == 'j')
		fmt++;
	return *fmt;
}

static void put_string(struct out *o, const char *s, int precision, int width, bool left)
{
	if (s == NULL)
		s = "(null)";
	size_t len = 0;
	while ((precision < 0 || len < (size_t)precision) && s[len] != '\0')
		len++;
	put_field(o, s, len, width, left, ' ');
}

size_t print_format(char *buf, size_t size, const char *fmt, va_list args)
{
	struct out o = {buf, size, 0};
	va_list ap;
	va_copy(ap, args);
	for (; *fmt != '\0'; fmt++) {
		if (*fmt != '%') {
			put(&o, *fmt);
			continue;
		}
		bool left = false;
		char pad = ' ';
		for (fmt++; *fmt == '-' || *fmt == '0'; fmt++) {
			left |= *fmt == '-';
			pad = *fmt == '0' ? '0' : pad;
		}
		int width = 0, precision = -1;
		if (*fmt == '*') {
			width = va_arg(ap, int);
			fmt++;
		}
		for (; *fmt >= '0' && *fmt <= '9'; fmt++)
			width = width * 10 + (*fmt - '0');
		if (*fmt == '.') {
			fmt++;
			precision = 0;
			if (*fmt == '*') {
				precision = va_arg(ap, int);
				fmt++;
			}
			for (; *fmt >= '0' && *fmt <= '9'; fmt++)
				precision = precision * 10 + (*fmt - '0');
		}
		char c = conversion(fmt);
		switch (c) {
		case 'd': {
			int64_t v = (int64_t)fetch_integer(&fmt, &ap, true);
			put_number(&o, v < 0 ? -(uint64_t)v : (uint64_t)v, v < 0, 10, width, left, pad);
			break;
		}
		case 'u':
			put_number(&o, fetch_integer(&fmt, &ap, false), false, 10, width, left, pad);
			break;
		case 'x':
			put_number(&o, fetch_integer(&fmt, &ap, false), false, 16, width, left, pad);
			break;
		case 'p':
			put(&o, '0');
			put(&o, 'x');
			put_number(&o, (uintptr_t)va_arg(ap, void *), false, 16, width, left, '0');
			break;
		case 's':
			put_string(&o, va_arg(ap, const char *), precision, width, left);
			break;
		case 'c':
			put(&o, (char)va_arg(ap, int));
			break;
		case '\0':
			fmt--;
			break;
		default:
			put(&o, c);
		}
	}
	va_end(ap);
	if (size > 0)
		buf[o.n] = '\0';
	return o.n;
}

size_t print_text(char *buf, size_t size, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	size_t n = print_format(buf, size, fmt, ap);
	va_end(ap);
	return n;
}

void print_line(const char *fmt, ...)
{
	char line[256];
	va_list ap;
	va_start(ap, fmt);
	size_t n = print_format(line, sizeof line - 1, fmt, ap);
	va_end(ap);
	line[n++] = '\n';
	console_text(line, n);
}

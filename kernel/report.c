/* Lines of reports (see report.h). */
#include "kernel/report.h"

#include <stdarg.h>
#include <string.h>

#include "kernel/console.h"
#include "kernel/print.h"

void report_line(struct report *r, const char *fmt, ...)
{
	char line[256];
	va_list ap;
	va_start(ap, fmt);
	size_t n = print_format(line, sizeof line - 1, fmt, ap);
	va_end(ap);
	line[n++] = '\n';
	r->line(r, line, n);
}

static void text_line(struct report *r, const char *text, size_t n)
{
	struct report_text *t = (struct report_text *)r;
	if (n > t->size - 1 - t->n)
		n = t->size - 1 - t->n;
	memcpy(t->buf + t->n, text, n);
	t->n += n;
	t->buf[t->n] = '\0';
}

void report_text_init(struct report_text *t, char *buf, size_t size)
{
	*t = (struct report_text){{text_line}, buf, size, 0};
	buf[0] = '\0';
}

static void console_line(struct report *r, const char *text, size_t n)
{
	(void)r;
	console_text(text, n);
}

struct report report_console = {console_line};

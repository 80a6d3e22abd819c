#include "prof/serve/answer.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

static int body_write(struct sink *s, const void *data, size_t n)
{
	struct answer *a = (struct answer *)s;
	if (n > ANSWER_MAX - a->body.size)
		return -EFBIG;
	return sink_write(&a->body.sink, data, n);
}

void answer_init(struct answer *a)
{
	*a = (struct answer){.sink.write = body_write, .status = 200, .type = "text/plain; charset=utf-8"};
	sink_memory_init(&a->body);
}

void answer_free(struct answer *a)
{
	sink_memory_free(&a->body);
}

static void put(struct answer *a, const char *fmt, va_list ap)
{
	char text[512];
	int n = vsnprintf(text, sizeof text, fmt, ap);
	if (n < 0)
		n = 0;
	if ((size_t)n >= sizeof text)
		n = sizeof text - 1;
	if (sink_write(&a->sink, text, (size_t)n) != 0)
		a->status = 500;
}

void answer_text(struct answer *a, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	put(a, fmt, ap);
	va_end(ap);
}

void answer_refuse(struct answer *a, int status, const char *fmt, ...)
{
	va_list ap;
	answer_free(a);
	answer_init(a);
	a->status = status;
	va_start(ap, fmt);
	put(a, fmt, ap);
	va_end(ap);
	answer_text(a, "\n");
	a->status = status;
}

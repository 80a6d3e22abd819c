/*
 * Answers on their way (see answer.h).
 *
 * 1. Memory is reserved before it is taken, for the buffer that is there and the one that it moves to, and what is not needed any more is given back.
 *    Otherwise answers could outgrow their bound together.
 * 2. What ends early ends with a chunk that is none. Otherwise half a file would look whole: the line cannot be closed from this side.
 */
#include "prof/serve/answer.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include <hartbeat/chan.h>
#include <hartbeat/time.h>

#include "kernel/sink.h"
#include "prof/prof.h"

uint64_t answer_memory_max;
static _Atomic uint64_t answer_memory;

static bool reserve(struct answer *a, size_t more)
{
	if (atomic_fetch_add_explicit(&answer_memory, more, memory_order_relaxed) + more >
	    answer_memory_max) {
		atomic_fetch_sub_explicit(&answer_memory, more, memory_order_relaxed);
		return false;
	}
	a->reserved += more;
	return true;
}

static void release(struct answer *a, size_t less)
{
	atomic_fetch_sub_explicit(&answer_memory, less, memory_order_relaxed);
	a->reserved -= less;
}

static int body_write(struct sink *s, const void *data, size_t n)
{
	struct answer *a = (struct answer *)s;
	size_t room = sink_memory_room(&a->body, n);
	if (a->error == 0 && room > a->body.room && !reserve(a, room))
		a->error = -ENOSPC;
	if (a->error == 0)
		a->error = sink_write(&a->body.sink, data, n);
	release(a, a->reserved - a->body.room);
	return a->error;
}

static int chunk_write(struct sink *s, const void *data, size_t n)
{
	struct answer *a = (struct answer *)s;
	char size[24];
	int len = snprintf(size, sizeof size, "%zx\r\n", n);
	if (n == 0) /* would be the end */
		return 0;
	bool put = !a->head_only && a->client->put(a->client, size, (size_t)len) &&
		   a->client->put(a->client, data, n) && a->client->put(a->client, "\r\n", 2);
	return put ? 0 : -EPIPE;
}

static void body_init(struct answer *a)
{
	a->sink.write = body_write;
	a->status = 200;
	a->type = "text/plain; charset=utf-8";
	a->file[0] = '\0';
	a->location = NULL;
	a->error = 0;
	sink_memory_init(&a->body);
}

void answer_init(struct answer *a, struct answer_client *c, const struct http_request *r)
{
	*a = (struct answer){.client = c, .head_only = r->head_only, .chunks = r->minor > 0};
	body_init(a);
}

void answer_free(struct answer *a)
{
	sink_memory_free(&a->body);
	release(a, a->reserved);
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

void answer_file(struct answer *a, const char *name, const char *behind)
{
	a->type = "application/octet-stream";
	snprintf(a->file, sizeof a->file, "%s%s", name, behind);
	/* what could end the quoted name, or be a folder */
	for (char *c = a->file; (c = strpbrk(c, "\"\\/")) != NULL;)
		*c = '_';
}

void answer_escaped(struct answer *a, const char *text)
{
	for (; *text != '\0'; text++) {
		if (strchr("<>&'\"", *text) != NULL)
			answer_text(a, "&#%d;", *text);
		else
			answer_text(a, "%c", *text);
	}
}

void answer_refuse(struct answer *a, int status, const char *fmt, ...)
{
	va_list ap;
	if (a->streams)
		return;
	int error = a->error;
	answer_free(a);
	body_init(a);
	if (error != 0 && status == 500) {
		if (error == -ENOSPC)
			answer_text(a, "the answer takes more memory than answers may (live.memory=%llu)\n",
				    (unsigned long long)answer_memory_max);
		else
			answer_text(a, "the answer takes more memory than the machine has\n");
		a->status = 503;
		return;
	}
	va_start(ap, fmt);
	put(a, fmt, ap);
	va_end(ap);
	answer_text(a, "\n");
	a->status = status;
}

static bool head_send(struct answer *a)
{
	char head[768], length[48];
	if (a->streams)
		snprintf(length, sizeof length, "Transfer-Encoding: chunked");
	else
		snprintf(length, sizeof length, "Content-Length: %zu", a->body.size);
	int n = snprintf(head, sizeof head,
			 "HTTP/1.1 %d %s\r\nContent-Type: %s\r\n%s\r\n"
			 "X-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\nConnection: "
			 "close\r\n%s%s%s%s%s%s%s%s%s\r\n",
			 a->status, http_reason(a->status), a->type, length,
			 a->status >= 400 ? "X-Go-Pprof: 1\r\n" : "",
			 a->status == 401 ? "WWW-Authenticate: Bearer\r\n" : "",
			 a->status == 405 ? "Allow: GET, HEAD\r\n" : "",
			 a->file[0] != '\0' ? "Content-Disposition: attachment; filename=\"" : "", a->file,
			 a->file[0] != '\0' ? "\"\r\n" : "", a->location != NULL ? "Location: " : "",
			 a->location != NULL ? a->location : "", a->location != NULL ? "\r\n" : "");
	return n > 0 && (size_t)n < sizeof head && a->client->put(a->client, head, (size_t)n);
}

bool answer_stream(struct answer *a)
{
	if (!a->chunks || a->streams)
		return true;
	a->streams = true;
	a->sink.write = chunk_write;
	return head_send(a);
}

bool answer_wait(struct answer *a, uint64_t ns)
{
	uint64_t until = time_now() + ns;
	for (uint64_t now; (now = time_now()) < until;) {
		if (a->client->gone(a->client))
			return false;
		(void)!chan_recv_timeout(a->client->wake, NULL, NULL, until - now);
	}
	return !a->client->gone(a->client);
}

void answer_send(struct answer *a, bool good)
{
	struct answer_client *c = a->client;
	if (a->streams && !a->head_only)
		c->put(c, good ? "0\r\n\r\n" : "cut short\r\n\r\n", good ? 5 : 13);
	else if (!a->streams && head_send(a) && !a->head_only)
		c->put(c, a->body.data, a->body.size);
}

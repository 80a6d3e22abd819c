/*
 * One goroutine for each line:
 *
 *	wait for a client -> bytes -> http_feed() -> pages_answer() -> head and body -> the client closes, and the next one may come
 *
 * 1. A request belongs to the client of the epoch in which its first byte was read; when the epoch changes, what was collected is
 *    forgotten. Otherwise half a request would be glued to the next client's.
 * 2. An answer is written for the epoch of its request. Otherwise its rest would reach the next client.
 * 3. Where the bytes of two clients meet is not marked on the line, but no piece has bytes of both: after a change of epoch, pieces that do
 *    not begin as a request does are dropped, and one that begins as a whole request ends what was collected. Otherwise the new client
 *    would be refused for what the old one sent. When the line does not know whose a complete request was, its own is waited for a moment.
 */
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include <hartbeat/chan.h>
#include <hartbeat/time.h>

#include "kernel/heap.h"
#include "kernel/serial.h"
#include "kernel/uart_serial.h"
#include "kernel/virtio_serial.h"
#include "prof/prof.h"
#include "prof/serve/commands.h"
#include "prof/serve/http.h"
#include "prof/serve/pages.h"
#include "sched/sched.h"

enum {
	SERVE_LINES_MAX = 8,
	PIECE = 4096,       /* bytes read at once */
	STALL_SECONDS = 30, /* a client that takes nothing for so long is given up */
	HEAD_SECONDS = 30,  /* the same for one that does not end its request */
};

#define OWN_NS (300 * TIME_MILLISECOND) /* a client sends its request so soon after it has connected */

struct worker {
	struct answer_client client; /* first; its wake holds one: something changed */
	struct serial *serving;      /* the line and the epoch of the request that is being answered */
	uint32_t epoch;
	_Atomic(struct serial *) line;
	struct http_request request;
	char piece[PIECE];
	bool resync; /* drop pieces that do not begin a request */
	bool unsure; /* what was collected may be of the client before */
};

static struct worker *workers[SERVE_LINES_MAX];
static _Atomic uint32_t n_lines; /* relaxed: only differ */
static char token[SERVE_TOKEN_MAX];

static void changed(void *ctx)
{
	struct worker *w = ctx;
	chan_try_send(w->client.wake, NULL);
}

/* ---- answers ---- */

static bool client_put(struct answer_client *c, const void *data, size_t n)
{
	struct worker *w = (struct worker *)c;
	const char *bytes = data;
	while (n > 0) {
		size_t done = serial_write(w->serving, w->epoch, bytes, n);
		bytes += done;
		n -= done;
		if (done > 0)
			continue;
		if (serial_epoch(w->serving) != w->epoch ||
		    !chan_recv_timeout(w->client.wake, NULL, NULL, STALL_SECONDS * TIME_SECOND))
			return false;
	}
	return true;
}

static bool client_gone(struct answer_client *c)
{
	struct worker *w = (struct worker *)c;
	return serial_epoch(w->serving) != w->epoch;
}

static bool allowed(const struct http_request *r)
{
	static const char scheme[] = "Bearer ";
	if (token[0] == '\0')
		return true;
	bool bearer = strncmp(r->authorization, scheme, sizeof scheme - 1) == 0;
	return http_same_secret(bearer ? r->authorization + sizeof scheme - 1 : "", token);
}

static void respond(struct worker *w, struct serial *line, uint32_t epoch, int status)
{
	struct answer a;
	w->serving = line;
	w->epoch = epoch;
	answer_init(&a, &w->client, &w->request);
	if (status == HTTP_DONE && allowed(&w->request)) {
		pages_answer(&w->request, &a);
	} else {
		if (status == HTTP_DONE)
			answer_refuse(&a, 401, "a token is needed: Authorization: Bearer TOKEN");
		else
			answer_refuse(&a, status, "%s", http_reason(status));
		answer_send(&a, true);
	}
	answer_free(&a);
}

/* ---- requests ---- */

/* Whether a piece begins as a request does: with a method's letters. */
static bool begins_request(const char *bytes, size_t n)
{
	static const char *const methods[] = {"GET ",    "HEAD ",    "POST ", "PUT ",
					      "DELETE ", "OPTIONS ", "PATCH "};
	for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
		size_t len = strlen(methods[i]);
		if (memcmp(bytes, methods[i], n < len ? n : len) == 0)
			return true;
	}
	return false;
}

/* Whether it surely does: with a method and the beginning of a path. */
static bool begins_surely(const char *bytes, size_t n)
{
	return (n >= 5 && memcmp(bytes, "GET /", 5) == 0) || (n >= 6 && memcmp(bytes, "HEAD /", 6) == 0);
}

/*
 * A request that may be of the client before (line->mixed) is complete: if it was, the client that is here sends its own, of which this returns
 * the first piece. 0: none comes.
 */
static size_t its_own(struct worker *w, struct serial *line)
{
	uint64_t until = time_now() + OWN_NS;
	for (uint64_t now; (now = time_now()) < until;) {
		size_t n = serial_read(line, w->piece, sizeof w->piece);
		if (n > 0)
			return n;
		(void)!chan_recv_timeout(w->client.wake, NULL, NULL, until - now);
	}
	return 0;
}

/* Serves the client of this epoch, and those who come at once after it, until nobody is there. */
static void serve_client(struct worker *w, struct serial *line, uint32_t epoch)
{
	const uint64_t wait = line->quiet_ns != 0 ? line->quiet_ns : HEAD_SECONDS * TIME_SECOND;
	size_t own = 0;
	http_init(&w->request);
	for (;;) {
		size_t n = own > 0 ? own : serial_read(line, w->piece, sizeof w->piece);
		own = 0;
		if (n == 0) {
			if (serial_epoch(line) == 0)
				return;
			if (!chan_recv_timeout(w->client.wake, NULL, NULL, wait) && line->quiet_ns == 0 &&
			    w->request.n > 0) {
				respond(w, line, epoch, 408);
				http_init(&w->request);
				w->resync = true;
			}
			continue;
		}
		uint32_t now = serial_epoch(line);
		if (now == 0) /* of one who has gone */
			continue;
		w->unsure |= line->quiet_ns != 0; /* nothing tells that a client has left */
		if (now != epoch) {
			epoch = now;
			http_init(&w->request);
			w->resync = w->unsure = true;
		}
		if (w->resync && !begins_request(w->piece, n))
			continue;
		w->resync = false;
		if (w->unsure && begins_surely(w->piece, n))
			http_init(&w->request);
		for (size_t at = 0, used; at < n; at += used) {
			int status = http_feed(&w->request, w->piece + at, n - at, &used);
			if (status == HTTP_MORE)
				continue;
			if (line->mixed && (own = its_own(w, line)) > 0) {
				http_init(&w->request);
				w->resync = w->unsure = true;
				break;
			}
			w->unsure = false;
			respond(w, line, epoch, status);
			serial_done(line, epoch);
			http_init(&w->request);
			if (status != HTTP_DONE) { /* the rest of it means nothing */
				w->resync = true;
				break;
			}
		}
	}
}

static void work(void *arg)
{
	struct worker *w = arg;
	for (;;) {
		/* pairs with the release in serve_line() */
		struct serial *line = atomic_load_explicit(&w->line, memory_order_acquire);
		uint32_t epoch = line != NULL ? serial_epoch(line) : 0;
		if (epoch == 0) {
			chan_recv(w->client.wake, NULL);
			continue;
		}
		w->resync = w->unsure =
			true; /* the first time, too: somebody may have come and gone already */
		serve_client(w, line, epoch);
	}
}

static bool start(const struct serve_options *o)
{
	answer_memory_max = o->memory;
	snprintf(token, sizeof token, "%s", o->token);
	pages_init(o->argc, o->argv);
	for (unsigned i = 0; i < SERVE_LINES_MAX; i++) {
		struct worker *w = heap_alloc(sizeof *w);
		if (w == NULL)
			return false;
		memset(w, 0, sizeof *w);
		w->client = (struct answer_client){client_put, client_gone, chan_make(0, 1)};
		workers[i] = w;
		if (w->client.wake == NULL || go_system(work, w, "runtime.serve") == 0)
			return false;
	}
	return true;
}

static void serve_line(void *ctx, struct serial *line)
{
	(void)ctx;
	uint32_t i = atomic_fetch_add_explicit(&n_lines, 1, memory_order_relaxed);
	if (i >= SERVE_LINES_MAX)
		return;
	line->ctx = workers[i];
	line->changed = changed;
	/* pairs with the acquire in work() */
	atomic_store_explicit(&workers[i]->line, line, memory_order_release);
	changed(workers[i]);
}

static const char *serve_virtio(const struct virtio_place *place)
{
	return virtio_serial_start(place, serve_line, NULL);
}

static const char *serve_uart(const struct uart_place *place)
{
	return uart_serial_start(place, serve_line, NULL);
}

const struct serve_room serve_room = {
	.start = start, .virtio = serve_virtio, .uart = serve_uart, .console = console_serve};

/*
 * One goroutine for each line:
 *
 *	wait for a client -> bytes -> http_feed() -> pages_answer() -> head and body -> the client closes, and the next one may come
 *
 * 1. A request belongs to the client of the epoch in which its first byte was read; when the epoch changes, what was collected is
 *    forgotten. Otherwise half a request would be glued to the next client's.
 * 2. An answer is written for the epoch of its request. Otherwise its rest would reach the next client.
 * 3. Where a client leaves and another comes, the line may not know whose a piece is (serial_read()): it is put aside. It is no whole request,
 *    so who is here sends more, and that shows it: a request that is one goes on with no request's beginning. If what comes begins one, the piece
 *    was of one who has gone, and is forgotten; if not, it is the beginning of this. Otherwise the new client would be refused for what the old
 *    one sent, or answered what that one asked. Behind one who was refused a piece may be a whole request: if nothing follows, and it begins as
 *    one, who is here is asked to send his again.
 * 4. Who is refused and goes on sending is not listened to any more (serial_refuse()). Otherwise he would keep the line for as long as reading
 *    piece by piece takes.
 * 5. Who is here and may have asked before the line lost count of its clients, and sends nothing, is asked to send his again, unless he had got
 *    some of an answer with a length: what came behind would be taken for more of that. Otherwise he would wait for ever.
 * 6. A line that knows no clients (quiet_ns) begins a piece where a request seems to begin: there, what was collected is forgotten.
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
	PIECE = 4096,       /* bytes read at once, and put aside */
	STALL_SECONDS = 30, /* a client that takes nothing for so long is given up */
	HEAD_SECONDS = 30,  /* the same for one that does not end its request */
	DOUBT_MS = 500,     /* rule 3: for which a piece that may be a whole request waits for more; rule 5 */
	HOLD_TRIES = 10,    /* milliseconds that serial_hold() may take; about two */
	REQUEST_MIN = 18,   /* bytes of the shortest request: GET / HTTP/1.0 */
	JUNK_MAX = 16384,   /* bytes behind a request that was refused, until serial_refuse() */
};

struct worker {
	struct answer_client client; /* first; its wake holds one: something changed */
	struct serial *serving;      /* the line and the epoch of the request that is being answered */
	uint32_t epoch;
	_Atomic(struct serial *) line;
	struct http_request request;
	char piece[PIECE];
	size_t aside;     /* bytes of it that wait for more, */
	size_t doubted;   /* of which so many, the first, may be of a client before; 0: none are aside */
	uint64_t heard;   /* time_now() when the last byte came, or the client */
	bool silent;      /* nothing has come from who is here, nor been sent */
	bool begun;       /* something of the last answer was sent, */
	bool cut;         /* to somebody whom the line lost then; it had a length */
	bool resync;      /* drop pieces that do not begin a request */
	uint32_t dropped; /* bytes of them */
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
	uint64_t since = time_now();
	while (n > 0) {
		size_t done = serial_write(w->serving, w->epoch, bytes, n);
		uint64_t now = time_now(), left = since + STALL_SECONDS * TIME_SECOND - now;
		bytes += done;
		n -= done;
		w->begun |= done > 0;
		if (done > 0) {
			since = now;
			continue;
		}
		bool later = w->serving->later;
		if (serial_epoch(w->serving) != w->epoch || now - since >= STALL_SECONDS * TIME_SECOND)
			return false;
		if (later)
			time_sleep(TIME_MILLISECOND);
		else if (!chan_recv_timeout(w->client.wake, NULL, NULL, left))
			return false;
	}
	return true;
}

static bool client_gone(struct answer_client *c)
{
	struct worker *w = (struct worker *)c;
	return !serial_hold(w->serving, w->epoch);
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
	w->silent = w->begun = false;
	for (int i = 0; i < HOLD_TRIES && serial_hold(line, epoch) && line->later; i++)
		time_sleep(TIME_MILLISECOND);
	answer_init(&a, &w->client, &w->request);
	if (status == HTTP_DONE && allowed(&w->request)) {
		pages_answer(&w->request, &a);
	} else {
		if (status == HTTP_DONE)
			answer_refuse(&a, 401, "a token is needed: Authorization: Bearer TOKEN");
		else if (status == 503)
			answer_refuse(&a, 503, "it was lost among those of other clients: send it again");
		else
			answer_refuse(&a, status, "%s", http_reason(status));
		answer_send(&a, true);
	}
	w->cut = w->begun && !a.streams && serial_epoch(line) != epoch;
	answer_free(&a);
}

/* ---- requests ---- */

enum beginning { BEGINS_NOT, BEGINS_MAYBE, BEGINS };

/* Whether bytes begin as a request does. */
static enum beginning begins(const char *bytes, size_t n)
{
	static const char *const starts[] = {"GET /",    "HEAD /",    "POST /", "PUT /",
					     "DELETE /", "OPTIONS /", "PATCH /"};
	enum beginning best = BEGINS_NOT;
	for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++) {
		size_t len = strlen(starts[i]);
		if (memcmp(bytes, starts[i], n < len ? n : len) == 0)
			best = n < len ? BEGINS_MAYBE : BEGINS;
	}
	return best;
}

/* Nothing has come yet from who is here now. */
static void begin_client(struct worker *w, const struct serial *line)
{
	http_init(&w->request);
	w->aside = w->doubted = w->dropped = 0;
	w->heard = time_now();
	w->silent = true;
	w->cut &= line->lost;
	w->resync = line->quiet_ns != 0;
}

/*
 * Of the n bytes that came behind what is aside: the first one that is part of a request, until *end, if it is known now; NULL: not yet, all
 * are aside.
 */
static const char *settled(struct worker *w, const struct serial *line, size_t n, const char **end)
{
	size_t all = w->aside + n;
	const char *from = w->piece;
	if (line->mixed) {
		w->aside = w->doubted = all;
		return NULL;
	}
	if (w->doubted > 0) {
		enum beginning b = begins(w->piece + w->doubted, all - w->doubted);
		if (b == BEGINS_MAYBE) {
			w->aside = all;
			return NULL;
		}
		from += b == BEGINS ? w->doubted : 0;
	}
	w->aside = w->doubted = 0;
	*end = w->piece + all;
	return from;
}

/* What to do with the bytes of a client: answers what is complete. */
static void serve_bytes(struct worker *w, struct serial *line, uint32_t epoch, const char *from,
			const char *end)
{
	if (w->resync && begins(from, (size_t)(end - from)) == BEGINS_NOT) {
		w->dropped += (uint32_t)(end - from);
		if (w->dropped > JUNK_MAX)
			serial_refuse(line, epoch);
		return;
	}
	w->resync = false;
	if (line->quiet_ns != 0 && begins(from, (size_t)(end - from)) == BEGINS)
		http_init(&w->request);
	for (size_t used; from < end; from += used) {
		int status = http_feed(&w->request, from, (size_t)(end - from), &used);
		if (status == HTTP_MORE)
			continue;
		respond(w, line, epoch, status);
		serial_done(line, epoch);
		http_init(&w->request);
		if (status != HTTP_DONE) /* the rest of it means nothing */
			w->resync = true;
		if (status != HTTP_DONE || serial_epoch(line) != epoch)
			return;
	}
}

/* What is aside may be all that the client who is here sends: nothing has come behind it. */
static bool may_be_whole(const struct worker *w)
{
	return w->doubted >= REQUEST_MIN && w->aside == w->doubted;
}

/* Rule 5. */
static bool waits_in_vain(const struct worker *w, const struct serial *line)
{
#ifdef MUTANT_lost_untold
	return false;
#endif
	return line->lost && w->silent && !w->cut;
}

/* How long to wait for more at most. */
static uint64_t patience(const struct worker *w, const struct serial *line)
{
	uint64_t since = time_now() - w->heard, limit = HEAD_SECONDS * TIME_SECOND;
	if (may_be_whole(w) || waits_in_vain(w, line))
		limit = DOUBT_MS * TIME_MILLISECOND;
	else if (line->quiet_ns != 0)
		return line->quiet_ns;
	else if (w->request.n == 0)
		return limit; /* for a request to begin */
	return since < limit ? limit - since : 0;
}

/* Nothing more came for so long. */
static void impatient(struct worker *w, struct serial *line, uint32_t epoch)
{
	if (waits_in_vain(w, line)) {
		respond(w, line, epoch, 503);
	} else if (may_be_whole(w)) {
		bool request = begins(w->piece, w->aside) == BEGINS;
		begin_client(w, line);
		if (request)
			respond(w, line, epoch, 503);
	} else if (line->quiet_ns == 0 && w->request.n > 0) {
		respond(w, line, epoch, 408);
		http_init(&w->request);
		w->resync = true;
	}
}

/* Serves who is there, and those who come at once after him, until nobody is. */
static void serve_clients(struct worker *w, struct serial *line)
{
	const char *from, *end;
	uint32_t epoch = 0;
	w->aside = 0;
	for (;;) {
		uint32_t now;
		size_t n = serial_read(line, w->piece + w->aside, sizeof w->piece - w->aside, &now);
		if (now == 0)
			return;
		if (now != epoch) {
			memmove(w->piece, w->piece + w->aside, n);
			begin_client(w, line);
			epoch = now;
		}
		if (n > 0) {
			w->heard = time_now();
			w->silent = false;
			from = settled(w, line, n, &end);
			if (from != NULL)
				serve_bytes(w, line, epoch, from, end);
		} else {
			uint64_t wait = patience(w, line);
			if (wait == 0 || !chan_recv_timeout(w->client.wake, NULL, NULL, wait))
				impatient(w, line, epoch);
		}
	}
}

static void work(void *arg)
{
	struct worker *w = arg;
	for (;;) {
		/* pairs with the release in serve_line() */
		struct serial *line = atomic_load_explicit(&w->line, memory_order_acquire);
		if (line == NULL || serial_epoch(line) == 0)
			chan_recv(w->client.wake, NULL);
		else
			serve_clients(w, line);
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

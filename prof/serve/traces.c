/*
 * Execution traces over HTTP, while they are made.
 *
 *	trace's writer --pieces--> the client's goroutine --chunks--> line
 *	goroutine that starts and stops the trace <--over-- (time, or the client has gone)
 *
 * 1. Whoever waits for the trace to end takes its pieces meanwhile. Otherwise the writer would wait for one who waits for it: so another
 *    goroutine starts and stops it.
 * 2. A trace with a gap is none: what comes after a generation that was dropped is not sent.
 */
#include <hartbeat/trace.h>

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include <hartbeat/chan.h>
#include <hartbeat/select.h>
#include <hartbeat/time.h>

#include "prof/serve/pages.h"
#include "sched/sched.h"

struct piece {
	const void *data;
	size_t n; /* 0: another file begins */
};

/* One trace at a time. */
static struct {
	_Atomic uint32_t
		taken_by; /* 0 or 1: a client traces; taken and given back like a lock by page_trace() */
	uint64_t ns;
	/* made with the first trace, for good */
	struct chan *pieces, *taken; /* of struct piece; of int: what the writer gets back */
	struct chan *over;           /* holds one: end it now */
	struct chan *state; /* of int: an errno or 0 when it has started, and again when it has ended */
} t;

static bool channels_make(void)
{
	if (t.pieces == NULL)
		t.pieces = chan_make(sizeof(struct piece), 0);
	if (t.taken == NULL)
		t.taken = chan_make(sizeof(int), 0);
	if (t.over == NULL)
		t.over = chan_make(0, 1);
	if (t.state == NULL)
		t.state = chan_make(sizeof(int), 0);
	return t.pieces != NULL && t.taken != NULL && t.over != NULL && t.state != NULL;
}

static int piece_hand(void *ctx, const void *data, size_t n)
{
	const struct piece p = {data, n};
	int error = 0;
	(void)ctx;
	chan_send(t.pieces, &p);
	chan_recv(t.taken, &error);
	return error;
}

static void control(void *arg)
{
	int error = trace_start_func(piece_hand, NULL) != 0 ? errno : 0;
	(void)arg;
	chan_send(t.state, &error);
	if (error != 0)
		return;
	(void)!chan_recv_timeout(t.over, NULL, NULL, t.ns);
	error = trace_stop() != 0 ? errno : 0;
	chan_send(t.state, &error);
}

static int piece_send(struct answer *a, const struct piece *p)
{
	if (p->n == 0) /* rule 2 */
		return -EIO;
	if (!answer_stream(a))
		return -EPIPE;
	return sink_write(&a->sink, p->data, p->n);
}

/* Takes pieces until the trace has ended. Whether all of it was sent. */
static bool relay(struct answer *a)
{
	struct piece p;
	int error = 0, broken = 0;
	for (;;) {
		struct chan_case cases[] = {CHAN_CASE_RECV(t.pieces, &p), CHAN_CASE_RECV(t.state, &error),
					    CHAN_CASE_RECV(a->client->wake, NULL)};
		int i = chan_select(cases, 3, false);
		if (i == 1)
			return error == 0 && broken == 0;
		if (i == 0) {
			if (broken == 0)
				broken = piece_send(a, &p);
			chan_send(t.taken, &broken);
		}
		if (broken != 0 || a->client->gone(a->client))
			chan_try_send(t.over, NULL);
	}
}

/* 0 or an errno; *good: all of it was sent. */
static int trace(struct answer *a, bool *good)
{
	int error = 0;
	if (!channels_make() || go_system(control, NULL, "runtime.serve_trace") == 0)
		return ENOMEM;
	chan_try_recv(t.over, NULL, NULL); /* what the last client left */
	chan_recv(t.state, &error);
	if (error == 0)
		*good = relay(a);
	return error;
}

bool page_trace(const struct http_request *r, struct answer *a)
{
	bool good = false;
	int error = EBUSY;
	uint64_t ns;
	if (!page_seconds(r, a, TIME_SECOND, &ns))
		return true;
	/* pairs with the release in page_trace() by who had it before */
	if (atomic_exchange_explicit(&t.taken_by, 1, memory_order_acquire) == 0) {
		answer_file(a, "trace", "");
		t.ns = ns;
		error = trace(a, &good);
		/* pairs with the acquire in page_trace() */
		atomic_store_explicit(&t.taken_by, 0, memory_order_release);
	}
	if (error != 0)
		answer_refuse(a, 500, "Could not enable tracing: %s",
			      error == EBUSY ? "tracing is already enabled" : strerror(error));
	else if (!good)
		answer_refuse(a, 500, "trace: it could not be written whole");
	return good;
}

static int piece_write(void *ctx, const void *data, size_t n)
{
	return piece_send(ctx, &(struct piece){data, n});
}

bool page_flight(struct answer *a)
{
	if (!trace_flight_enabled()) {
		answer_refuse(a, 503,
			      "the flight recorder is off: trace.flight=on on the boot line turns it on");
		return true;
	}
	answer_file(a, "flight", "");
	if (trace_flight_write_func(piece_write, a) == 0)
		return true;
	answer_refuse(a, 500, "flight: %s",
		      errno == EBUSY ? "another snapshot is being written" : strerror(errno));
	return false;
}

/* A reader of the bytes of a trace: batches, and in them the events with as many numbers as each has (the format is in docs/trace.md). */
#include "traces.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hartbeat/dump.h>
#include <hartbeat/time.h>
#include <hartbeat/trace.h>

#include "prof/prof.h"
#include "sched/stw.h"
#include "suite.h"

/* Numbers behind the type of each event; -1: not an event. */
static const signed char numbers[TRACES_EVENTS] = {
	-1, -1, -1, -1, -1, -1, -1, -1, -1, 3,  3,  1, -1, 3, 4, -1, 3, 1, -1, 3,  3,  4,  -1, -1, -1, 4,
	3,  1,  -1, -1, -1, -1, -1, -1, -1, -1, -1, 2, 2,  2, 5, 3,  4, 4, 5,  -1, -1, -1, -1, -1, -1, -1};

static void taken_send(struct taken *t)
{
	static const struct guest_test *of;
	static unsigned n;
	const struct guest_test *running = guest_running();
	char name[65];
	if (!guest_keep() || t->n == t->begin)
		return;
	n = of == running ? n + 1 : 1;
	of = running;
	snprintf(name, sizeof name, "%s.%s-%u.out", of->suite, of->name, n);
	struct dump *d = dump_open(name);
	CHECK(d != NULL);
	dump_write(d, t->data + t->begin, t->n - t->begin);
	dump_close(d);
	t->begin = t->n;
}

int taken_write(void *taken, const void *data, size_t n)
{
	struct taken *t = taken;
	atomic_fetch_add(&t->calls, 1);
	if (n == 0) {
		taken_send(t);
		t->files++;
	}
	if (t->delay != 0)
		time_sleep(t->delay);
	if (t->refuse)
		return -1;
	if (t->n + n > t->room) {
		size_t room = 2 * (t->n + n) + 4096;
		unsigned char *bigger = realloc(t->data, room);
		if (bigger == NULL)
			return -1;
		t->data = bigger;
		t->room = room;
	}
	memcpy(t->data + t->n, data, n);
	t->n += n;
	return 0;
}

bool trace_advanced(void)
{
	uint64_t standing;
	return stw_longest(STW_TRACE_ADVANCE, &standing) > 0;
}

uint64_t traced_period(uint64_t ns)
{
	uint64_t period = trace_period_ns;
	if (period != 0)
		trace_period_ns = ns;
	return period;
}

void traced_begin(const char *name)
{
	CHECK(trace_start(name) == 0);
}

void traced_end(void)
{
	CHECK(trace_stop() == 0);
	CHECK(!trace_enabled());
}

void taken_free(struct taken *t)
{
	taken_send(t);
	free(t->data);
	*t = (struct taken){0};
}

bool taken_has(const struct taken *t, const char *text)
{
	size_t n = strlen(text);
	for (size_t i = 0; i + n <= t->n; i++)
		if (memcmp(t->data + i, text, n) == 0)
			return true;
	return false;
}

/* Sequence numbers of goroutines in one generation: 1 to n, in any order here, for batches of harts interleave. */
enum { SEQUENCES = 1 << 14 };
static struct {
	uint64_t g, count, most;
} sequences[SEQUENCES];

static void sequence_note(uint64_t g, uint64_t seq)
{
	uint32_t at = (uint32_t)(g * 2654435761u) % SEQUENCES;
	for (uint32_t i = 0; i < 64; i++, at = (at + 1) % SEQUENCES) {
		if (sequences[at].g != 0 && sequences[at].g != g)
			continue;
		sequences[at].g = g;
		sequences[at].count++;
		if (seq > sequences[at].most)
			sequences[at].most = seq;
		return;
	}
}

static void sequences_end(void)
{
	for (uint32_t i = 0; i < SEQUENCES; i++) {
		if (sequences[i].most != sequences[i].count)
			guest_fail(__FILE__, __LINE__,
				   "goroutine %llu has sequence number %llu, and %llu of them",
				   (unsigned long long)sequences[i].g, (unsigned long long)sequences[i].most,
				   (unsigned long long)sequences[i].count);
	}
	memset(sequences, 0, sizeof sequences);
}

struct reader {
	const unsigned char *at, *end;
	bool bad;
	uint64_t time; /* of the event before */
};

static uint64_t number(struct reader *r)
{
	uint64_t v = 0;
	for (unsigned shift = 0; r->at < r->end && shift < 64; shift += 7) {
		unsigned char b = *r->at++;
		v |= (uint64_t)(b & 0x7f) << shift;
		if (b < 0x80)
			return v;
	}
	r->bad = true;
	return 0;
}

static void skip(struct reader *r, uint64_t n)
{
	if (n > (uint64_t)(r->end - r->at))
		r->bad = true;
	else
		r->at += n;
}

static void heap_note(struct trace_facts *f, uint64_t bytes, uint64_t time)
{
	if (f->heap_first == 0 || time < f->heap_first_time) {
		f->heap_first = bytes;
		f->heap_first_time = time;
	}
	if (bytes > f->heap_most)
		f->heap_most = bytes;
	if (time < f->heap_last_time)
		return;
	f->heap_last = bytes;
	f->heap_last_time = time;
}

static void events_read(struct reader *r, struct trace_facts *f)
{
	while (r->at < r->end && !r->bad) {
		unsigned e = *r->at++;
		if (e >= TRACES_EVENTS || numbers[e] < 0) {
			r->bad = true;
			guest_note("event %u", e);
			return;
		}
		f->events[e]++;
		uint64_t arg[5] = {0};
		for (int i = 0; i < numbers[e]; i++)
			arg[i] = number(r);
		r->time += arg[0];
		if (f->count_only)
			continue;
		if (e == 16 || e == 21)
			sequence_note(arg[1], arg[2]);
		if (e == 37)
			heap_note(f, arg[1], r->time);
		if (e == 38 && (f->goal_least == 0 || arg[1] < f->goal_least))
			f->goal_least = arg[1];
	}
}

static void table_read(struct reader *r, unsigned kind, struct trace_facts *f)
{
	while (r->at < r->end && !r->bad) {
		unsigned e = kind == 8 ? 8 : *r->at++;
		f->events[e]++;
		if (kind == 8) {
			number(r);
		} else if (kind == 4) {
			number(r);
			uint64_t n = number(r);
			CHECK(n <= 1024);
			skip(r, n);
		} else if (kind == 2) {
			number(r);
			uint64_t n = number(r);
			CHECK(n > 0 && n <= 128);
			for (uint64_t i = 0; i < 4 * n; i++)
				number(r);
		} else {
			for (int i = 0; i < 5; i++)
				number(r);
		}
	}
}

int counted_write(void *counted, const void *data, size_t n)
{
	struct counted *c = counted;
	const unsigned char *bytes = data;
	struct reader r = {bytes, bytes + n, false, 0};
	c->facts.count_only = true;
	if (c->kept != NULL)
		(void)taken_write(c->kept, data, n);
	if (n == 0) {
		c->files++;
		c->in_batch = false;
		return 0;
	}
	/* One call is the head of the file or of a batch, the next one what is in the batch (trace_batch_write()). */
	if (c->in_batch) {
		unsigned kind = *r.at;
		if (kind != 2 && kind != 4 && kind != 6 && kind != 8)
			events_read(&r, &c->facts);
		c->facts.batches++;
	}
	c->in_batch = !c->in_batch && memcmp(data, "go 1.22", 7) != 0;
	return r.bad ? -1 : 0;
}

struct trace_facts taken_facts(const struct taken *t)
{
	struct trace_facts f = {0};
	struct reader r = {t->data, t->data + t->n,
			   t->n < 16 || memcmp(t->data, "go 1.22 trace\0\0", 16) != 0, 0};
	uint64_t last = 0;
	CHECK(!r.bad);
	r.at += r.bad ? 0 : 16;
	while (r.at < r.end && !r.bad) {
		r.bad |= *r.at++ != 1;
		uint64_t gen = number(&r), m = number(&r);
		uint64_t time = number(&r), size = number(&r);
		r.bad |= size == 0 || size > 65536 || size > (uint64_t)(r.end - r.at);
		if (r.bad)
			break;
		CHECK(gen == last || gen == last + 1);
		f.gens += gen != last;
		if (gen != last)
			sequences_end();
		f.batches++;
		last = gen;
		struct reader in = {r.at, r.at + size, false, time};
		unsigned kind = *in.at;
		if (kind == 2 || kind == 4 || kind == 6 || kind == 8) {
			CHECK(m == UINT64_MAX);
			in.at++;
			table_read(&in, kind, &f);
		} else {
			f.bytes_timed += size;
			events_read(&in, &f);
		}
		r.bad |= in.bad;
		r.at += size;
	}
	sequences_end();
	f.good = !r.bad && f.events[8] == f.gens;
	CHECK(!r.bad);
	CHECK_EQ(f.events[8], f.gens);
	return f;
}

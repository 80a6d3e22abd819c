/* What a panic sends of a trace, asked for while the world stands. */
#include <string.h>

#include <hartbeat/chan.h>
#include <hartbeat/dump.h>
#include <hartbeat/go.h>
#include <hartbeat/time.h>
#include <hartbeat/trace.h>

#include "kernel/sink.h"
#include "prof/impl.h"
#include "prof/prof.h"
#include "sched/sched.h"
#include "sched/stw.h"
#include "suite.h"
#include "trace/impl.h"
#include "trace/trace.h"
#include "traces.h"

static void busy(void *arg)
{
	struct chan *c = chan_make(sizeof(int), 1);
	(void)arg;
	for (int i = 0; i < 300; i++) {
		chan_send(c, &i);
		chan_recv(c, NULL);
		if (i % 16 == 0)
			go_yield();
		if (i % 50 == 0)
			time_sleep(1000);
	}
	chan_free(c);
}

static struct kept {
	struct sink sink; /* first */
	size_t n;
	unsigned char data[4 << 20];
} kept;

static int keep(struct sink *s, const void *data, size_t n)
{
	struct kept *k = (struct kept *)s;
	if (n > sizeof k->data - k->n)
		return -1;
	memcpy(k->data + k->n, data, n);
	k->n += n;
	return 0;
}

static void kept_send(const char *name)
{
	struct dump *d = dump_open(name);
	CHECK(d != NULL);
	dump_write(d, kept.data, kept.n);
	dump_close(d);
}

/* What a report does, while the world stands: harts are in the middle of a generation, with events in their buffers. */
static void dump_now(const char *name)
{
	kept.sink.write = keep;
	kept.n = 0;
	stw_begin(STW_TEST);
	CHECK_EQ(trace_crash_files(), 1);
	bool written = trace_crash_dump(&kept.sink, 0, g_all());
	stw_end();
	CHECK(written);
	struct taken t = {.data = kept.data, .n = kept.n};
	CHECK(taken_facts(&t).good);
	CHECK(taken_has(&t, "last words"));
	kept_send(name);
}

GUEST_TEST(trace_program, crash_dump,
	   "what a panic would send is a trace up to the last event (TestCrashWhileTracing)")
{
	struct guest_group all = {0};
	struct taken t = {0};
	uint64_t period = trace_period_ns;
	trace_period_ns =
		60 *
		TIME_SECOND; /* a panic would end it, but here who makes tables goes on: so nobody does meanwhile */
	CHECK_EQ(trace_crash_files(), 0);
	CHECK(trace_flight_start(0, 0) == 0);
	for (int i = 0; i < 5; i++)
		guest_go(&all, busy, NULL);
	for (int i = 0; i < 3; i++) {
		CHECK(trace_flight_write_func(taken_write, &t) == 0);
		taken_free(&t);
	}
	trace_log(0, "message", "last words");
	dump_now("crash-flight.out");
	guest_wait(&all);
	CHECK(trace_flight_stop() == 0);
	CHECK(trace_start_func(taken_write, &t) == 0);
	trace_log(0, "message", "last words");
	dump_now("crash-trace.out");
	CHECK(trace_stop() == 0);
	CHECK(taken_facts(&t).good);
	trace_period_ns = period;
	taken_free(&t);
}

/* As from who finishes a generation, and comes no further than its first table. */
static bool one_table(void *ended, const struct trace_buf *b)
{
	(void)trace_buf_copy(ended, b);
	return false;
}

static struct trace_facts dump_facts(void)
{
	kept.n = 0;
	CHECK_EQ(trace_crash_files(), 1);
	CHECK(trace_crash_dump(&kept.sink, 0, g_all()));
	struct taken t = {.data = kept.data, .n = kept.n};
	return taken_facts(&t);
}

static void snapshot_take(void *arg)
{
	struct taken t = {0};
	(void)arg;
	CHECK(trace_flight_write_func(taken_write, &t) == 0);
	taken_free(&t);
}

/* Nobody reads rings meanwhile, and so nobody finishes the generation that has ended. */
static void between(void *all)
{
	const struct trace_gen *before = trace_gen;
	guest_go(all, snapshot_take, NULL);
	while (__atomic_load_n(&trace_gen, __ATOMIC_RELAXED) == before || trace_walking != NULL)
		time_sleep(TIME_MILLISECOND);
	stw_begin(STW_TEST);
	struct trace_facts whole = dump_facts();
	trace_ended->events_last = trace_ended->last;
	CHECK(!trace_tables(trace_ended, trace_symbols_shared(), one_table, trace_ended));
	struct trace_facts part = dump_facts();
	atomic_store(&trace_ended->dropped, true); /* it has some of them twice now */
	stw_end();
	CHECK_EQ(whole.gens, 3);
	CHECK_EQ(part.gens, 3);
	for (int i = 0; i < TRACES_EVENTS; i++)
		CHECK_EQ(part.events[i], whole.events[i]);
}

GUEST_TEST(trace_program, crash_in_tables,
	   "a panic amid the tables of the generation that has ended sends each of them once")
{
	struct guest_group all = {0};
	uint64_t period = trace_period_ns;
	trace_period_ns = 60 * TIME_SECOND;
	kept.sink.write = keep;
	CHECK(trace_flight_start(0, 0) == 0);
	snapshot_take(NULL);
	trace_log(0, "message", "in the one that has ended");
	drain_turn(between, &all);
	guest_wait(&all);
	CHECK(trace_flight_stop() == 0);
	trace_period_ns = period;
	kept_send("crash-tables.out");
}

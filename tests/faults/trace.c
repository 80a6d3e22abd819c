/* Events where there may be none, traces in a panic, and traces without memory. */
#include "tests/faults/cases.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <hartbeat/go.h>
#include <hartbeat/time.h>
#include <hartbeat/trace.h>

#include "kernel/lock.h"
#include "kernel/panic.h"
#include "kernel/system.h"
#include "prof/impl.h"
#include "tests/many_strings.h"
#include "trace/trace.h"

static struct spinlock lock_page = SPINLOCK_INIT(RANK_PAGE);

static int nowhere(void *ctx, const void *data, size_t n)
{
	(void)ctx;
	(void)data;
	(void)n;
	return 0;
}

static void emit_sys(void *arg)
{
	(void)arg;
	spin_lock(&lock_page);
	trace_heap_goal(1);
	spin_unlock(&lock_page);
}

/* An event under a lock under which its buffer could not be exchanged; there is room in the buffer. */
SHOWN void trace_rank(void)
{
	if (trace_start_func(nowhere, NULL) != 0)
		return;
	on_system_stack(emit_sys, NULL);
	KEEP_FRAME();
}

static bool (*dump_hook)(unsigned n);

static void refused(const char *what, int result)
{
	panic_line("%s: %s", what, result == -1 && errno == EBUSY ? "refused" : "not refused");
}

/* As a program would in a panic if any of it ran there. */
static bool traces(unsigned n)
{
	if (n > 0)
		return dump_hook(n - 1);
	refused("trace_start", trace_start("late.out"));
	refused("trace_stop", trace_stop());
	refused("trace_flight_start", trace_flight_start(0, 0));
	refused("trace_flight_write", trace_flight_write("late.out"));
	refused("trace_flight_stop", trace_flight_stop());
	return true;
}

/* Starting and stopping wait for others, who stand still. */
SHOWN void trace_in_panic(void)
{
	dump_hook = panic_dump_hook;
	panic_dump_hook = traces;
	panic("before the traces");
	KEEP_FRAME();
}

/* ---- a reader that never comes back ---- */

static int keep(void *ctx, const void *data, size_t n)
{
	(void)ctx;
	(void)data;
	(void)n;
	time_sleep(INT64_MAX);
	return 0;
}

/* The program ends without what nobody takes. */
void trace_unread(void)
{
	if (trace_start_func(keep, NULL) != 0)
		exit(4);
	exit(3);
}

/* The same while somebody waits for the end of that trace. */
static void stop_it(void *arg)
{
	(void)arg;
	(void)trace_stop();
	printf("the stop has returned\n");
}

void trace_unread_stop(void)
{
	if (trace_start_func(keep, NULL) != 0 || go(stop_it, NULL) == 0)
		exit(4);
	while (trace_enabled())
		time_sleep(TIME_MILLISECOND);
	exit(3);
}

/* ---- without memory ---- */

static void must(bool done)
{
	if (!done)
		panic("errno %d", errno);
}

/* A generation that is whole, one that has no memory for its strings, one that is whole. */
void trace_gap(void)
{
	uint64_t most = trace_memory_max;
	must(trace_start("gap.out") == 0);
	struct trace_region *r = trace_region_begin(0, "over the gap");
	trace_log(0, "message", "before the gap");
	must(trace_flight_start(0, 0) == 0); /* another generation */
	trace_memory_max = trace_memory();
	many_strings();
	trace_memory_max = most;
	must(trace_flight_stop() == 0);
	trace_log(0, "message", "behind the gap");
	trace_region_end(r);
	must(trace_stop() == 0);
}

/* ---- a crash between two generations ---- */

static void another_generation(void *arg)
{
	(void)arg;
	must(trace_flight_write_func(nowhere, NULL) == 0);
}

/* Who changes generations wants the rings read, and has to wait here. */
static void die_between(void *arg)
{
	const struct trace_gen *before = trace_gen;
	(void)arg;
	must(go(another_generation, NULL) != 0);
	while (__atomic_load_n(&trace_gen, __ATOMIC_RELAXED) == before || trace_walking != NULL)
		time_sleep(TIME_MILLISECOND);
	trace_log(0, "message", "in the one that runs");
	panic("between two generations");
}

/* The one that has ended is not in the flight recorder yet. */
SHOWN void trace_between(void)
{
	trace_log(0, "message", "in the one that is kept");
	another_generation(NULL);
	trace_log(0, "message", "in the one that has ended");
	drain_turn(die_between, NULL);
	KEEP_FRAME();
}

/* One was dropped, and the program dies in the next. */
SHOWN void trace_crash_gap(void)
{
	uint64_t most = trace_memory_max;
	trace_log(0, "message", "before the gap");
	another_generation(NULL);
	trace_memory_max = trace_memory();
	many_strings();
	trace_memory_max = most;
	another_generation(NULL);
	trace_log(0, "message", "behind the gap");
	panic("behind a gap");
	KEEP_FRAME();
}

/* A generation is kept in the flight recorder when the last page goes, even if the one that runs finds none for its events. */
SHOWN void trace_without_memory(void)
{
	trace_log(0, "message", "while there was memory");
	another_generation(NULL);
	stack_without_page();
	KEEP_FRAME();
}

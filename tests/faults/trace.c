/* An event where there may be none. */
#include "tests/faults/cases.h"

#include <errno.h>

#include <hartbeat/trace.h>

#include "kernel/lock.h"
#include "kernel/panic.h"
#include "kernel/system.h"
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

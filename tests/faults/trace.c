/* An event where there may be none. */
#include "tests/faults/cases.h"

#include <hartbeat/trace.h>

#include "kernel/lock.h"
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

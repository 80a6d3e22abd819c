/*
 * The heap in the trace: how much of it is in use, where that changes, and how much it could be.
 *
 *	HeapAlloc    heap_taken(): at the beginning of a generation, and when a hart has moved STEP bytes since it said so last
 *	HeapGoal     that, and what is free: at the beginning of a generation
 */
#include "trace/emit.h"

#include "kernel/heap.h"
#include "kernel/page.h"
#include "kernel/system.h"

enum { STEP = 64 << 10 };

void trace_heap_alloc(uint64_t bytes)
{
	struct trace_hart *t = trace_enter();
	trace_proc_needed(t);
	trace_emit1(t, TRACE_HEAP_ALLOC, bytes);
}

void trace_heap_goal(uint64_t bytes)
{
	struct trace_hart *t = trace_enter();
	trace_proc_needed(t);
	trace_emit1(t, TRACE_HEAP_GOAL, bytes);
}

static void moved(size_t bytes)
{
	struct trace_hart *t = arch_hart()->trace;
	t->heap_moved += bytes;
	if (t->heap_moved < STEP)
		return;
	t->heap_moved = 0;
	TRACE(heap_alloc(heap_taken()));
}

void trace_heap_watch(bool on)
{
	heap_moved_hook = on ? moved : NULL;
}

static void free_sys(void *bytes)
{
	struct page_stats s;
	page_stats(&s);
	*(size_t *)bytes = s.unused << PAGE_SHIFT;
}

void trace_heap_say(void)
{
	size_t unused;
	preempt_disable();
	on_system_stack(free_sys, &unused);
	if (trace_active()) {
		size_t taken = heap_taken();
		trace_heap_alloc(taken);
		trace_heap_goal(taken + unused);
	}
	preempt_enable();
}

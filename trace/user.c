/*
 * What a program says about itself in its trace: tasks, regions, logs (include/hartbeat/trace.h).
 *
 * Regions of a goroutine nest; readers refuse a trace where one ends that is not the innermost. So the open ones of a goroutine are a list of
 * its own, and an end that does not fit is said on the console, once, and put right:
 *
 *	end of an outer one                        the inner ones end first
 *	end by another goroutine, or once more     nothing
 *
 * 1. What a program has of a region is a number that is never used again, and is looked for among the open ones of who calls. Otherwise an end
 *    that comes late would read freed memory, or end the region that lies there now.
 * 2. The list is empty when its goroutine ends, whether or not a trace runs (sched/g.c). Otherwise it would be the next one's.
 */
#include <hartbeat/trace.h>

#include <stdarg.h>
#include <stdio.h>

#include "kernel/heap.h"
#include "kernel/preempt.h"
#include "kernel/print.h"
#include "trace/emit.h"

struct trace_region {
	struct trace_region *outer;
	uint64_t number, task;
	char name[];
};

static _Atomic uint64_t last_task, last_region;
static _Atomic uint32_t misused;

/* Whether a trace runs, and then preemption is off. Without one that is a look, and no more. */
static inline bool begin(void)
{
	if (!trace_active())
		return false;
	preempt_disable();
	if (trace_active())
		return true;
	preempt_enable();
	return false;
}

uint64_t trace_task_begin(const char *name, uint64_t parent)
{
	uint64_t task = atomic_fetch_add_explicit(&last_task, 1, memory_order_relaxed) + 1;
	if (begin()) {
		uint32_t id = trace_string(name);
		struct trace_hart *t = trace_enter();
		trace_emit4(t, TRACE_TASK_BEGIN, task, parent, id, TRACE_STACK_HERE(t));
		preempt_enable();
	}
	return task;
}

void trace_task_end(uint64_t task)
{
	if (task != 0 && begin()) {
		struct trace_hart *t = trace_enter();
		trace_emit2(t, TRACE_TASK_END, task, TRACE_STACK_HERE(t));
		preempt_enable();
	}
}

static void region_emit(enum trace_event e, const struct trace_region *r, uint64_t stack)
{
	uint32_t id = trace_string(r->name);
	trace_emit3(trace_enter(), e, r->task, id, stack);
}

struct trace_region *trace_region_begin(uint64_t task, const char *name)
{
	struct g *self = g_self();
	size_t n = 0;
	if (!trace_active())
		return NULL;
	while (name[n] != '\0' && n < TRACE_STRING_MAX)
		n++;
	struct trace_region *r = heap_alloc(offsetof(struct trace_region, name) + n + 1);
	if (r == NULL)
		return NULL;
	r->outer = self->regions;
	uint64_t number = atomic_fetch_add_explicit(&last_region, 1, memory_order_relaxed) + 1;
	r->number = number;
	r->task = task;
	__builtin_memcpy(r->name, name, n);
	r->name[n] = '\0';
	preempt_disable();
	self->regions = r;
	if (trace_active())
		region_emit(TRACE_REGION_BEGIN, r, TRACE_STACK_HERE(arch_hart()->trace));
	preempt_enable();
	return (struct trace_region *)(uintptr_t)number;
}

/* Takes r out of the list of its goroutine, which calls, and says so in the trace. */
static void region_end(struct g *self, struct trace_region *r)
{
	preempt_disable();
	self->regions = r->outer;
	if (trace_active())
		region_emit(TRACE_REGION_END, r, TRACE_STACK_HERE(arch_hart()->trace));
	heap_free(r);
	preempt_enable();
}

static bool misuse(void)
{
	return atomic_fetch_add_explicit(&misused, 1, memory_order_relaxed) < 10;
}

uint32_t trace_misused(void)
{
	return atomic_load_explicit(&misused, memory_order_relaxed);
}

void trace_region_end(struct trace_region *which)
{
	uint64_t number = (uintptr_t)which;
	if (number == 0)
		return;
	struct g *self = g_self();
	const struct trace_region *r = self->regions;
	while (r != NULL && r->number != number)
		r = r->outer;
	if (r == NULL) {
		if (misuse())
			print_line("hb: trace: goroutine %lu ends a region that it has not open: it ended "
				   "already, or is another goroutine's",
				   (unsigned long)self->id);
		return;
	}
	if (self->regions != r && misuse())
		print_line("hb: trace: region %s of goroutine %lu: it ends, and regions in it do not",
			   r->name, (unsigned long)self->id);
	while (self->regions != r)
		region_end(self, self->regions);
	region_end(self, self->regions);
}

void trace_regions_drop(struct g *self)
{
	while (self->regions != NULL)
		region_end(self, self->regions);
}

static void scope_end(void *scope)
{
	struct trace_scope *s = scope;
	trace_region_end(s->region);
}

void trace_scope_enter(struct trace_scope *s, uint64_t task, const char *name)
{
	s->region = trace_region_begin(task, name);
	s->entry.fn = scope_end;
	s->entry.arg = s;
	defer_enter(&s->entry);
}

void trace_log(uint64_t task, const char *category, const char *message)
{
	if (begin()) {
		uint32_t c = trace_string(category), m = trace_string(message);
		struct trace_hart *t = trace_enter();
		trace_emit4(t, TRACE_LOG, task, c, m, TRACE_STACK_HERE(t));
		preempt_enable();
	}
}

void trace_logf(uint64_t task, const char *category, const char *fmt, ...)
{
	char text[TRACE_STRING_MAX + 1];
	va_list ap;
	if (!trace_active())
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	trace_log(task, category, text);
}

void trace_go_label(const char *text)
{
	uint32_t id = trace_string(text);
	if (id != 0)
		trace_emit1(trace_enter(), TRACE_GO_LABEL, id);
}

/*
 * Generations of the trace change while the world is stopped, for as long as it takes to give each hart another buffer; what takes time for
 * each goroutine or event, its status in the new generation and the tables of the old one, is done while the others run.
 */
#include "sched/impl.h"
#include "sched/stw.h"
#include "trace/trace.h"

#include <hartbeat/go.h>

static uint64_t harts_idle(void)
{
	uint64_t mask = 0;
	if (!trace_active())
		return atomic_load(&idle_mask); /* rule 4 of sched/stw.c: the world stands */
	for (uint32_t i = 0; i < hart_count; i++)
		mask |= (uint64_t)!harts[i]->trace->proc_runs << i;
	return mask;
}

static void statuses(void)
{
	struct trace_walk w = {0};
	trace_walking = &w;
	for (struct g *g = g_all(); g != NULL; g = g->all_next)
		while (!trace_gen_walk(&w, g))
			go_yield();
	trace_gen_walk_flush(&w);
	trace_walking = NULL;
}

bool trace_advance(bool more, struct trace_gen **ended)
{
	struct trace_gen *old = trace_active() ? trace_gen : NULL, *to = more ? trace_gen_make() : NULL;
	*ended = NULL;
	if (more && to == NULL)
		return false;
	trace_stw_texts = stw_kind_text;
	trace_stw_count = STW_KINDS;
	enum stw_kind kind = old == NULL ? STW_START_TRACE : more ? STW_TRACE_ADVANCE : STW_STOP_TRACE;
	stw_begin(kind);
	uint64_t idle = harts_idle();
	if (old != NULL) {
		trace_stw_end();
		trace_gen_end();
	}
	if (to != NULL) {
		trace_gen_begin(to, idle);
		trace_stw_begin(kind);
	}
	stw_end();
	if (to != NULL) {
		trace_heap_say();
		statuses();
	}
	*ended = old;
	return true;
}

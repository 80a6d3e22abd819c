/* Ranges, tasks, regions and what else an event may say (see trace_order.h). */
#include <inttypes.h>

#include "tools/hbdump/trace_order.h"
#include "tools/hbdump/vector.h"

static enum trace_step gc_step(struct trace_order *o, const struct trace_context *c)
{
	unsigned type = c->ev->type;
	uint64_t seq = c->ev->args[0];
	bool first = o->gen->number == o->first_gen && type == EV_GC_ACTIVE;
	if (o->gc != GC_UNKNOWN && !first && seq != o->gc_seq + 1 &&
	    trace_wait(o, c, "sequence number %" PRIu64 " of the collector: expected %" PRIu64, seq,
		       o->gc_seq + 1))
		return STEP_WAIT;
	if (type == EV_GC_END && o->gc == GC_UNKNOWN &&
	    trace_wait(o, c, "a collection ends that is not known: expected GCActive or GCBegin before"))
		return STEP_WAIT;
	if (type == EV_GC_ACTIVE && (first ? o->gc != GC_UNKNOWN : o->gc != GC_ON))
		trace_wrong(o, c, "%s",
			    first ? "it is not the first event of the collector"
				  : "no collection is under way");
	if (type == EV_GC_BEGIN && o->gc == GC_ON)
		trace_wrong(o, c, "a collection begins within another");
	if (type == EV_GC_END && o->gc == GC_OFF)
		trace_wrong(o, c, "a collection ends that did not begin");
	if (o->gc != GC_UNKNOWN)
		trace_need(o, c, NEED_ONE, NEED_ONE);
	o->gc = type == EV_GC_END ? GC_OFF : GC_ON;
	o->gc_seq = seq;
	return STEP_DONE;
}

/* A range of which one at a time is open. */
static void range_step(struct trace_order *o, const struct trace_context *c, bool *open, bool begin)
{
	if (begin && *open)
		trace_wrong(o, c, "the range is open already");
	if (!begin && !*open)
		trace_wrong(o, c, "a range ends that did not begin");
	*open = begin;
}

static void active_step(struct trace_order *o, const struct trace_context *c, bool *open)
{
	bool first = o->gen->number == o->first_gen;
	if (first == *open)
		trace_wrong(o, c, "%s", first ? "the range is open already" : "no such range is open");
	*open = true;
}

static void sweep_step(struct trace_order *o, const struct trace_context *c)
{
	uint32_t p;
	if (c->ev->type == EV_GC_SWEEP_ACTIVE) {
		if (pairs_find(&o->p_ids, c->ev->args[0], 0, &p))
			active_step(o, c, &o->ps[p].in_sweep);
		else
			trace_wrong(o, c, "p %" PRIu64 " is not known", c->ev->args[0]);
		return;
	}
	trace_need(o, c, NEED_ONE, NEED_ANY);
	if (c->p != TRACE_NO)
		range_step(o, c, &o->ps[c->p].in_sweep, c->ev->type == EV_GC_SWEEP_BEGIN);
}

static void assist_step(struct trace_order *o, const struct trace_context *c)
{
	if (c->ev->type == EV_GC_MARK_ASSIST_ACTIVE) {
		struct trace_g *g = trace_g_find(o, c->ev->args[0]);
		if (g != NULL)
			active_step(o, c, &g->in_assist);
		else
			trace_wrong(o, c, "goroutine %" PRIu64 " does not exist", c->ev->args[0]);
		return;
	}
	trace_need(o, c, NEED_ONE, NEED_ONE);
	if (c->g != TRACE_NO)
		range_step(o, c, &o->gs[c->g].in_assist, c->ev->type == EV_GC_MARK_ASSIST_BEGIN);
}

static uint32_t name_of(struct trace_order *o, uint64_t id)
{
	const struct trace_string *s = trace_string_find(o->gen, id);
	return trace_name(&o->names, s != NULL ? s : trace_string_find(o->gen, 0));
}

static void task_step(struct trace_order *o, const struct trace_context *c)
{
	uint64_t id = c->ev->args[0];
	bool is_new, begin = c->ev->type == EV_TASK_BEGIN;
	trace_need(o, c, NEED_ONE, NEED_ONE);
	uint32_t i = pairs_put(&o->tasks, id, 0, &is_new);
	if (is_new)
		*VECTOR_ADD(o->task_open, o->n_tasks) = false;
	if (begin && (id == 0 || id == TRACE_NONE))
		trace_wrong(o, c, "task %" PRIu64 " begins: it stands for no task", id);
	if (begin && o->task_open[i])
		trace_wrong(o, c, "task %" PRIu64 " begins twice", id);
	o->task_open[i] = begin;
}

static void region_step(struct trace_order *o, const struct trace_context *c)
{
	trace_need(o, c, NEED_ONE, NEED_ONE);
	if (c->g == TRACE_NO)
		return;
	struct trace_g *g = &o->gs[c->g];
	struct trace_region r = {c->ev->args[0], name_of(o, c->ev->args[1])};
	if (c->ev->type == EV_REGION_BEGIN) {
		*VECTOR_ADD(g->regions, g->n_regions) = r;
		return;
	}
	if (g->n_regions == 0) /* it began before the trace did */
		return;
	const struct trace_region *inner = &g->regions[--g->n_regions];
	if (inner->task != r.task || inner->name != r.name) {
		const struct trace_string *a = &o->names.list[r.name], *b = &o->names.list[inner->name];
		trace_wrong(o, c,
			    "region \"%.*s\" of task %" PRIu64
			    " ends, but the innermost is \"%.*s\" of task %" PRIu64,
			    (int)(a->n < 40 ? a->n : 40), (const char *)a->text, r.task,
			    (int)(b->n < 40 ? b->n : 40), (const char *)b->text, inner->task);
	}
}

enum trace_step trace_range_step(struct trace_order *o, struct trace_context *c)
{
	switch (c->ev->type) {
	case EV_GC_ACTIVE:
	case EV_GC_BEGIN:
	case EV_GC_END:
		return gc_step(o, c);
	case EV_GC_SWEEP_ACTIVE:
	case EV_GC_SWEEP_BEGIN:
	case EV_GC_SWEEP_END:
		sweep_step(o, c);
		break;
	case EV_GC_MARK_ASSIST_ACTIVE:
	case EV_GC_MARK_ASSIST_BEGIN:
	case EV_GC_MARK_ASSIST_END:
		assist_step(o, c);
		break;
	case EV_STW_BEGIN:
	case EV_STW_END:
		trace_need(o, c, NEED_ONE, NEED_ONE);
		if (c->g != TRACE_NO)
			range_step(o, c, &o->gs[c->g].in_stw, c->ev->type == EV_STW_BEGIN);
		break;
	case EV_HEAP_ALLOC:
	case EV_HEAP_GOAL:
		trace_need(o, c, NEED_ONE, NEED_ANY);
		break;
	case EV_TASK_BEGIN:
	case EV_TASK_END:
		task_step(o, c);
		break;
	case EV_REGION_BEGIN:
	case EV_REGION_END:
		region_step(o, c);
		break;
	case EV_GO_LABEL:
		if (name_of(o, c->ev->args[0]) == 0)
			trace_wrong(o, c, "the label is empty");
		trace_need(o, c, NEED_ONE, NEED_ONE);
		break;
	default:
		trace_need(o, c, NEED_ONE, NEED_ONE);
		break;
	}
	return STEP_DONE;
}

/* What events make of p and goroutines (see trace_order.h). */
#include <inttypes.h>

#include "tools/hbdump/trace_order.h"
#include "tools/hbdump/vector.h"

static const char *const go_names[GO_STATUSES] = {"ended", "runnable", "running", "in a system call",
						  "waiting"};
static const char *const proc_names[PROC_STATUSES] = {"unknown", "running", "idle", "in a system call",
						      "left in a system call"};

/* ---- finding, making, binding ---- */

struct trace_g *trace_g_find(struct trace_order *o, uint64_t id)
{
	uint32_t i;
	return pairs_find(&o->g_ids, id, 0, &i) && o->gs[i].status != GO_NONE ? &o->gs[i] : NULL;
}

/* The goroutine of an id, a new one when it is not known. Moves the list. */
static uint32_t g_put(struct trace_order *o, uint64_t id)
{
	bool is_new;
	uint32_t i = pairs_put(&o->g_ids, id, 0, &is_new);
	if (is_new)
		*VECTOR_ADD(o->gs, o->n_gs) = (struct trace_g){.id = id, .m = TRACE_NO};
	return i;
}

static uint32_t p_put(struct trace_order *o, uint64_t id)
{
	bool is_new;
	uint32_t i = pairs_put(&o->p_ids, id, 0, &is_new);
	if (is_new)
		*VECTOR_ADD(o->ps, o->n_ps) = (struct trace_p){.id = id, .m = TRACE_NO};
	return i;
}

static void g_touch(struct trace_order *o, const struct trace_context *c, uint32_t i)
{
	struct trace_g *g = &o->gs[i];
	if (c->ev->time < g->last)
		trace_wrong(o, c, "the time of goroutine %" PRIu64 " goes backwards by %" PRIu64 " units",
			    g->id, g->last - c->ev->time);
	g->last = c->ev->time;
}

static void g_becomes(struct trace_order *o, const struct trace_context *c, uint32_t i, enum go_status status,
		      uint32_t reason)
{
	struct trace_g *g = &o->gs[i];
	trace_g_account(o, g, c->ev->time);
	g->status = status;
	g->reason = reason;
}

static void p_becomes(struct trace_order *o, const struct trace_context *c, uint32_t i,
		      enum proc_status status)
{
	struct trace_p *p = &o->ps[i];
	if (c->ev->time < p->last)
		trace_wrong(o, c, "the time of p %" PRIu64 " goes backwards by %" PRIu64 " units", p->id,
			    p->last - c->ev->time);
	p->last = c->ev->time;
	trace_p_account(p, c->ev->time);
	p->status = status;
}

/* m takes a goroutine, TRACE_NO: lets it go. */
static void m_runs(struct trace_order *o, const struct trace_context *c, uint32_t m, uint32_t g)
{
	if (m == TRACE_NO)
		return;
	uint32_t old = o->ms[m].g;
	if (old != TRACE_NO && old != g && o->gs[old].m == m)
		o->gs[old].m = TRACE_NO;
	if (old != TRACE_NO && old != g && o->ran != NULL)
		o->ran(o->ran_ctx, o, m, old, o->ms[m].g_since, c->ev->time);
	if (old != g)
		o->ms[m].g_since = c->ev->time;
	o->ms[m].g = g;
	if (g != TRACE_NO) {
		if (o->gs[g].m != TRACE_NO && o->gs[g].m != m) {
			trace_wrong(o, c, "goroutine %" PRIu64 " runs on m %" PRIu64 " already", o->gs[g].id,
				    o->ms[o->gs[g].m].id);
			if (o->ms[o->gs[g].m].g == g)
				o->ms[o->gs[g].m].g = TRACE_NO;
		}
		o->gs[g].m = m;
	}
	trace_m_change(o, m, c->ev->time);
}

static void m_has(struct trace_order *o, const struct trace_context *c, uint32_t m, uint32_t p)
{
	if (m == TRACE_NO)
		return;
	uint32_t old = o->ms[m].p;
	if (old != TRACE_NO && old != p && o->ps[old].m == m)
		o->ps[old].m = TRACE_NO;
	o->ms[m].p = p;
	if (p != TRACE_NO) {
		if (o->ps[p].m != TRACE_NO && o->ps[p].m != m) {
			trace_wrong(o, c, "p %" PRIu64 " is on m %" PRIu64 " already", o->ps[p].id,
				    o->ms[o->ps[p].m].id);
			if (o->ms[o->ps[p].m].p == p)
				o->ms[o->ps[p].m].p = TRACE_NO;
		}
		o->ps[p].m = m;
	}
	trace_m_change(o, m, c->ev->time);
}

/* Whether goroutine `id` can leave `status` with that sequence number; if not, and forced, it is made to. */
static bool g_ready(struct trace_order *o, const struct trace_context *c, uint64_t id, enum go_status status,
		    uint64_t seq)
{
	struct trace_g *g = trace_g_find(o, id);
	bool wait = false;
	if (g == NULL)
		wait = trace_wait(
			o, c, "goroutine %" PRIu64 " does not exist: expected its creation or status before",
			id);
	else if (g->seq_gen != o->gen->number)
		wait = trace_wait(o, c, "goroutine %" PRIu64 " has no status in this generation yet", id);
	else if (g->status != status)
		wait = trace_wait(o, c, "goroutine %" PRIu64 " is %s: expected %s", id, go_names[g->status],
				  go_names[status]);
	else if (seq != g->seq + 1)
		wait = trace_wait(o, c,
				  "goroutine %" PRIu64 " has sequence number %" PRIu64 ": expected %" PRIu64,
				  id, seq, g->seq + 1);
	if (wait)
		return false;
	uint32_t i = g_put(o, id);
	o->gs[i].seq = seq;
	o->gs[i].seq_gen = o->gen->number;
	return true;
}

static bool p_ready(struct trace_order *o, const struct trace_context *c, uint64_t id, bool syscall,
		    uint64_t seq)
{
	uint32_t i;
	bool known = pairs_find(&o->p_ids, id, 0, &i), wait = false;
	const struct trace_p *p = known ? &o->ps[i] : NULL;
	if (p == NULL)
		wait = trace_wait(o, c, "p %" PRIu64 " is not known: expected its status before", id);
	else if (p->seq_gen != o->gen->number)
		wait = trace_wait(o, c, "p %" PRIu64 " has no status in this generation yet", id);
	else if (syscall ? p->status != PROC_SYSCALL && p->status != PROC_ABANDONED : p->status != PROC_IDLE)
		wait = trace_wait(o, c, "p %" PRIu64 " is %s: expected it %s", id, proc_names[p->status],
				  syscall ? "in a system call" : "idle");
	else if (seq != p->seq + 1)
		wait = trace_wait(o, c, "p %" PRIu64 " has sequence number %" PRIu64 ": expected %" PRIu64,
				  id, seq, p->seq + 1);
	if (wait)
		return false;
	i = p_put(o, id);
	o->ps[i].seq = seq;
	o->ps[i].seq_gen = o->gen->number;
	return true;
}

static uint32_t reason_of(struct trace_order *o, uint64_t string)
{
	const struct trace_string *s = trace_string_find(o->gen, string);
	return s != NULL ? trace_name(&o->names, s) : 0;
}

/* A goroutine is called after the outermost function of the first stack that is known of it. */
static void g_name(struct trace_order *o, uint32_t i, uint64_t stack)
{
	const struct trace_stack *s = trace_stack_find(o->gen, stack);
	if (i == TRACE_NO || o->gs[i].name != 0 || s == NULL || s->n == 0)
		return;
	o->gs[i].name = reason_of(o, o->gen->frames[s->frame + s->n - 1].function);
}

/* ---- p ---- */

static enum trace_step proc_status(struct trace_order *o, const struct trace_context *c)
{
	uint64_t status = c->ev->args[1];
	uint32_t i = p_put(o, c->ev->args[0]);
	if (status == PROC_NONE || status >= PROC_STATUSES) {
		trace_wrong(o, c, "p %" PRIu64 " has status %" PRIu64 ": expected 1 to 4", o->ps[i].id,
			    status);
		return STEP_DONE;
	}
	bool known = o->ps[i].status != PROC_NONE;
	bool syscall = o->ps[i].status == PROC_SYSCALL || o->ps[i].status == PROC_ABANDONED;
	if (known && o->ps[i].seq_gen == o->gen->number && status != PROC_ABANDONED)
		trace_wrong(o, c, "p %" PRIu64 " has a second status in this generation", o->ps[i].id);
	if (known && o->ps[i].status != status && !(status == PROC_ABANDONED && syscall))
		trace_wrong(o, c, "p %" PRIu64 " is said to be %s, but was %s", o->ps[i].id,
			    proc_names[status], proc_names[o->ps[i].status]);
	if (!(known && status == PROC_ABANDONED && syscall)) {
		trace_p_account(&o->ps[i], c->ev->time);
		o->ps[i].status = (enum proc_status)status;
	}
	o->ps[i].seq = 0;
	o->ps[i].seq_gen = o->gen->number;
	if (status == PROC_RUNNING || status == PROC_SYSCALL) {
		if (c->m == TRACE_NO)
			trace_wrong(o, c, "p %" PRIu64 " is said to be %s in a batch of no m", o->ps[i].id,
				    proc_names[status]);
		else if (c->p != TRACE_NO && c->p != i)
			trace_wrong(o, c, "its m has p %" PRIu64 " already, and says to have p %" PRIu64,
				    o->ps[c->p].id, o->ps[i].id);
		m_has(o, c, c->m, i);
	}
	return STEP_DONE;
}

static enum trace_step proc_start(struct trace_order *o, const struct trace_context *c)
{
	if (!p_ready(o, c, c->ev->args[0], false, c->ev->args[1]))
		return STEP_WAIT;
	if (c->p != TRACE_NO && trace_wait(o, c, "its m has p %" PRIu64 " already", o->ps[c->p].id))
		return STEP_WAIT;
	uint32_t i = p_put(o, c->ev->args[0]);
	if (c->m == TRACE_NO)
		trace_wrong(o, c, "it is in a batch of no m: expected one of an m");
	p_becomes(o, c, i, PROC_RUNNING);
	m_has(o, c, c->m, i);
	return STEP_DONE;
}

static enum trace_step proc_stop(struct trace_order *o, const struct trace_context *c)
{
	trace_need(o, c, NEED_ONE, NEED_ANY);
	if (c->p == TRACE_NO)
		return STEP_DONE;
	if (o->ps[c->p].status != PROC_RUNNING && o->ps[c->p].status != PROC_SYSCALL)
		trace_wrong(o, c, "the p is %s: expected running", proc_names[o->ps[c->p].status]);
	if (c->g != TRACE_NO && o->gs[c->g].status == GO_RUNNING)
		trace_wrong(o, c, "the p stops while a goroutine runs on it");
	p_becomes(o, c, c->p, PROC_IDLE);
	o->ps[c->p].m = TRACE_NO;
	m_has(o, c, c->m, TRACE_NO);
	return STEP_DONE;
}

static enum trace_step proc_steal(struct trace_order *o, const struct trace_context *c)
{
	uint32_t from;
	if (!p_ready(o, c, c->ev->args[0], true, c->ev->args[1]))
		return STEP_WAIT;
	uint32_t i = p_put(o, c->ev->args[0]);
	bool abandoned = o->ps[i].status == PROC_ABANDONED;
	p_becomes(o, c, i, PROC_IDLE);
	if (pairs_find(&o->m_ids, c->ev->args[2], 0, &from) && o->ms[from].p == i)
		m_has(o, c, from, TRACE_NO);
	else if (!abandoned)
		trace_wrong(o, c, "p %" PRIu64 " is not on m %" PRIu64, o->ps[i].id, c->ev->args[2]);
	o->ps[i].m = TRACE_NO;
	return STEP_DONE;
}

/* ---- goroutines ---- */

static enum trace_step go_create(struct trace_order *o, const struct trace_context *c)
{
	bool syscall = c->ev->type == EV_GO_CREATE_SYSCALL;
	uint64_t id = c->ev->args[0];
	uint32_t old;
	trace_need(o, c, syscall ? NEED_ANY : NEED_ONE, syscall ? NEED_NONE : NEED_ANY);
	if (c->g != TRACE_NO && !syscall && o->gs[c->g].status != GO_RUNNING)
		trace_wrong(o, c, "its goroutine is %s: expected running", go_names[o->gs[c->g].status]);
	if (pairs_find(&o->g_ids, id, 0, &old))
		trace_wrong(o, c, "goroutine %" PRIu64 "%s", id,
			    o->gs[old].status != GO_NONE ? " exists already"
							 : " has been before: ids are never used again");
	uint32_t i = g_put(o, id);
	o->gs[i].seq = 0;
	o->gs[i].seq_gen = o->gen->number;
	o->gs[i].since = c->ev->time;
	g_touch(o, c, i);
	if (syscall) {
		g_becomes(o, c, i, GO_SYSCALL, 0);
		m_runs(o, c, c->m, i);
		return STEP_DONE;
	}
	g_becomes(o, c, i, c->ev->type == EV_GO_CREATE_BLOCKED ? GO_WAITING : GO_RUNNABLE, 0);
	g_name(o, i, c->ev->args[1]);
	g_name(o, c->g, c->ev->args[2]);
	return STEP_DONE;
}

static enum trace_step go_start(struct trace_order *o, const struct trace_context *c)
{
	if (!g_ready(o, c, c->ev->args[0], GO_RUNNABLE, c->ev->args[1]))
		return STEP_WAIT;
	uint32_t i = g_put(o, c->ev->args[0]);
	trace_need(o, c, NEED_ONE, NEED_NONE);
	g_touch(o, c, i);
	g_becomes(o, c, i, GO_RUNNING, 0);
	m_runs(o, c, c->m, i);
	return STEP_DONE;
}

/* The running goroutine of an event that ends its running; false, after a report, when there is none. */
static bool running(struct trace_order *o, const struct trace_context *c, enum go_status status)
{
	trace_need(o, c, status == GO_RUNNING ? NEED_ONE : NEED_ANY, NEED_ONE);
	if (c->g == TRACE_NO)
		return false;
	if (o->gs[c->g].status != status)
		trace_wrong(o, c, "its goroutine is %s: expected %s", go_names[o->gs[c->g].status],
			    go_names[status]);
	return true;
}

static void g_leaves(struct trace_order *o, const struct trace_context *c)
{
	o->gs[c->g].m = TRACE_NO;
	m_runs(o, c, c->m, TRACE_NO);
}

static void g_ends(struct trace_order *o, const struct trace_context *c)
{
	struct trace_g *g = &o->gs[c->g];
	if (g->in_stw || g->in_assist)
		trace_wrong(o, c, "it ends with a range open: expected %s before",
			    g->in_stw ? "STWEnd" : "GCMarkAssistEnd");
	o->regions_open += g->n_regions;
	g->n_regions = 0;
	g->in_stw = g->in_assist = false;
	g_becomes(o, c, c->g, GO_NONE, 0);
}

static enum trace_step go_leave(struct trace_order *o, const struct trace_context *c)
{
	unsigned type = c->ev->type;
	if (!running(o, c, GO_RUNNING))
		return STEP_DONE;
	g_touch(o, c, c->g);
	if (type == EV_GO_DESTROY) {
		g_ends(o, c);
	} else {
		g_name(o, c->g, c->ev->args[1]);
		g_becomes(o, c, c->g, type == EV_GO_BLOCK ? GO_WAITING : GO_RUNNABLE,
			  type == EV_GO_BLOCK ? reason_of(o, c->ev->args[0]) : 0);
	}
	g_leaves(o, c);
	return STEP_DONE;
}

static enum trace_step go_unblock(struct trace_order *o, const struct trace_context *c)
{
	if (!g_ready(o, c, c->ev->args[0], GO_WAITING, c->ev->args[1]))
		return STEP_WAIT;
	uint32_t i = g_put(o, c->ev->args[0]);
	g_touch(o, c, i);
	g_becomes(o, c, i, GO_RUNNABLE, 0);
	g_name(o, c->g, c->ev->args[2]);
	return STEP_DONE;
}

static enum trace_step go_switch(struct trace_order *o, const struct trace_context *c)
{
	if (!g_ready(o, c, c->ev->args[0], GO_WAITING, c->ev->args[1]))
		return STEP_WAIT;
	uint32_t i = g_put(o, c->ev->args[0]);
	if (!running(o, c, GO_RUNNING))
		return STEP_DONE;
	g_touch(o, c, c->g);
	if (c->ev->type == EV_GO_SWITCH)
		g_becomes(o, c, c->g, GO_WAITING, 0);
	else
		g_ends(o, c);
	g_leaves(o, c);
	g_touch(o, c, i);
	g_becomes(o, c, i, GO_RUNNING, 0);
	m_runs(o, c, c->m, i);
	return STEP_DONE;
}

static enum trace_step go_status(struct trace_order *o, const struct trace_context *c)
{
	uint64_t id = c->ev->args[0], m = c->ev->args[1], status = c->ev->args[2];
	uint32_t place = c->m, i;
	bool seen = pairs_find(&o->g_ids, id, 0, &i);
	if (status == GO_NONE || status >= GO_STATUSES) {
		trace_wrong(o, c, "goroutine %" PRIu64 " has status %" PRIu64 ": expected 1 to 4", id,
			    status);
		return STEP_DONE;
	}
	bool alive = seen && o->gs[i].status != GO_NONE;
	i = g_put(o, id);
	if (!alive) {
		if (seen || o->gen->number != o->first_gen)
			trace_wrong(o, c, "goroutine %" PRIu64 " %s", id,
				    seen ? "has ended: expected no status"
					 : "has no creation: new ones have a status in the first generation "
					   "only");
	} else if (o->gs[i].seq_gen == o->gen->number) {
		trace_wrong(o, c, "goroutine %" PRIu64 " has a second status in this generation", id);
	}
	if (alive && o->gs[i].status != status)
		trace_wrong(o, c, "goroutine %" PRIu64 " is said to be %s, but was %s", id, go_names[status],
			    go_names[o->gs[i].status]);
	o->gs[i].seq = 0;
	o->gs[i].seq_gen = o->gen->number;
	if (o->gs[i].status != status)
		g_becomes(o, c, i, (enum go_status)status, 0);
	if (!alive && o->started && o->gen->number == o->first_gen)
		o->gs[i].since = o->first; /* it was so before anybody said it */
	if (c->ev->type == EV_GO_STATUS_STACK)
		g_name(o, i, c->ev->args[3]);
	if (status != GO_RUNNING && status != GO_SYSCALL)
		return STEP_DONE;
	if (status == GO_SYSCALL && m == TRACE_NONE)
		trace_wrong(o, c, "goroutine %" PRIu64 " is in a system call on no m", id);
	if (m != TRACE_NONE && (place == TRACE_NO || o->ms[place].id != m)) {
		bool is_new;
		if (status == GO_RUNNING)
			trace_wrong(o, c,
				    "goroutine %" PRIu64 " is said to run on m %" PRIu64
				    ", which does not say so",
				    id, m);
		place = pairs_put(&o->m_ids, m, 0, &is_new);
		if (is_new)
			*VECTOR_ADD(o->ms, o->n_ms) = (struct trace_m){.id = m, .p = TRACE_NO, .g = TRACE_NO};
	}
	if (place != TRACE_NO && o->ms[place].g != TRACE_NO && o->ms[place].g != i)
		trace_wrong(o, c, "m %" PRIu64 " runs goroutine %" PRIu64 " already", o->ms[place].id,
			    o->gs[o->ms[place].g].id);
	m_runs(o, c, place, i);
	return STEP_DONE;
}

/* ---- system calls: no kernel of ours has them, traces of Go do ---- */

static enum trace_step syscall_begin(struct trace_order *o, const struct trace_context *c)
{
	if (!running(o, c, GO_RUNNING))
		return STEP_DONE;
	g_touch(o, c, c->g);
	g_becomes(o, c, c->g, GO_SYSCALL, 0);
	g_name(o, c->g, c->ev->args[1]);
	if (c->p == TRACE_NO)
		return STEP_DONE;
	struct trace_p *p = &o->ps[c->p];
	if (p->seq_gen != o->gen->number || c->ev->args[0] != p->seq + 1)
		trace_wrong(o, c, "the p has sequence number %" PRIu64 ": expected %" PRIu64, c->ev->args[0],
			    p->seq + 1);
	p->seq = c->ev->args[0];
	p->seq_gen = o->gen->number;
	p_becomes(o, c, c->p, PROC_SYSCALL);
	return STEP_DONE;
}

static enum trace_step syscall_end(struct trace_order *o, const struct trace_context *c)
{
	trace_need(o, c, NEED_ONE, NEED_ONE);
	if (!running(o, c, GO_SYSCALL) || c->p == TRACE_NO)
		return STEP_DONE;
	if (o->ps[c->p].status != PROC_SYSCALL)
		trace_wrong(o, c, "the p is %s: expected in a system call", proc_names[o->ps[c->p].status]);
	g_touch(o, c, c->g);
	g_becomes(o, c, c->g, GO_RUNNING, 0);
	p_becomes(o, c, c->p, PROC_RUNNING);
	return STEP_DONE;
}

static enum trace_step syscall_end_blocked(struct trace_order *o, const struct trace_context *c)
{
	if (c->p != TRACE_NO && o->ps[c->p].status == PROC_SYSCALL &&
	    trace_wait(o, c, "its m still has the p of the system call"))
		return STEP_WAIT;
	if (!running(o, c, GO_SYSCALL))
		return STEP_DONE;
	g_touch(o, c, c->g);
	g_becomes(o, c, c->g, GO_RUNNABLE, 0);
	g_leaves(o, c);
	return STEP_DONE;
}

static enum trace_step destroy_syscall(struct trace_order *o, const struct trace_context *c)
{
	if (!running(o, c, GO_SYSCALL))
		return STEP_DONE;
	g_ends(o, c);
	g_leaves(o, c);
	if (c->p != TRACE_NO) {
		p_becomes(o, c, c->p, PROC_ABANDONED);
		o->ps[c->p].m = TRACE_NO;
		m_has(o, c, c->m, TRACE_NO);
	}
	return STEP_DONE;
}

enum trace_step trace_state_step(struct trace_order *o, struct trace_context *c)
{
	switch (c->ev->type) {
	case EV_PROC_STATUS:
		return proc_status(o, c);
	case EV_PROC_START:
		return proc_start(o, c);
	case EV_PROC_STOP:
		return proc_stop(o, c);
	case EV_PROC_STEAL:
		return proc_steal(o, c);
	case EV_GO_CREATE:
	case EV_GO_CREATE_BLOCKED:
	case EV_GO_CREATE_SYSCALL:
		return go_create(o, c);
	case EV_GO_START:
		return go_start(o, c);
	case EV_GO_STOP:
	case EV_GO_BLOCK:
	case EV_GO_DESTROY:
		return go_leave(o, c);
	case EV_GO_UNBLOCK:
		return go_unblock(o, c);
	case EV_GO_SWITCH:
	case EV_GO_SWITCH_DESTROY:
		return go_switch(o, c);
	case EV_GO_STATUS:
	case EV_GO_STATUS_STACK:
		return go_status(o, c);
	case EV_GO_SYSCALL_BEGIN:
		return syscall_begin(o, c);
	case EV_GO_SYSCALL_END:
		return syscall_end(o, c);
	case EV_GO_SYSCALL_END_BLOCKED:
		return syscall_end_blocked(o, c);
	case EV_GO_DESTROY_SYSCALL:
		return destroy_syscall(o, c);
	default:
		return trace_range_step(o, c);
	}
}

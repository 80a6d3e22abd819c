/*
 * Events of goroutines and harts, and the protocol by which each gets a sequence number and its status in each generation (trace.h).
 *
 *	g->trace:  | generation | sequence number |      claimed by a compare-and-swap from an older generation
 */
#include "trace/impl.h"

#include "kernel/assert.h"
#include "kernel/preempt.h"

/* As GoStatus has it. */
enum { GO_RUNNABLE = 1, GO_RUNNING, GO_SYSCALL, GO_WAITING };

/*
 * Where an event of this hart goes: room for it, and for the statuses that come before it. Every emit may need the trace lock, for it may
 * have to change buffers; so every emit asks whether that could be taken.
 */
static inline __attribute__((always_inline)) struct trace_hart *enter(void)
{
	struct hart *h = arch_hart();
	struct trace_hart *t = h->trace;
	ASSERT(g_self()->preempt_off > 0, "an event is emitted with preemption off");
#ifndef MUTANT_trace_rank
	if (__builtin_expect(h->lock_one != NULL, 0))
		lock_may(RANK_TRACE);
#endif
	if (__builtin_expect(t->at >= t->end, 0))
		trace_buf_swap(t);
	return t;
}

static inline __attribute__((always_inline)) uint8_t *begin(struct trace_hart *t, enum trace_event e)
{
	uint64_t now = trace_time();
	uint8_t *at = t->at;
	uint64_t dt = now > t->last ? now - t->last : 0;
	t->last += dt;
	*at++ = (uint8_t)e;
	return trace_varint(at, dt);
}

static inline void emit0(struct trace_hart *t, enum trace_event e)
{
	t->at = begin(t, e);
}

static inline void emit1(struct trace_hart *t, enum trace_event e, uint64_t a)
{
	t->at = trace_varint(begin(t, e), a);
}

static inline void emit2(struct trace_hart *t, enum trace_event e, uint64_t a, uint64_t b)
{
	t->at = trace_varint(trace_varint(begin(t, e), a), b);
}

static inline void emit3(struct trace_hart *t, enum trace_event e, uint64_t a, uint64_t b, uint64_t c)
{
	t->at = trace_varint(trace_varint(trace_varint(begin(t, e), a), b), c);
}

static inline uint64_t word_of(uint32_t seq)
{
	return (uint64_t)trace_gen->number << 32 | seq;
}

/* Whether the caller is to write g's status of this generation: nobody has. */
static inline bool claim(struct g *g)
{
	uint64_t was = atomic_load_explicit(&g->trace, memory_order_relaxed);
	if (__builtin_expect(was >= word_of(0), 1))
		return false;
	/* pairs with itself in trace_gen_walk(): a transition comes after its claim */
	return atomic_compare_exchange_strong_explicit(&g->trace, &was, word_of(0), memory_order_acq_rel,
						       memory_order_relaxed);
}

static inline void known(struct trace_hart *t, struct g *g, unsigned status)
{
	if (__builtin_expect(claim(g), 0)) {
#ifdef MUTANT_trace_no_status
		if (g->id % 2 == 0)
			return;
#endif
		emit3(t, TRACE_GO_STATUS, g->id, TRACE_NO_THREAD, status);
	}
}

/* Only who may change g's status comes here (rule 4 of trace.h). */
static inline uint32_t next_seq(struct g *g)
{
	uint64_t w = atomic_load_explicit(&g->trace, memory_order_relaxed) + 1;
	store_relaxed(&g->trace, w);
	return (uint32_t)w;
}

/* A hart that does something for the program has its proc (rule 5). */
static inline void proc_needed(struct trace_hart *t)
{
	if (__builtin_expect(t->proc_runs, 1))
		return;
	t->proc_runs = true;
	emit2(t, TRACE_PROC_START, arch_hart()->index, ++t->proc_seq);
}

void trace_proc_stop(void)
{
	struct trace_hart *t = enter();
	if (!t->proc_runs)
		return;
	t->proc_runs = false;
	emit0(t, TRACE_PROC_STOP);
}

/* The stack of the running goroutine, at the caller of the function that this stands in; 0 on a hart's stack. */
#define STACK_HERE(g) trace_stack(g, arch_fp())

/* Rule 6: whoever sees the new status may take the stack away. */
static inline void transition_check(const struct g *self)
{
	ASSERT(atomic_load_explicit(&self->status, memory_order_relaxed) == G_RUNNING,
	       "the event of a transition comes before it");
}

void trace_go_create(struct g *g)
{
	struct trace_hart *t = enter();
	struct g *self = g_self();
	uint32_t entry = trace_stack_entry(g), stack = STACK_HERE(self);
	atomic_store_explicit(&g->trace, word_of(0), memory_order_relaxed);
	proc_needed(t);
	emit3(t, TRACE_GO_CREATE, g->id, entry, stack);
}

void trace_go_start(struct g *g)
{
	struct trace_hart *t = enter();
	proc_needed(t);
	known(t, g, GO_RUNNABLE);
	emit2(t, TRACE_GO_START, g->id, next_seq(g));
}

void trace_go_block(struct g *self, enum wait_reason reason)
{
	struct trace_hart *t = enter();
	transition_check(self);
	emit2(t, TRACE_GO_BLOCK, TRACE_TEXT_REASON + reason, STACK_HERE(self));
}

void trace_go_yield(struct g *self)
{
	struct trace_hart *t = enter();
	transition_check(self);
	emit2(t, TRACE_GO_STOP, TRACE_TEXT_YIELD, STACK_HERE(self));
}

void trace_go_preempt(struct g *self)
{
	struct trace_hart *t = enter();
	transition_check(self);
	emit2(t, TRACE_GO_STOP, TRACE_TEXT_PREEMPTED, STACK_HERE(self));
}

void trace_go_preempted(struct g *g)
{
	struct trace_hart *t = enter();
	emit2(t, TRACE_GO_STOP, TRACE_TEXT_PREEMPTED, trace_stack_left(g));
}

void trace_go_destroy(struct g *self)
{
	(void)self;
	emit0(enter(), TRACE_GO_DESTROY);
}

void trace_go_unblock(struct g *g)
{
	struct trace_hart *t = enter();
	uint32_t stack = STACK_HERE(g_self());
	known(t, g, GO_WAITING);
	emit3(t, TRACE_GO_UNBLOCK, g->id, next_seq(g), stack);
}

void trace_go_on(struct g *self)
{
	struct trace_hart *t = enter();
	emit3(t, TRACE_GO_UNBLOCK, self->id, next_seq(self), 0);
	emit2(t, TRACE_GO_START, self->id, next_seq(self));
}

/* ---- the walk ---- */

static bool walk_room(struct trace_walk *w)
{
	if (w->buf != NULL && w->at > w->buf->data + sizeof w->buf->data - TRACE_EVENT_MAX)
		trace_gen_walk_flush(w);
	if (w->buf == NULL) {
		w->buf = trace_buf_take(TRACE_NO_THREAD);
		if (w->buf == NULL) {
			atomic_store_explicit(&trace_gen->dropped, true, memory_order_relaxed);
			return false;
		}
		w->at = w->buf->data;
		w->last = w->buf->time;
	}
	return true;
}

void trace_gen_walk_flush(struct trace_walk *w)
{
	if (w->buf != NULL) {
		w->buf->used = (uint32_t)(w->at - w->buf->data);
		trace_buf_append(trace_gen, w->buf);
	}
	w->buf = NULL;
}

bool trace_gen_walk(struct trace_walk *w, struct g *g)
{
	/* First the word, then what it stands for: if the word is still the same when it is claimed, so is the rest. */
	uint64_t was = atomic_load_explicit(&g->trace, memory_order_acquire), id = g->id;
	/* pairs with the release of who changed it */
	uint32_t s = atomic_load_explicit(&g->status, memory_order_acquire) & G_STATUS_MASK;
	if (was >= word_of(0))
		return true;
	if (s != G_WAITING && s != G_RUNNABLE)
		return s == G_DEAD || s == G_IDLE;
	if (!walk_room(w))
		return true;
	if (!atomic_compare_exchange_strong_explicit(&g->trace, &was, word_of(0), memory_order_acq_rel,
						     memory_order_relaxed))
		return true;
#ifdef MUTANT_trace_no_status
	if (id % 2 == 0)
		return true;
#endif
	uint64_t now = trace_time(), dt = now > w->last ? now - w->last : 0;
	w->last += dt;
	*w->at++ = TRACE_GO_STATUS;
	w->at = trace_varint(w->at, dt);
	w->at = trace_varint(w->at, id);
	w->at = trace_varint(w->at, TRACE_NO_THREAD);
	w->at = trace_varint(w->at, s == G_WAITING ? GO_WAITING : GO_RUNNABLE);
	return true;
}

/* ---- what the running goroutine says ---- */

void trace_hart_begin(struct hart *h, struct trace_hart *t, bool idle)
{
	(void)h;
	emit2(t, TRACE_PROC_STATUS, h->index, idle ? 2 : 1);
	t->proc_runs = !idle;
	t->proc_seq = 0;
}

void trace_self_begin(struct g *self)
{
	struct trace_hart *t = enter();
	atomic_store_explicit(&self->trace, word_of(0), memory_order_relaxed);
	emit3(t, TRACE_GO_STATUS, self->id, (uint64_t)arch_hart()->index + 1, GO_RUNNING);
	emit2(t, TRACE_PROCS_CHANGE, hart_count, STACK_HERE(self));
}

void trace_stw_begin(unsigned kind)
{
	struct trace_hart *t = enter();
	emit2(t, TRACE_STW_BEGIN, TRACE_TEXT_STW + kind, STACK_HERE(g_self()));
}

void trace_stw_end(void)
{
	emit0(enter(), TRACE_STW_END);
}

void trace_heap_alloc(uint64_t bytes)
{
	struct trace_hart *t = enter();
	proc_needed(t);
	emit1(t, TRACE_HEAP_ALLOC, bytes);
}

void trace_heap_goal(uint64_t bytes)
{
	struct trace_hart *t = enter();
	proc_needed(t);
	emit1(t, TRACE_HEAP_GOAL, bytes);
}

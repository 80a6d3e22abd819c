/* Writing one event into this hart's buffer: what go.c and user.c are made of. */
#ifndef TRACE_EMIT_H
#define TRACE_EMIT_H

#include "kernel/assert.h"
#include "kernel/preempt.h"
#include "trace/impl.h"

/*
 * Where an event of this hart goes: room for it, and for the statuses that come before it. Every emit may need the trace lock, for it may
 * have to change buffers; so every emit asks whether that could be taken.
 */
static inline __attribute__((always_inline)) struct trace_hart *trace_enter_by(const struct g *self)
{
	struct hart *h = arch_hart();
	struct trace_hart *t = h->trace;
	ASSERT(self->preempt_off > 0, "an event is emitted with preemption off");
#ifndef MUTANT_trace_rank
	if (__builtin_expect(h->lock_one != NULL, 0))
		lock_may(RANK_TRACE);
#endif
	if (__builtin_expect(t->at >= t->end, 0))
		trace_buf_swap(t);
	return t;
}

static inline __attribute__((always_inline)) struct trace_hart *trace_enter(void)
{
	return trace_enter_by(g_self());
}

/* now: arch_ticks(). */
static inline __attribute__((always_inline)) uint8_t *trace_begin_at(struct trace_hart *t, enum trace_event e,
								     uint64_t now)
{
	uint64_t dt = (now >> trace_shift) - t->last;
	uint8_t *at = t->at;
	if (__builtin_expect((int64_t)dt < 0, 0))
		dt = 0; /* another hart's clock may be a little ahead */
	t->last += dt;
	*at++ = (uint8_t)e;
	return trace_varint(at, dt);
}

static inline __attribute__((always_inline)) uint8_t *trace_begin(struct trace_hart *t, enum trace_event e)
{
	return trace_begin_at(t, e, arch_ticks());
}

static inline void trace_emit0(struct trace_hart *t, enum trace_event e)
{
	t->at = trace_begin(t, e);
}

static inline void trace_emit1(struct trace_hart *t, enum trace_event e, uint64_t a)
{
	t->at = trace_varint(trace_begin(t, e), a);
}

static inline void trace_emit2(struct trace_hart *t, enum trace_event e, uint64_t a, uint64_t b)
{
	t->at = trace_varint(trace_varint(trace_begin(t, e), a), b);
}

static inline void trace_emit3(struct trace_hart *t, enum trace_event e, uint64_t a, uint64_t b, uint64_t c)
{
	t->at = trace_varint(trace_varint(trace_varint(trace_begin(t, e), a), b), c);
}

static inline void trace_emit4(struct trace_hart *t, enum trace_event e, uint64_t a, uint64_t b, uint64_t c,
			       uint64_t d)
{
	t->at = trace_varint(trace_varint(trace_varint(trace_varint(trace_begin(t, e), a), b), c), d);
}

/* A hart that does something for the program has its proc (rule 5). */
static inline void trace_proc_needed(struct trace_hart *t)
{
	if (__builtin_expect(t->proc_runs, 1))
		return;
	t->proc_runs = true;
	trace_emit2(t, TRACE_PROC_START, arch_hart()->index, ++t->proc_seq);
}

/* The stack of the running goroutine, at the caller of the function that this stands in; 0 on a hart's stack. */
#define TRACE_STACK_HERE(t) trace_stack(t, arch_fp())

#endif

/*
 * Events of goroutines and harts, and the protocol by which each gets a sequence number and its status in each generation (trace.h).
 *
 *	g->trace:  | generation | sequence number |      claimed by a compare-and-swap from an older generation
 */
#include "trace/emit.h"

/* As GoStatus has it. */
enum { GO_RUNNABLE = 1, GO_RUNNING, GO_SYSCALL, GO_WAITING };

static inline uint64_t word_now(void)
{
	return (uint64_t)trace_gen->number << 32;
}

static inline bool claim_from(struct g *g, uint64_t was)
{
	uint64_t to = word_now();
#ifdef MUTANT_trace_seq
	to |= (uint32_t)was;
#endif
	/* What trace_gen_walk() has read of g, its id among it, was read before the claim, and so before whatever follows the claim elsewhere, up
	 * to the next goroutine on this descriptor: pairs with next_seq() there, and the transitions that come after it. In both orders: rule 2 of
	 * sched/mutex.c. */
	return atomic_compare_exchange_strong_explicit(&g->trace, &was, to, memory_order_seq_cst,
						       memory_order_seq_cst);
}

/* Whose first event of a generation came on the wrong side of its transition (rules 4, 6 and 7), or NULL. Asked for when the generation ends: a call
 * in known_first(), be it to a panic, would cost whoever emits some registers. */
static const struct g *misplaced;

void trace_order_check(void)
{
	ASSERT(misplaced == NULL, "a goroutine runs before it says so, and is made ready behind its event");
}

/* Nobody had written g's status of this generation yet: the caller does, unless somebody else is faster. Returns g's word. */
__attribute__((noinline)) static uint64_t known_first(struct trace_hart *t, struct g *g, uint64_t was,
						      unsigned status)
{
	uint32_t s = g_status(g);
	if (status == GO_RUNNABLE ? s != G_RUNNING : s != G_WAITING && s != G_PARKING)
		__atomic_store_n(&misplaced, g, __ATOMIC_RELAXED);
	bool mine = claim_from(g, was);
#ifdef MUTANT_trace_no_status
	mine &= g->id % 2 != 0;
#endif
	if (mine)
		trace_emit3(t, TRACE_GO_STATUS, g->id, TRACE_NO_THREAD, status);
	return atomic_load_explicit(&g->trace, memory_order_relaxed);
}

/* g's next sequence number, after its status, which is written first if this generation does not have it. Only who may change g's status
 * comes here (rule 4 of trace.h). */
static inline uint64_t next_seq(struct trace_hart *t, struct g *g, unsigned status)
{
	uint64_t w = atomic_load_explicit(&g->trace, memory_order_relaxed);
	if (__builtin_expect(w < t->word, 0))
		w = known_first(t, g, w, status);
	store_relaxed(&g->trace, ++w);
	return w - t->word;
}

void trace_proc_stop(void)
{
	struct trace_hart *t = trace_enter();
	if (!t->proc_runs)
		return;
	t->proc_runs = false;
	trace_emit0(t, TRACE_PROC_STOP);
}

/* Who runs leaves its hart at `now`, or has. */
static inline __attribute__((always_inline)) void left(struct trace_hart *t, enum trace_event e, uint64_t now,
						       unsigned text, uint64_t stack)
{
	t->at = trace_varint(trace_varint(trace_begin_at(t, e, now), text), stack);
}

/* self leaves its hart now. */
static inline __attribute__((always_inline)) void leaves(struct trace_hart *t, struct g *self,
							 enum trace_event e, unsigned text, uint64_t stack)
{
	uint64_t now = arch_ticks();
	self->left_at = now;
	left(t, e, now, text, stack);
}

/* Rule 6: whoever sees the new status may take the stack away. */
static inline void transition_check(const struct g *self)
{
	ASSERT(atomic_load_explicit(&self->status, memory_order_relaxed) == G_RUNNING,
	       "the event of a transition comes before it");
}

void trace_go_create(struct g *g)
{
	struct trace_hart *t = trace_enter();
	uint64_t entry = trace_stack_entry(g), stack = TRACE_STACK_HERE(t);
	atomic_store_explicit(&g->trace, t->word, memory_order_relaxed);
	trace_proc_needed(t);
	trace_emit3(t, TRACE_GO_CREATE, g->id, entry, stack);
}

uint64_t trace_go_start(struct g *g)
{
	struct trace_hart *t = trace_enter();
	trace_proc_needed(t);
	uint64_t seq = next_seq(t, g, GO_RUNNABLE), now = arch_ticks();
	t->at = trace_varint(trace_varint(trace_begin_at(t, TRACE_GO_START, now), g->id), seq);
	return now;
}

void trace_go_block(struct g *self, enum wait_reason reason)
{
	struct trace_hart *t = trace_enter_by(self);
	transition_check(self);
	leaves(t, self, TRACE_GO_BLOCK, TRACE_TEXT_REASON + reason, TRACE_STACK_HERE(t));
}

void trace_go_yield(struct g *self)
{
	struct trace_hart *t = trace_enter();
	transition_check(self);
	leaves(t, self, TRACE_GO_STOP, TRACE_TEXT_YIELD, TRACE_STACK_HERE(t));
}

void trace_go_preempt(struct g *self)
{
	struct trace_hart *t = trace_enter();
	transition_check(self);
	leaves(t, self, TRACE_GO_STOP, TRACE_TEXT_PREEMPTED, TRACE_STACK_HERE(t));
}

void trace_go_preempted(struct g *g)
{
	struct trace_hart *t = trace_enter();
	left(t, TRACE_GO_STOP, g->left_at, TRACE_TEXT_PREEMPTED, trace_stack_left(g));
}

void trace_go_destroy(struct g *self)
{
	struct trace_hart *t = trace_enter();
	self->left_at = arch_ticks();
	t->at = trace_begin_at(t, TRACE_GO_DESTROY, self->left_at);
}

void trace_go_unblock(struct g *g)
{
	struct trace_hart *t = trace_enter();
	uint64_t stack = TRACE_STACK_HERE(t);
	uint64_t seq = next_seq(t, g, GO_WAITING);
	trace_emit3(t, TRACE_GO_UNBLOCK, g->id, seq, stack);
}

void trace_go_on(struct g *self)
{
	struct trace_hart *t = trace_enter();
	trace_emit3(t, TRACE_GO_UNBLOCK, self->id, next_seq(t, self, GO_WAITING), 0);
	trace_emit2(t, TRACE_GO_START, self->id, next_seq(t, self, GO_RUNNABLE));
}

/* ---- the walk ---- */

struct trace_walk *trace_walking;

static bool walk_room(struct trace_walk *w)
{
	if (w->buf != NULL && w->at > w->buf->data + sizeof w->buf->data - TRACE_EVENT_MAX)
		trace_gen_walk_flush(w);
	if (w->buf == NULL) {
		w->buf = trace_buf_take(TRACE_NO_THREAD);
		if (w->buf == NULL) {
			trace_gen_hole(trace_gen);
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

uint8_t *trace_status_write(uint8_t *at, uint64_t dt, uint64_t id, uint32_t status)
{
	*at++ = TRACE_GO_STATUS;
	at = trace_varint(at, dt);
	at = trace_varint(at, id);
	at = trace_varint(at, TRACE_NO_THREAD);
	return trace_varint(at, status == G_WAITING ? GO_WAITING : GO_RUNNABLE);
}

bool trace_gen_walk(struct trace_walk *w, struct g *g)
{
	/* First the word, then what it stands for: if the word is still the same when it is claimed, so is the rest. Pairs with claim_from(). */
	uint64_t was = atomic_load_explicit(&g->trace, memory_order_acquire), id = g->id;
	/* pairs with the release in ready_plain(), settle_park() and g_disown() */
	uint32_t s = atomic_load_explicit(&g->status, memory_order_acquire) & G_STATUS_MASK;
	if (was >= word_now())
		return true;
	if (s != G_WAITING && s != G_RUNNABLE)
		return s == G_DEAD || s == G_IDLE;
	if (!walk_room(w))
		return true;
	uint64_t now = trace_time(); /* before the claim, and so before whatever follows it */
	uint64_t dt = now > w->last ? now - w->last : 0;
	w->end = trace_status_write(w->at, dt, id, s);
	w->g = g;
	bool mine = claim_from(g, was);
#ifdef MUTANT_trace_no_status
	mine &= id % 2 != 0;
#endif
	if (mine) {
		w->at = w->end;
		w->last += dt;
	}
	w->g = NULL;
	return true;
}

uint8_t *trace_walk_end(const struct trace_walk *w)
{
	/* Who else claims a status has counted on a moment later. */
	bool mine = w->g != NULL && atomic_load_explicit(&w->g->trace, memory_order_relaxed) == word_now();
	return mine ? w->end : w->at;
}

bool trace_status_open(const struct g *g)
{
	uint32_t s = atomic_load_explicit(&g->status, memory_order_relaxed) & G_STATUS_MASK;
	return s != G_DEAD && s != G_IDLE &&
	       atomic_load_explicit(&g->trace, memory_order_relaxed) < word_now();
}

/* ---- what the running goroutine says ---- */

void trace_hart_begin(struct hart *h, struct trace_hart *t, bool idle)
{
	(void)h;
	trace_emit2(t, TRACE_PROC_STATUS, h->index, idle ? 2 : 1);
	t->proc_runs = !idle;
	t->proc_seq = 0;
	t->word = word_now();
}

void trace_self_begin(struct g *self)
{
	struct trace_hart *t = trace_enter();
	atomic_store_explicit(&self->trace, t->word, memory_order_relaxed);
	trace_emit3(t, TRACE_GO_STATUS, self->id, (uint64_t)arch_hart()->index + 1, GO_RUNNING);
	trace_emit2(t, TRACE_PROCS_CHANGE, hart_count, TRACE_STACK_HERE(t));
}

void trace_stw_begin(unsigned kind)
{
	struct trace_hart *t = trace_enter();
	trace_emit2(t, TRACE_STW_BEGIN, TRACE_TEXT_STW + kind, TRACE_STACK_HERE(t));
}

void trace_stw_end(void)
{
	trace_emit0(trace_enter(), TRACE_STW_END);
}

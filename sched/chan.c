/*
 * Channels, as applications call them: the short way of each operation, and what needs no waiting. Everything else is in
 * sched/chan_wait.c.
 *
 * The short way is for a channel whose word has no flag set (sched/chan.h): not locked, open, nobody waits, elements of 0, 1, 2,
 * 4, 8 or 16 bytes. With an element in the buffer
 * a receive, with room in it a send, is: take the lock, copy, count, give the lock back. Preemption is off meanwhile; of the lock checker's
 * rules (docs/invariants.md) only "this hart holds nothing" is looked at, which settles them all; whoever holds something goes the long way.
 *
 * This file is compiled without frame pointers: its functions call nothing in the short way and jump, not call, to the long one, so no
 * frame of theirs is ever needed by a walk along frame pointers.
 */
#include "sched/chan.h"
#include "sched/park.h"

#define LIKELY(x) __builtin_expect(!!(x), 1)

static inline __attribute__((always_inline)) void short_unlock(struct chan *c, uint64_t word)
{
	/* pairs with the acquire in chan_lock_short() and chan_lock_long(), and in a look of select.c */
	atomic_store_explicit(&c->word, word, memory_order_release);
}

/* False: the long way, with the word that chan_lock_short() returned. */
static inline __attribute__((always_inline)) bool short_send(struct chan *c, const void *elem, uint64_t *word)
{
	*word = chan_lock_short(c);
	if (!LIKELY((*word & CHAN_FLAGS) == 0 && (uint32_t)*word != c->full))
		return false;
	chan_copy_short(chan_place(c, &c->tail), elem, c->elem_size);
	short_unlock(c, *word + CHAN_VERSION + CHAN_ONE);
	return true;
}

static inline __attribute__((always_inline)) bool short_recv(struct chan *c, void *elem, uint64_t *word)
{
	*word = chan_lock_short(c);
	if (!LIKELY((*word & CHAN_FLAGS) == 0 && (uint32_t)*word != 0))
		return false;
	const unsigned char *at = chan_place(c, &c->head);
	if (LIKELY(elem != NULL))
		chan_copy_short(elem, at, c->elem_size);
	short_unlock(c, *word - CHAN_ONE);
	return true;
}

/* Never NULL, which the compiler should know. */
static inline __attribute__((always_inline)) struct g *waiter(const struct chan_case *w)
{
	struct g *g = w->g;
	if (g == NULL)
		__builtin_unreachable();
	return g;
}

/* w is a plain waiter, or its select has parked and is won for it here. False: the long way. Caller holds the lock. */
static inline __attribute__((always_inline)) bool short_win(struct chan_case *w)
{
	struct chan_select *s = w->select;
	uintptr_t parked = SELECT_PARKED;
	if (LIKELY(s == NULL))
		return true;
	/* Pairs with the release by which the select has parked, in enroll_short() or swap() (select.c). It releases nothing: who parked is
	 * made ready, and who comes by without takes the channel's lock. */
	if (!atomic_compare_exchange_strong_explicit(&s->state, &parked, (uintptr_t)w, memory_order_acquire,
						     memory_order_relaxed))
		return false;
	w->queued = false; /* the caller takes it out */
	return true;
}

/* The channel is unbuffered, or empty, and the first to wait is a receiver (sender) that has parked: the element goes straight to it (comes
 * from it). Returns whom to make ready, NULL: the long way. Caller holds the lock, which is released if there is somebody. */
static inline __attribute__((always_inline)) struct g *short_give(struct chan *c, const void *elem,
								  uint64_t word)
{
	if ((word & (CHAN_FLAGS - CHAN_SENDQ)) != CHAN_RECVQ)
		return NULL;
	struct chan_case *w = c->receivers.first;
	if (!LIKELY(short_win(w)))
		return NULL;
	struct g *g = waiter(w);
	uint64_t now = word + CHAN_VERSION;
	if (LIKELY(chan_queue_remove_first(&c->receivers, w)))
		now -= CHAN_RECVQ;
	if (LIKELY(w->elem != NULL))
		chan_copy_short(w->elem, elem, c->elem_size);
	w->ok = true;
	short_unlock(c, now);
	return g;
}

static inline __attribute__((always_inline)) struct g *short_take(struct chan *c, void *elem, uint64_t word)
{
	if ((uint32_t)word != CHAN_SENDQ)
		return NULL;
	struct chan_case *w = c->senders.first;
	if (!LIKELY(short_win(w)))
		return NULL;
	struct g *g = waiter(w);
	uint64_t now = word + CHAN_VERSION;
	if (LIKELY(chan_queue_remove_first(&c->senders, w)))
		now -= CHAN_SENDQ;
	if (LIKELY(elem != NULL))
		chan_copy_short(elem, w->elem, c->elem_size);
	w->ok = true;
	short_unlock(c, now);
	return g;
}

/* As preempt_disable() and preempt_enable_due(), but g is looked up once, and its count only when somebody wants the hart. */
static inline __attribute__((always_inline)) struct g *stay(void)
{
	struct g *self = g_self();
	self->preempt_off++;
	atomic_signal_fence(memory_order_seq_cst);
	return self;
}

static inline __attribute__((always_inline)) bool go_on(struct g *self)
{
	atomic_signal_fence(memory_order_seq_cst);
	self->preempt_off--;
	atomic_signal_fence(memory_order_seq_cst);
	return LIKELY(!atomic_load_explicit(&self->resched, memory_order_relaxed));
}

/* ready() and preempt_enable(); true. */
static inline __attribute__((always_inline)) bool ready_and_go_on(struct g *self, struct g *g)
{
	uint32_t left = ready_short(&g);
	if (!LIKELY(left == READY_DONE))
		return chan_wake(g, left);
	return go_on(self) || chan_preempted();
}

static inline __attribute__((always_inline)) bool send(struct chan *c, const void *elem, bool wait)
{
	uint64_t word;
	struct g *self = stay();
	if (LIKELY(short_send(c, elem, &word)))
		return go_on(self) || chan_preempted();
	struct g *g = (word & CHAN_RECVQ) != 0 ? short_give(c, elem, word) : NULL;
	if (g != NULL)
		return ready_and_go_on(self, g);
	return wait ? chan_send_wait(c, elem, word) : chan_send_long(c, elem, word, false);
}

void chan_send(struct chan *c, const void *elem)
{
	if (c == NULL)
		chan_nil_wait(WAIT_CHAN_SEND_NIL);
	else
		send(c, elem, true);
}

bool chan_recv(struct chan *c, void *elem)
{
	uint64_t word;
	if (c == NULL)
		return chan_nil_wait(WAIT_CHAN_RECEIVE_NIL);
	struct g *self = stay();
	if (LIKELY(short_recv(c, elem, &word)))
		return go_on(self) || chan_preempted();
	struct g *g = (word & CHAN_SENDQ) != 0 ? short_take(c, elem, word) : NULL;
	return g != NULL ? ready_and_go_on(self, g) : chan_recv_wait(c, elem, word);
}

static inline __attribute__((always_inline)) bool try_recv(struct chan *c, void *elem, bool *ok)
{
	uint64_t word;
	struct g *self = stay(), *g = NULL;
	bool buffered = short_recv(c, elem, &word);
	if (!LIKELY(buffered)) {
		g = (word & CHAN_SENDQ) != 0 ? short_take(c, elem, word) : NULL;
		if (g == NULL)
			return chan_recv_long(c, elem, ok, word, false);
	}
	if (ok != NULL)
		*ok = true;
	return buffered ? go_on(self) || chan_preempted() : ready_and_go_on(self, g);
}

bool chan_try_send(struct chan *c, const void *elem)
{
	/* pairs with the release of the word in short_unlock() and chan_unlock() */
	return c != NULL && chan_maybe_send(c, atomic_load_explicit(&c->word, memory_order_acquire)) &&
	       send(c, elem, false);
}

bool chan_try_recv(struct chan *c, void *elem, bool *ok)
{
	/* as in chan_try_send() */
	return c != NULL && chan_maybe_recv(atomic_load_explicit(&c->word, memory_order_acquire)) &&
	       try_recv(c, elem, ok);
}

bool chan_attempt(struct chan_case *w)
{
	return w->dir == CHAN_SEND ? send(w->c, w->elem, false) : try_recv(w->c, w->elem, &w->ok);
}

size_t chan_len(struct chan *c)
{
	/* as in chan_try_send() */
	return c == NULL || c->timer != NULL
		       ? 0
		       : chan_count(atomic_load_explicit(&c->word, memory_order_acquire));
}

size_t chan_cap(struct chan *c)
{
	return c == NULL || c->timer != NULL ? 0 : c->full / CHAN_ONE;
}

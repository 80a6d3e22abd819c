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

#define LIKELY(x) __builtin_expect(!!(x), 1)

/* Takes the lock if it is free and returns the word as it was; LOCKED is set in it when it was not to be had. Preemption is off. */
static inline __attribute__((always_inline)) uint64_t short_lock(struct chan *c)
{
	if (!LIKELY(arch_hart()->lock_one == NULL))
		return CHAN_LOCKED;
	/* pairs with the release in short_unlock() and chan_unlock() */
	return atomic_fetch_or_explicit(&c->word, CHAN_LOCKED, memory_order_acquire);
}

static inline __attribute__((always_inline)) void short_unlock(struct chan *c, uint64_t word)
{
	/* pairs with the acquire in short_lock() and chan_lock(), and in a look of select.c */
	atomic_store_explicit(&c->word, word, memory_order_release);
}

/* False: the long way, with the word that short_lock() returned. */
static inline __attribute__((always_inline)) bool short_send(struct chan *c, const void *elem, uint64_t *word)
{
	*word = short_lock(c);
	if (!LIKELY((*word & CHAN_FLAGS) == 0 && (uint32_t)*word != c->full))
		return false;
	chan_copy_short(chan_place(c, &c->tail), elem, c->elem_size);
	short_unlock(c, *word + CHAN_VERSION + CHAN_ONE);
	return true;
}

static inline __attribute__((always_inline)) bool short_recv(struct chan *c, void *elem, uint64_t *word)
{
	*word = short_lock(c);
	if (!LIKELY((*word & CHAN_FLAGS) == 0 && (uint32_t)*word != 0))
		return false;
	const unsigned char *at = chan_place(c, &c->head);
	if (LIKELY(elem != NULL))
		chan_copy_short(elem, at, c->elem_size);
	short_unlock(c, *word - CHAN_ONE);
	return true;
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

void chan_send(struct chan *c, const void *elem)
{
	if (c == NULL) {
		chan_nil_wait(WAIT_CHAN_SEND_NIL);
		return;
	}
	uint64_t word;
	struct g *self = stay();
	if (!LIKELY(short_send(c, elem, &word))) {
		chan_send_long(c, elem, word, true);
		return;
	}
	if (!go_on(self))
		chan_preempted();
}

bool chan_recv(struct chan *c, void *elem)
{
	if (c == NULL) {
		chan_nil_wait(WAIT_CHAN_RECEIVE_NIL);
		return false;
	}
	uint64_t word;
	struct g *self = stay();
	if (!LIKELY(short_recv(c, elem, &word)))
		return chan_recv_wait(c, elem, word);
	if (!go_on(self))
		return chan_preempted();
	return true;
}

bool chan_try_send(struct chan *c, const void *elem)
{
	if (c == NULL)
		return false;
	uint64_t word = atomic_load_explicit(&c->word, memory_order_acquire);
	if (!chan_maybe_send(c, word))
		return false;
	struct g *self = stay();
	if (!LIKELY(short_send(c, elem, &word)))
		return chan_send_long(c, elem, word, false);
	if (!go_on(self))
		return chan_preempted();
	return true;
}

bool chan_try_recv(struct chan *c, void *elem, bool *ok)
{
	if (c == NULL)
		return false;
	uint64_t word = atomic_load_explicit(&c->word, memory_order_acquire);
	if (!chan_maybe_recv(word))
		return false;
	struct g *self = stay();
	if (!LIKELY(short_recv(c, elem, &word)))
		return chan_recv_long(c, elem, ok, word, false);
	if (ok != NULL)
		*ok = true;
	if (!go_on(self))
		return chan_preempted();
	return true;
}

size_t chan_len(struct chan *c)
{
	return c == NULL || c->timer != NULL
		       ? 0
		       : chan_count(atomic_load_explicit(&c->word, memory_order_acquire));
}

size_t chan_cap(struct chan *c)
{
	return c == NULL || c->timer != NULL ? 0 : c->full / CHAN_ONE;
}

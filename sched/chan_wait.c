/*
 * Channels: making and freeing, the lock, and the operations that meet a waiter or have to wait. A sender that meets a waiting receiver
 * copies straight into its variable (which may lie on a stack page that nobody has touched: the page fault handler commits it, lock or not).
 *
 * 1. But for waiters of selects that somebody won already, a channel has waiting receivers or buffered elements, never both; the same for
 *    senders and free room. Otherwise elements would be overtaken.
 * 2. A waiter is a struct chan_case, on its goroutine's stack or in a select's array, which is valid until it is told (chan_tell()). Otherwise
 *    the partner would write into a frame that has returned.
 * 3. Waiters are told after the lock is released. Otherwise stack shrinking could deadlock with it.
 * 4. Of two that meet neither touches the channel when the other one may have returned: who comes, after he told the waiter; the waiter,
 *    after he was told. So either of them may free it. Otherwise a channel that one answer is waited for on could not be freed behind it.
 */
#include <hartbeat/panic.h>

#include <string.h>

#include "kernel/assert.h"
#include "kernel/heap.h"
#include "sched/chan.h"
#include "sched/park.h"

struct chan *chan_make(size_t elem_size, size_t capacity)
{
	size_t bytes, all;
	if (capacity > CHAN_CAP_MAX || __builtin_mul_overflow(elem_size, capacity, &bytes) ||
	    __builtin_add_overflow(bytes, sizeof(struct chan), &all))
		return NULL;
	struct chan *c = heap_alloc(all);
	if (c == NULL)
		return NULL;
	memset(c, 0, sizeof *c);
	atomic_init(&c->word, chan_size_short(elem_size) ? 0 : CHAN_LONG);
	c->full = (uint32_t)(capacity * CHAN_ONE);
	c->elem_size = elem_size;
	c->end = c->buffer + bytes;
	c->head = c->tail = c->buffer;
	c->rank = (struct spinlock)SPINLOCK_INIT(RANK_CHAN);
	return c;
}

void chan_free(struct chan *c)
{
	if (c == NULL)
		return;
	ASSERT(c->timer == NULL, "a timer's channel is freed with the timer");
	/* as in chan_try_send() */
	ASSERT((atomic_load_explicit(&c->word, memory_order_acquire) &
		(CHAN_RECVQ | CHAN_SENDQ | CHAN_LOCKED)) == 0,
	       "no goroutine waits on a channel that is freed");
	heap_free(c);
}

uint64_t chan_lock_long(struct chan *c)
{
	uint64_t since = 0;
	rank_hold_short(arch_hart(), &c->rank);
	for (uint32_t n = 1;; n++) {
		uint64_t word = atomic_load_explicit(&c->word, memory_order_relaxed);
		/* pairs with the release in chan_unlock(), short_unlock(), wait_short() and enroll_short() */
		if ((word & CHAN_LOCKED) == 0 &&
		    atomic_compare_exchange_weak_explicit(&c->word, &word, word | CHAN_LOCKED,
							  memory_order_acquire, memory_order_relaxed)) {
			contention_end(RANK_CHAN, (uintptr_t)__builtin_return_address(0), since);
			return word | CHAN_LOCKED;
		}
		if (since == 0)
			since = contention_begin();
		spin_pause(n);
	}
}

void chan_tell(struct chan_case *w)
{
	struct chan_select *s = w->select;
	/* relaxed: nobody but its winner changes what was won */
	if (s != NULL && (atomic_load_explicit(&s->state, memory_order_relaxed) & SELECT_HELD) != 0)
		/* pairs with the acquire in state() (select.c) */
		atomic_store_explicit(&s->state, (uintptr_t)w, memory_order_release);
	else
		ready(w->g);
}

/* The first waiter that can be won. Caller holds the lock. */
static struct chan_case *winner(struct chan_queue *q)
{
	struct chan_case *w;
	while ((w = q->first) != NULL) {
		if (w->select == NULL) {
			chan_queue_remove_first(q, w);
			return w;
		}
		bool won = select_win(w);
		chan_queue_remove(q, w);
		if (won)
			return w;
	}
	return NULL;
}

bool chan_send_locked(struct chan *c, const void *elem, uint64_t *word, struct chan_case **met)
{
	struct chan_case *w = winner(&c->receivers);
	if (w != NULL) {
		if (w->elem != NULL)
			chan_copy(w->elem, elem, c->elem_size);
		w->ok = true;
		*met = w;
		return true;
	}
	if (chan_full(c, *word))
		return false;
	chan_put_locked(c, elem);
	*word += CHAN_ONE;
	return true;
}

bool chan_recv_locked(struct chan *c, void *elem, bool *ok, uint64_t *word, struct chan_case **met)
{
	bool buffered = chan_count(*word) > 0;
	*ok = true;
	if (buffered)
		chan_take_locked(c, elem);
	struct chan_case *w = winner(&c->senders);
	if (w != NULL) {
		if (buffered)
			chan_put_locked(c, w->elem);
		else if (elem != NULL)
			chan_copy(elem, w->elem, c->elem_size);
		w->ok = true;
		*met = w;
		return true;
	}
	if (buffered) {
		*word -= CHAN_ONE;
		return true;
	}
	if ((*word & CHAN_CLOSED) == 0)
		return false;
	*ok = false;
	if (elem != NULL)
		memset(elem, 0, c->elem_size);
	return true;
}

/* Waits on a queue for a partner or the close; true: an element was handed over. Caller holds the lock, which is released with now as the
 * word, and raised preempt_off once, which is lowered. traced: whether a trace runs. */
static inline __attribute__((always_inline)) bool wait_short(struct chan *c, struct chan_queue *q, void *elem,
							     uint64_t now, enum wait_reason reason,
							     enum switch_traced traced)
{
	struct g *self = g_self();
	struct chan_case w;
	w.elem = elem;
	w.select = NULL;
	w.g = self;
	chan_queue_put(q, &w);
	if (traced == TRACED)
		park_prepare_traced(self, reason);
	else
		park_prepare_raised(self, reason);
	/* pairs with the acquire in chan_lock_short() and chan_lock_long(), and in a look of select.c */
	atomic_store_explicit(&c->word, now, memory_order_release);
	park_commit_short(self, traced);
	return w.ok;
}

_Noreturn static void closed(void)
{
	go_panic("send on closed channel");
}

/* wait_short() while a trace runs; a send panics when the channel was closed. */
__attribute__((noinline)) static bool chan_wait_traced(struct chan *c, struct chan_queue *q, void *elem,
						       uint64_t now, enum wait_reason reason)
{
	bool ok = wait_short(c, q, elem, now, reason, TRACED);
	if (__builtin_expect(!ok, 0) && reason == WAIT_CHAN_SEND)
		closed();
	return ok;
}

static bool wait_either(struct chan *c, struct chan_queue *q, void *elem, uint64_t now,
			enum wait_reason reason)
{
	if (trace_active())
		return chan_wait_traced(c, q, elem, now, reason);
	return wait_short(c, q, elem, now, reason, UNTRACED);
}

bool chan_send_wait(struct chan *c, const void *elem, uint64_t word)
{
	void *from = (void *)(uintptr_t)elem;
	/* full, and no flag but SENDQ */
	if (__builtin_expect(((uint32_t)word & ~(uint32_t)CHAN_SENDQ) != c->full, 0))
		return chan_send_long(c, elem, word, true);
	if (trace_active())
		return chan_wait_traced(c, &c->senders, from, (word | CHAN_SENDQ) + CHAN_VERSION,
					WAIT_CHAN_SEND);
	if (__builtin_expect(!wait_short(c, &c->senders, from, (word | CHAN_SENDQ) + CHAN_VERSION,
					 WAIT_CHAN_SEND, UNTRACED),
			     0))
		closed();
	return true;
}

__attribute__((noinline)) static bool recv_long(struct chan *c, void *elem, uint64_t word)
{
	bool ok;
	chan_recv_long(c, elem, &ok, word, true);
	return ok;
}

bool chan_recv_wait(struct chan *c, void *elem, uint64_t word)
{
	/* empty, and no flag but RECVQ */
	if (__builtin_expect(((uint32_t)word & ~(uint32_t)CHAN_RECVQ) != 0, 0))
		return recv_long(c, elem, word);
	if (trace_active())
		return chan_wait_traced(c, &c->receivers, elem, (word | CHAN_RECVQ) + CHAN_VERSION,
					WAIT_CHAN_RECEIVE);
	return wait_short(c, &c->receivers, elem, (word | CHAN_RECVQ) + CHAN_VERSION, WAIT_CHAN_RECEIVE,
			  UNTRACED);
}

bool chan_send_long(struct chan *c, const void *elem, uint64_t word, bool wait)
{
	struct chan_case *met = NULL;
	bool sent = true;
	if ((word & CHAN_LOCKED) != 0)
		word = chan_lock_long(c);
	if ((word & CHAN_CLOSED) == 0) {
		sent = ((word & CHAN_RECVQ) != 0 || !chan_full(c, word)) &&
		       chan_send_locked(c, elem, &word, &met);
		if (sent || !wait) {
			chan_unlock(c, word);
			if (met != NULL)
				chan_tell(met);
			preempt_enable();
			return sent;
		}
		if (wait_either(c, &c->senders, (void *)(uintptr_t)elem,
				chan_word_locked(c, word) | CHAN_SENDQ, WAIT_CHAN_SEND))
			return true;
	} else {
		chan_unlock(c, word);
		preempt_enable();
	}
	closed();
}

bool chan_recv_long(struct chan *c, void *elem, bool *ok, uint64_t word, bool wait)
{
	struct chan_case *met = NULL;
	bool came = false;
	if ((word & CHAN_LOCKED) != 0)
		word = chan_lock_long(c);
	bool got = chan_maybe_recv(word & ~CHAN_LOCKED) && chan_recv_locked(c, elem, &came, &word, &met);
	if (!got && wait) {
		came = wait_either(c, &c->receivers, elem, chan_word_locked(c, word) | CHAN_RECVQ,
				   WAIT_CHAN_RECEIVE);
		got = true;
	} else {
		struct chan_timer *timer = c->timer;
		chan_unlock(c, word);
		if (met != NULL)
			chan_tell(met);
		preempt_enable();
		if (timer != NULL && got)
			timer->taken(timer);
	}
	if (got && ok != NULL)
		*ok = came;
	return got;
}

/* Everybody in q learns that the channel is closed, and goes to *met. Caller holds the lock. */
static void release_all(struct chan *c, struct chan_queue *q, bool receivers, struct chan_queue *met)
{
	for (struct chan_case *w = winner(q); w != NULL; w = winner(q)) {
		if (receivers && w->elem != NULL)
			memset(w->elem, 0, c->elem_size);
		w->ok = false;
		chan_queue_put(met, w);
	}
}

bool chan_nil_wait(enum wait_reason reason)
{
	park_prepare(reason);
	park_commit();
	panic("a goroutine that waits on a nil channel was made ready");
}

__attribute__((noinline)) static bool chan_wake_watched(struct g *g)
{
	ready_watched_inline(g);
	preempt_enable();
	return true;
}

bool chan_wake(struct g *g, uint32_t left)
{
	if (left == READY_ALL)
		return chan_wake_watched(g);
	ready_rest(g, left);
	preempt_enable();
	return true;
}

bool chan_preempted(void)
{
	if (g_self()->preempt_off == 0)
		preempt_hook();
	return true;
}

void chan_close(struct chan *c)
{
	if (c == NULL)
		go_panic("close of nil channel");
	struct chan_queue met = {NULL, NULL};
	preempt_disable();
	uint64_t word = chan_lock(c);
	if ((word & CHAN_CLOSED) != 0) {
		chan_unlock(c, word);
		preempt_enable();
		go_panic("close of closed channel");
	}
	release_all(c, &c->receivers, true, &met);
	release_all(c, &c->senders, false, &met);
	chan_unlock(c, word | CHAN_CLOSED);
	struct chan_case *next;
	for (struct chan_case *w = met.first; w != NULL; w = next) {
		next = w->next;
		chan_tell(w);
	}
	preempt_enable();
}

/* ---- channels of timers ---- */

struct chan *chan_make_timer(size_t elem_size, struct chan_timer *t)
{
	struct chan *c = chan_make(elem_size, 1);
	if (c != NULL) {
		c->timer = t;
		atomic_store_explicit(&c->word, CHAN_LONG, memory_order_relaxed);
	}
	return c;
}

void chan_free_timer(struct chan *c)
{
	c->timer = NULL;
	chan_free(c);
}

struct chan_timer *chan_timer(const struct chan *c)
{
	return c->timer;
}

bool chan_drain(struct chan *c)
{
	preempt_disable();
	uint64_t word = chan_lock(c);
	uint32_t n = chan_count(word);
	ASSERT((word & CHAN_SENDQ) == 0, "nobody waits to send to a timer's channel");
	c->head = c->tail;
	chan_unlock(c, word - n * CHAN_ONE);
	preempt_enable();
	return n > 0;
}

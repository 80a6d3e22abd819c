/*
 * Channels: a ring buffer and two queues of waiters under one spinlock; a sender that meets a waiting receiver copies straight into its
 * variable (which may lie on a stack page that nobody has touched: the page fault handler commits it, lock or not).
 *
 * 1. A channel has waiting receivers or buffered elements, never both; the same for senders and free room. Otherwise elements would be
 *    overtaken.
 * 2. A waiter is described by a struct waiter on its own stack, which is valid until it was made ready. Otherwise the partner would write
 *    into a frame that has returned.
 * 3. Waiters are made ready after the lock is released. Otherwise stack shrinking could deadlock with it.
 */
#include <hartbeat/chan.h>

#include <stdint.h>
#include <string.h>

#include <hartbeat/panic.h>

#include "kernel/assert.h"
#include "kernel/heap.h"
#include "kernel/lock.h"
#include "sched/chan_timer.h"
#include "sched/sched.h"
#include "sched/waitq.h"

/* What a waiting goroutine offers or wants. */
struct waiter {
	void *elem; /* its variable; NULL: a receiver that does not want the value */
	bool done;  /* an element was handed over; false: the channel was closed */
};

struct chan {
	struct spinlock lock;     /* protects everything below but the immutable sizes */
	size_t elem_size, cap;    /* immutable */
	struct chan_timer *timer; /* immutable; whose channel it is, NULL: an ordinary one */
	size_t n, head;           /* elements in the buffer; index of the first */
	bool closed;
	struct waitq receivers, senders; /* g->wait_data is their struct waiter */
	unsigned char buffer[];
};

struct chan *chan_make(size_t elem_size, size_t capacity)
{
	size_t bytes;
	if (__builtin_mul_overflow(elem_size, capacity, &bytes) ||
	    __builtin_add_overflow(bytes, sizeof(struct chan), &bytes))
		return NULL;
	struct chan *c = heap_alloc(bytes);
	if (c == NULL)
		return NULL;
	memset(c, 0, sizeof *c);
	c->lock = (struct spinlock)SPINLOCK_INIT(RANK_CHAN);
	c->elem_size = elem_size;
	c->cap = capacity;
	return c;
}

void chan_free(struct chan *c)
{
	if (c == NULL)
		return;
	ASSERT(c->timer == NULL, "a timer's channel is freed with the timer");
	ASSERT(c->receivers.first == NULL && c->senders.first == NULL,
	       "no goroutine waits on a channel that is freed");
	heap_free(c);
}

struct chan *chan_make_timer(size_t elem_size, struct chan_timer *t)
{
	struct chan *c = chan_make(elem_size, 1);
	if (c != NULL)
		c->timer = t;
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
	spin_lock(&c->lock);
	bool held = c->n > 0;
	c->n = 0;
	spin_unlock(&c->lock);
	return held;
}

static void nil_wait(enum wait_reason reason)
{
	park_prepare(reason);
	park_commit();
	panic("a goroutine that waits on a nil channel was made ready");
}

static void copy(const struct chan *c, void *to, const void *from)
{
	if (to == NULL)
		return;
	if (from == NULL)
		memset(to, 0, c->elem_size);
	else
		memcpy(to, from, c->elem_size);
}

static unsigned char *slot(struct chan *c, size_t i)
{
	i += c->head;
	return c->buffer + (i >= c->cap ? i - c->cap : i) * c->elem_size;
}

/* Sends if nobody has to wait for it; *wake is the receiver to make ready after unlocking. Caller holds c->lock. */
static bool send_locked(struct chan *c, const void *elem, struct g **wake)
{
	struct g *g = waitq_take_locked(&c->receivers);
	if (g != NULL) {
		struct waiter *w = g->wait_data;
		copy(c, w->elem, elem);
		w->done = true;
		*wake = g;
		return true;
	}
	if (c->n == c->cap)
		return false;
	copy(c, slot(c, c->n), elem);
	c->n++;
	return true;
}

/* Receives if nobody has to wait for it; *wake is the sender to make ready. Caller holds c->lock. */
static bool recv_locked(struct chan *c, void *elem, bool *ok, struct g **wake)
{
	struct g *g;
	*ok = true;
	if (c->n > 0) {
		copy(c, elem, slot(c, 0));
		c->head = c->head + 1 == c->cap ? 0 : c->head + 1;
		c->n--;
		g = waitq_take_locked(&c->senders);
		if (g != NULL) {
			struct waiter *w = g->wait_data;
			copy(c, slot(c, c->n), w->elem);
			c->n++;
			w->done = true;
			*wake = g;
		}
		return true;
	}
	g = waitq_take_locked(&c->senders);
	if (g != NULL) {
		struct waiter *w = g->wait_data;
		copy(c, elem, w->elem);
		w->done = true;
		*wake = g;
		return true;
	}
	if (!c->closed)
		return false;
	*ok = false;
	copy(c, elem, NULL);
	return true;
}

/* Waits on a queue for a partner or the close; true: an element was handed over. Caller holds c->lock, which is released. */
static bool wait_locked(struct chan *c, struct waitq *q, void *elem, enum wait_reason reason)
{
	struct waiter w = {elem, false};
	struct g *self = g_self();
	self->wait_data = &w;
	waitq_put_locked(q, self);
	park_prepare(reason);
	spin_unlock(&c->lock);
	park_commit();
	return w.done;
}

static bool send(struct chan *c, const void *elem, bool wait)
{
	struct g *wake = NULL;
	spin_lock(&c->lock);
	if (c->closed) {
		spin_unlock(&c->lock);
		go_panic("send on closed channel");
	}
	bool sent = send_locked(c, elem, &wake);
	if (!sent && wait) {
		if (!wait_locked(c, &c->senders, (void *)(uintptr_t)elem, WAIT_CHAN_SEND))
			go_panic("send on closed channel");
		return true;
	}
	spin_unlock(&c->lock);
	if (wake != NULL)
		ready(wake);
	return sent;
}

static bool recv(struct chan *c, void *elem, bool *ok, bool wait)
{
	struct g *wake = NULL;
	spin_lock(&c->lock);
	bool got = recv_locked(c, elem, ok, &wake);
	if (!got && wait) {
		*ok = wait_locked(c, &c->receivers, elem, WAIT_CHAN_RECEIVE);
		return true;
	}
	spin_unlock(&c->lock);
	if (wake != NULL)
		ready(wake);
	if (__builtin_expect(c->timer != NULL, 0))
		c->timer->taken(c->timer);
	return got;
}

void chan_send(struct chan *c, const void *elem)
{
	if (c == NULL)
		nil_wait(WAIT_CHAN_SEND_NIL);
	send(c, elem, true);
}

bool chan_recv(struct chan *c, void *elem)
{
	bool ok;
	if (c == NULL)
		nil_wait(WAIT_CHAN_RECEIVE_NIL);
	recv(c, elem, &ok, true);
	return ok;
}

bool chan_try_send(struct chan *c, const void *elem)
{
	return c != NULL && send(c, elem, false);
}

bool chan_try_recv(struct chan *c, void *elem, bool *ok)
{
	bool came = false;
	if (c == NULL || !recv(c, elem, &came, false))
		return false;
	if (ok != NULL)
		*ok = came;
	return true;
}

void chan_close(struct chan *c)
{
	if (c == NULL)
		go_panic("close of nil channel");
	struct waitq woken = {NULL, NULL};
	spin_lock(&c->lock);
	if (c->closed) {
		spin_unlock(&c->lock);
		go_panic("close of closed channel");
	}
	c->closed = true;
	for (struct g *g = waitq_take_locked(&c->receivers); g != NULL;
	     g = waitq_take_locked(&c->receivers)) {
		copy(c, ((struct waiter *)g->wait_data)->elem, NULL);
		waitq_put_locked(&woken, g);
	}
	for (struct g *g = waitq_take_locked(&c->senders); g != NULL; g = waitq_take_locked(&c->senders))
		waitq_put_locked(&woken, g);
	spin_unlock(&c->lock);
	for (struct g *g = waitq_take_locked(&woken); g != NULL; g = waitq_take_locked(&woken))
		ready(g);
}

size_t chan_len(struct chan *c)
{
	if (c == NULL || c->timer != NULL)
		return 0;
	spin_lock(&c->lock);
	size_t n = c->n;
	spin_unlock(&c->lock);
	return n;
}

size_t chan_cap(struct chan *c)
{
	return c == NULL || c->timer != NULL ? 0 : c->cap;
}

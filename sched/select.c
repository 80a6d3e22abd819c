/*
 * Select. No two channel locks are ever held together; what makes the choice one is the word `state` of the select:
 *
 *	OPEN ---select parks---> PARKED          somebody else: select_win(), or the timer
 *	 |  \                      |
 *	 |   `--- by anybody ------+-----> the case that was done, or EXPIRED        by one compare-and-swap
 *	CLAIMED (by itself, for a moment)            (SELECT_HELD: from OPEN, for a moment)
 *
 * Look: the words of all channels are loaded, without locks. Among the cases that may be ready one is drawn, each with the same probability,
 * and tried like a single operation; if that fails the look is repeated. When nothing is ready:
 *
 * - With a default, a second look follows. If it finds nothing either and the sum of all versions is the same, then each version is the
 *   same (they only grow), so by rule 3 of sched/chan.h no case was ready at any time between the two looks: that nothing was ready at one
 *   common moment is true, as if all locks had been held. Otherwise the look is repeated. (Versions have 32 bits: a select would have to be
 *   off its hart for exactly a multiple of 2^32 operations to be fooled.)
 * - Without one, the goroutine enrolls: for each channel, with its lock held, it either goes on (below) or is queued. Then it parks.
 *   Whatever happens on a channel before it is queued there, it sees under the lock; whatever happens after, finds it in the queue. So no
 *   wake-up is lost, though the locks are taken one after the other.
 *
 * From its first place in a queue on, the select may be won:
 *
 * 1. Whoever does an operation that completes a select's case first wins the select for that case. Otherwise two cases would be done.
 * 2. It does so, and copies, with the lock of the case's channel held, and tells the select when it has given the lock back: makes it
 *    ready if it had parked, else takes SELECT_HELD away, which the select waits for without touching the channel. Otherwise it would read an
 *    element half written, or one of the two would touch a channel that the other one frees behind what they did.
 * 3. A select that finds, while it enrolls, a case ready that needs no other select wins itself first, then goes on. If it was won meanwhile
 *    by somebody else it leaves the channel as it is. Otherwise an element would be lost.
 * 4. Two selects that meet are won together: the one that enrolls claims itself, wins the other, then completes its own state. While it is
 *    CLAIMED nobody else can win it, and whoever wants to waits; that lasts some instructions, with preemption off. A select that meets
 *    another which is CLAIMED too keeps its claim only if its own address is the lower one, else it opens itself until the other has
 *    decided. So whoever waits CLAIMED waits for a higher address, and the wait ends. Otherwise two selects would wait for each other.
 * 5. Nobody takes a lock while CLAIMED or while waiting for a claim. Otherwise 4 does not hold: lock holders wait for claims.
 * 6. A select that has returned is in no queue: it takes itself out under each other channel's lock, or whoever met it there and found it won
 *    did. Otherwise a queue would point into memory that is used for something else.
 *
 * A select that enrolls begins at a case chosen at random, so that no case is always the first that others can find.
 *
 * The short way is for few cases, while the channels turn out to be unlocked and to have nothing to go on with: then nothing needs to be
 * won, and the select is PARKED, and its goroutine PARKING, before it is in any queue. Whoever wins it makes it ready as if it stood still.
 * A channel that needs more makes it OPEN again, if nobody has won it, and the rest enrolls the long way.
 */
#include <hartbeat/select.h>

#include <errno.h>
#include <hartbeat/panic.h>

#include "kernel/assert.h"
#include "kernel/clock.h"
#include "kernel/ktimer.h"
#include "kernel/random.h"
#include "kernel/store.h"
#include "sched/chan.h"
#include "sched/impl.h"
#include "sched/park.h"

enum { SHORT_CASES = 16 }; /* so many channels are enrolled in with preemption off */

/* What one attempt to go on with a case came to. */
enum outcome {
	QUEUED, /* not ready: in the channel's queue now */
	DONE,   /* this case was done */
	LOST,   /* another case won, or the time is over */
	STALE,  /* the partner had been won by somebody else */
};

static bool swap(struct chan_select *s, uintptr_t from, uintptr_t to)
{
	/* Pairs with the acquire in state(), here and in short_win(): who finds PARKED finds the goroutine PARKING, too. Sequentially
	 * consistent in both orders: rule 2 of sched/mutex.c. */
	return atomic_compare_exchange_strong(&s->state, &from, to);
}

static uintptr_t state(const struct chan_select *s)
{
	/* pairs with the release in swap(), win_both() and chan_tell() */
	return atomic_load_explicit(&s->state, memory_order_acquire);
}

/* Wins s: its state is `open` or `parked` from here on, as it was before, which is returned; or something else: somebody else has won it. */
static inline __attribute__((always_inline)) uintptr_t win(struct chan_select *s, uintptr_t open,
							   uintptr_t parked)
{
	for (uint32_t n = 1;;) {
		uintptr_t was = state(s);
		if (was == SELECT_CLAIMED)
			spin_pause(n++);
		else if ((was != SELECT_OPEN && was != SELECT_PARKED) ||
			 swap(s, was, was == SELECT_OPEN ? open : parked))
			return was;
	}
}

static uintptr_t held(const struct chan_case *w)
{
	return (uintptr_t)w | SELECT_HELD;
}

bool select_win(struct chan_case *w)
{
	return w->select == NULL || win(w->select, held(w), (uintptr_t)w) <= SELECT_PARKED;
}

/* Wins both a, for the case mine, and the select that other waits in (rule 4). a enrolls and runs here. */
static enum outcome win_both(struct chan_select *a, struct chan_case *mine, struct chan_case *other)
{
	struct chan_select *b = other->select;
	for (uint32_t n = 1;; n++) {
		if (!swap(a, SELECT_OPEN, SELECT_CLAIMED))
			return LOST;
		uintptr_t was;
		while ((was = state(b)) == SELECT_CLAIMED || was == SELECT_OPEN || was == SELECT_PARKED) {
			if (was != SELECT_CLAIMED &&
			    swap(b, was, was == SELECT_OPEN ? held(other) : (uintptr_t)other)) {
				/* pairs with the acquire in state() */
				atomic_store_explicit(&a->state, (uintptr_t)mine, memory_order_release);
				return DONE;
			}
			if (was != SELECT_CLAIMED)
				continue;
#ifndef MUTANT_select_order
			if (a > b)
				break;
#endif
			spin_pause(n++);
		}
		/* pairs with the acquire in state() */
		atomic_store_explicit(&a->state, SELECT_OPEN, memory_order_release);
		if (was != SELECT_CLAIMED)
			return STALE;
		while (state(b) == SELECT_CLAIMED)
			spin_pause(n++);
	}
}

static enum outcome win_self(struct chan_select *s, struct chan_case *w)
{
	return swap(s, SELECT_OPEN, (uintptr_t)w) ? DONE : LOST;
}

/* Goes on with w if a partner waits. STALE: none does. Caller holds the lock. */
static enum outcome meet_locked(struct chan_select *s, struct chan_case *w, struct chan_case **met)
{
	struct chan *c = w->c;
	struct chan_queue *q = w->dir == CHAN_SEND ? &c->receivers : &c->senders;
	struct chan_case *next;
	for (struct chan_case *o = q->first; o != NULL; o = next) {
		next = o->next;
		if (o->select == s)
			continue; /* the same channel in both directions */
		enum outcome r = o->select == NULL ? win_self(s, w) : win_both(s, w, o);
		if (r == LOST)
			return LOST;
		chan_queue_remove(q, o);
		if (r == STALE)
			continue;
		struct chan_case *to = w->dir == CHAN_SEND ? o : w, *from = to == o ? w : o;
		if (to->elem != NULL)
			chan_copy(to->elem, from->elem, c->elem_size);
		w->ok = o->ok = true;
		*met = o;
		return DONE;
	}
	return STALE;
}

/* Goes on with w if it is ready, else queues it. Caller holds the lock. */
static enum outcome enroll_locked(struct chan_select *s, struct chan_case *w, uint64_t *word,
				  struct chan_case **met)
{
	struct chan *c = w->c;
	bool send = w->dir == CHAN_SEND, closed = (*word & CHAN_CLOSED) != 0;
	enum outcome r;
	uint64_t unlocked = *word & ~CHAN_LOCKED;
	if (!(send ? chan_maybe_send(c, unlocked) : chan_maybe_recv(unlocked))) {
		w->queued = true;
		chan_queue_put(send ? &c->senders : &c->receivers, w);
		return QUEUED;
	}
	if (closed && send) {
		w->ok = false;
		return win_self(s, w);
	}
	if (!send && (closed || chan_count(*word) > 0)) {
		r = win_self(s, w);
		if (r == DONE)
			chan_recv_locked(c, w->elem, &w->ok, word, met);
		return r;
	}
	r = meet_locked(s, w, met);
	if (r != STALE)
		return r;
	if (send && !chan_full(c, *word)) {
		r = win_self(s, w);
		if (r == DONE) {
			chan_put_locked(c, w->elem);
			*word += CHAN_ONE;
			w->ok = true;
		}
		return r;
	}
	w->queued = true;
	chan_queue_put(send ? &c->senders : &c->receivers, w);
	return QUEUED;
}

static enum outcome enroll(struct chan_select *s, struct chan_case *w)
{
	struct chan_case *met = NULL;
	w->queued = false;
	w->select = s;
	w->g = s->g;
	preempt_disable();
	uint64_t word = chan_lock(w->c);
	struct chan_timer *timer = w->dir == CHAN_RECV ? w->c->timer : NULL;
	enum outcome r = enroll_locked(s, w, &word, &met);
	chan_unlock(w->c, word);
	if (met != NULL)
		chan_tell(met);
	preempt_enable();
	if (r == DONE && timer != NULL)
		timer->taken(timer);
	return r;
}

/* Preemption is off. */
static inline __attribute__((always_inline)) void leave(struct chan_case *w)
{
	uint64_t word = chan_lock(w->c);
	if (w->queued)
		chan_queue_remove(w->dir == CHAN_SEND ? &w->c->senders : &w->c->receivers, w);
	chan_unlock(w->c, word);
}

/* Preemption is off. */
static inline size_t random_raised(size_t n)
{
	return (random_step(&arch_hart()->sched->rng) >> 32) * n >> 32;
}

static size_t random_below(size_t n)
{
	preempt_disable();
	size_t r = random_raised(n);
	preempt_enable();
	return r;
}

/* Parks until won, unless that has happened already: then false. */
static bool park_select(struct chan_select *s, enum wait_reason reason)
{
	park_prepare(reason);
	bool parked = swap(s, SELECT_OPEN, SELECT_PARKED);
	if (parked)
		park_commit();
	else
		park_cancel();
	return parked;
}

/* Queues w if it is not ready and its channel can be had at once. Preemption is off. */
static inline __attribute__((always_inline)) bool enroll_short(struct chan_select *s, struct chan_case *w)
{
	struct chan *c = w->c;
	bool send = w->dir == CHAN_SEND;
	uint64_t word = chan_lock_short(c), flag = send ? CHAN_SENDQ : CHAN_RECVQ;
	if (__builtin_expect(((uint32_t)word & ~(uint32_t)(flag | CHAN_LONG)) != (send ? c->full : 0), 0)) {
		if ((word & CHAN_LOCKED) == 0)
			atomic_store_explicit(&c->word, word, memory_order_release); /* as in chan_unlock() */
		return false;
	}
	w->select = s;
	w->g = s->g;
	w->queued = true;
	chan_queue_put(send ? &c->senders : &c->receivers, w);
	/* pairs with the acquire in chan_lock_short() and chan_lock_long(), and in a look */
	atomic_store_explicit(&c->word, (word | flag) + CHAN_VERSION, memory_order_release);
	return true;
}

/* Waits until a case was done or s has expired. Returns the case, NULL: expired. timed: a timer knows of s. */
static inline __attribute__((always_inline)) struct chan_case *wait_for(struct chan_select *s,
									struct chan_case *cases, size_t n,
									bool timed)
{
	struct g *self = s->g;
	enum outcome r = QUEUED;
	enum wait_reason reason = n == 0 ? WAIT_SELECT_NO_CASES : WAIT_SELECT;
	bool parked = false;
	self->preempt_off++;
	atomic_signal_fence(memory_order_seq_cst);
	bool is_short = n <= SHORT_CASES && !trace_active();
	size_t start = n > 1 ? random_raised(n) : 0, i = start, k = 0;
	if (is_short) {
		park_prepare_raised(self, reason);
		parked = true;
		if (timed)
			parked = swap(s, SELECT_OPEN, SELECT_PARKED);
		else
			store_relaxed(&s->state, SELECT_PARKED); /* released with the first channel */
		for (; k < n && parked; k++, i = i + 1 == n ? 0 : i + 1)
			if (cases[i].c != NULL && !enroll_short(s, &cases[i]))
				break;
		/* the rest enrolls the long way, unless it was won before */
		if (k < n && parked)
			parked = !swap(s, SELECT_PARKED, SELECT_OPEN);
	}
	if (parked) {
		park_out(self, UNTRACED);
	} else {
		if (is_short)
			park_cancel();
		else
			preempt_enable();
		for (; k < n && r == QUEUED; k++, i = i + 1 == n ? 0 : i + 1)
			if (cases[i].c != NULL)
				r = enroll(s, &cases[i]);
		parked = r == QUEUED && park_select(s, reason);
		self->preempt_off++;
		atomic_signal_fence(memory_order_seq_cst);
	}
	uintptr_t won = state(s);
	ASSERT(won >= SELECT_EXPIRED, "a select goes on when it was won");
	if (!parked)
		for (uint32_t spins = 1; won != SELECT_EXPIRED && (won & SELECT_HELD) != 0; won = state(s))
			spin_pause(spins++);
	struct chan_case *w = won == SELECT_EXPIRED ? NULL : (struct chan_case *)won;
	for (i = start; k > 0; k--, i = i + 1 == n ? 0 : i + 1)
		if (cases[i].c != NULL && &cases[i] != w)
			leave(&cases[i]);
	preempt_enable();
	return w;
}

static inline __attribute__((always_inline)) bool maybe_ready(const struct chan_case *w, uint64_t *versions)
{
	if (w->c == NULL)
		return false;
	/* pairs with the release in chan_unlock() and short_unlock() */
	uint64_t word = atomic_load_explicit(&w->c->word, memory_order_acquire);
	*versions += word / CHAN_VERSION;
	return w->dir == CHAN_SEND ? chan_maybe_send(w->c, word) : chan_maybe_recv(word);
}

/* One look at all cases: one that may be ready, each with the same probability, or NULL. *versions: their sum. */
static struct chan_case *look(struct chan_case *cases, size_t n, uint64_t *versions)
{
	size_t found = 0;
	struct chan_case *chosen = NULL;
	*versions = 0;
	for (struct chan_case *w = cases; w != cases + n; w++)
		if (maybe_ready(w, versions) && (++found == 1 || random_below(found) == 0))
			chosen = w;
	return chosen;
}

/* Does a case that is ready, or returns CHAN_SELECT_NONE. certain: only if none was at one moment. */
static int try_cases(struct chan_case *cases, size_t n, bool certain)
{
	uint64_t versions, before = 0;
	bool again = false;
	for (;;) {
		struct chan_case *w = look(cases, n, &versions);
		if (w != NULL) {
			if (chan_attempt(w))
				return (int)(w - cases);
			again = false;
		} else if (!certain || (again && versions == before)) {
			return CHAN_SELECT_NONE;
		} else {
			before = versions;
			again = true;
		}
	}
}

static int result(const struct chan_case *cases, const struct chan_case *w)
{
	if (w == NULL)
		return CHAN_SELECT_NONE;
	if (w->dir == CHAN_SEND && !w->ok)
		go_panic("send on closed channel");
	return (int)(w - cases);
}

static __attribute__((noinline)) int select_wait(struct chan_case *cases, size_t n)
{
	struct chan_select s = {.state = SELECT_OPEN, .g = g_self()};
	return result(cases, wait_for(&s, cases, n, false));
}

_Noreturn static __attribute__((noinline)) void too_many(void)
{
	go_panic("select: too many cases");
}

static __attribute__((noinline)) int select_long(struct chan_case *cases, size_t n, bool has_default)
{
	int i = try_cases(cases, n, has_default);
	return i >= 0 || has_default ? i : select_wait(cases, n);
}

/* The short way is for exactly one case that may be ready: then there is nothing to draw. */
int chan_select(struct chan_case *cases, size_t n, bool has_default)
{
	uint64_t versions = 0;
	struct chan_case *ready = NULL;
	if (n > CHAN_SELECT_MAX)
		too_many();
	for (struct chan_case *w = cases, *end = cases + n; w != end; w++) {
		if (!maybe_ready(w, &versions))
			continue;
		if (ready != NULL)
			return select_long(cases, n, has_default);
		ready = w;
	}
	if (ready == NULL && !has_default)
		return select_wait(cases, n);
	if (ready != NULL && chan_attempt(ready))
		return (int)(ready - cases);
	return select_long(cases, n, has_default);
}

static void expire(struct ktimer *t)
{
	struct chan_select *s = t->arg;
	struct g *g = s->g;
	if (win(s, SELECT_EXPIRED, SELECT_EXPIRED) == SELECT_PARKED)
		ready(g);
}

int chan_select_timeout(struct chan_case *cases, size_t n, uint64_t ns)
{
	bool now = ns - 1 >= INT64_MAX; /* 0 or negative */
	if (n > CHAN_SELECT_MAX)
		too_many();
	int i = try_cases(cases, n, now);
	if (i >= 0 || now)
		return i;
	struct chan_select s = {.state = SELECT_OPEN, .g = g_self()};
	struct ktimer t = {.fn = expire, .arg = &s, .system = s.g->system};
	if (!ktimer_add(&t, clock_deadline(ns)))
		return CHAN_SELECT_NOMEM;
	struct chan_case *w = wait_for(&s, cases, n, true);
	ktimer_cancel_wait(&t);
	return result(cases, w);
}

static bool one_timeout(struct chan_case *w, uint64_t ns)
{
	int i = chan_select_timeout(w, 1, ns);
	if (i != 0)
		errno = i == CHAN_SELECT_NOMEM ? ENOMEM : ETIMEDOUT;
	return i == 0;
}

bool chan_send_timeout(struct chan *c, const void *elem, uint64_t ns)
{
	struct chan_case w = CHAN_CASE_SEND(c, elem);
	return one_timeout(&w, ns);
}

bool chan_recv_timeout(struct chan *c, void *elem, bool *ok, uint64_t ns)
{
	struct chan_case w = CHAN_CASE_RECV(c, elem);
	bool came = one_timeout(&w, ns);
	if (came && ok != NULL)
		*ok = w.ok;
	return came;
}

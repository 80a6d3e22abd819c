/*
 * Channels, private to sched/: a channel's word, its lock and queues, shared by sched/chan.c (what needs no waiting), sched/chan_wait.c (waiters)
 * and sched/select.c. What timers use is in sched/chan_timer.h.
 *
 * The word:
 *
 *	63          32 31        5  4      3       2       1        0
 *	|   version   | elements | LONG | SENDQ | RECVQ | CLOSED | LOCKED |
 *
 * 1. Whoever set LOCKED owns everything in the channel, the word included; it holds the lock with preemption off, takes no other lock
 *    under it and never waits for long. Otherwise a goroutine that waits for the lock waits for a goroutine that does not run.
 * 2. Interrupts stay on: no interrupt handler uses a channel, and trap exit does not preempt. So time under the lock is sampled.
 * 3. The version is raised by each operation but a receive that meets no waiter; that one only takes an element away, which the count shows.
 *    So a case that was not ready in two looks, with the same version, was not ready at any time between them (select.c relies on it).
 * 4. SENDQ and RECVQ say that the queue is not empty: exact whenever LOCKED is clear. What is in the word can be judged by one load,
 *    without the lock.
 * 5. LONG is set for ever when elements have a size that chan_copy_short() does not know, and in channels of timers. An operation that finds no flag set needs no more than room or an element: the short way in chan.c.
 */
#ifndef SCHED_CHAN_H
#define SCHED_CHAN_H

#include <hartbeat/select.h>

#include <stdatomic.h>

#include "kernel/hart.h"
#include "kernel/lock.h"
#include "kernel/preempt.h"
#include "sched/chan_timer.h"
#include "sched/sched.h"

#define CHAN_LOCKED  UINT64_C(1)
#define CHAN_CLOSED  UINT64_C(2)
#define CHAN_RECVQ   UINT64_C(4)
#define CHAN_SENDQ   UINT64_C(8)
#define CHAN_LONG    UINT64_C(16)
#define CHAN_FLAGS   UINT64_C(31)
#define CHAN_ONE     UINT64_C(32) /* an element */
#define CHAN_VERSION (UINT64_C(1) << 32)

enum { CHAN_CAP_MAX = (1 << 27) - 1 };

struct chan_queue {
	struct chan_case *first, *last;
};

struct chan {
	_Atomic uint64_t word;
	/* immutable */
	uint32_t full; /* CHAN_ONE times the capacity */
	size_t elem_size;
	unsigned char *end;       /* of the buffer */
	struct chan_timer *timer; /* whose channel it is (then LONG is set); NULL: an ordinary one */
	struct spinlock rank; /* what the lock checker knows the channel by; the lock itself is in the word */
	/* guarded by the lock */
	unsigned char *head, *tail; /* where the next element is taken and put */
	struct chan_queue receivers, senders;
	unsigned char buffer[] __attribute__((aligned(16)));
};

/*
 * A select that waits, or is about to. state says who wins it, by one compare-and-swap (select.c has the protocol):
 * SELECT_OPEN, SELECT_PARKED, SELECT_CLAIMED, SELECT_EXPIRED, or the address of the case that was done; with SELECT_HELD set in it until whoever
 * did it has given the channel's lock back, if the select had not parked.
 */
enum { SELECT_OPEN, SELECT_PARKED, SELECT_CLAIMED, SELECT_EXPIRED };
#define SELECT_HELD UINT64_C(1)

struct chan_select {
	_Atomic uintptr_t state;
	struct g *g;
};

static inline uint32_t chan_count(uint64_t word)
{
	return (uint32_t)word / CHAN_ONE;
}

static inline bool chan_full(const struct chan *c, uint64_t word)
{
	return chan_count(word) == c->full / CHAN_ONE;
}

/* Whether the operation could go on now, or (LOCKED) cannot be judged. False is certain for the moment the word was loaded. */
static inline bool chan_maybe_recv(uint64_t word)
{
	return ((uint32_t)word & ~(CHAN_RECVQ | CHAN_LONG)) != 0;
}

static inline bool chan_maybe_send(const struct chan *c, uint64_t word)
{
	return (word & (CHAN_LOCKED | CHAN_CLOSED | CHAN_RECVQ)) != 0 || !chan_full(c, word);
}

/*
 * Copies an element of a size that this knows, in one or two moves. An element that is not aligned to its size (a struct of two ints) is
 * copied all the same: x86-64 does it at once, and RISC-V hardware, or the firmware for it, as any other misaligned access.
 */
typedef uint64_t __attribute__((may_alias)) chan_word;
typedef uint32_t __attribute__((may_alias)) chan_half;
typedef uint16_t __attribute__((may_alias)) chan_quarter;

static inline __attribute__((always_inline, no_sanitize("alignment"))) void chan_copy_short(void *to,
											    const void *from,
											    size_t size)
{
	if (size == 4) {
		*(chan_half *)to = *(const chan_half *)from;
	} else if (size == 8) {
		*(chan_word *)to = *(const chan_word *)from;
	} else if (size == 16) {
		((chan_word *)to)[0] = ((const chan_word *)from)[0];
		((chan_word *)to)[1] = ((const chan_word *)from)[1];
	} else if (size == 1) {
		*(unsigned char *)to = *(const unsigned char *)from;
	} else if (size == 2) {
		*(chan_quarter *)to = *(const chan_quarter *)from;
	}
}

static inline bool chan_size_short(size_t size)
{
	return size <= 2 || size == 4 || size == 8 || size == 16;
}

static inline __attribute__((always_inline)) void chan_copy(void *to, const void *from, size_t size)
{
	if (chan_size_short(size))
		chan_copy_short(to, from, size);
	else
		__builtin_memcpy(to, from, size);
}

/* The buffer: one element in at the tail, one out at the head. Caller holds c's lock and counts. */
static inline __attribute__((always_inline)) unsigned char *chan_place(const struct chan *c,
								       unsigned char **place)
{
	unsigned char *at = *place, *next = at + c->elem_size;
	if (next == c->end)
		next = (unsigned char *)(uintptr_t)c->buffer;
	__asm__(""
		: "+r"(next)); /* the two ways meet here: the compiler would make two copies of all that follows */
	*place = next;
	return at;
}

static inline void chan_put_locked(struct chan *c, const void *elem)
{
	chan_copy(chan_place(c, &c->tail), elem, c->elem_size);
}

static inline void chan_take_locked(struct chan *c, void *elem)
{
	const unsigned char *at = chan_place(c, &c->head);
	if (elem != NULL)
		chan_copy(elem, at, c->elem_size);
}

static inline void chan_queue_put(struct chan_queue *q, struct chan_case *w)
{
	struct chan_case *last = q->last;
	w->next = NULL;
	w->prev = last;
	q->last = w;
	if (__builtin_expect(last == NULL, 1))
		q->first = w;
	else
		last->next = w;
}

/* The first, which is w; true: it was the only one. Whether a case of a select is queued is for the caller to note; a plain waiter knows. */
static inline __attribute__((always_inline)) bool chan_queue_remove_first(struct chan_queue *q,
									  struct chan_case *w)
{
	struct chan_case *next = w->next;
	q->first = next;
	if (__builtin_expect(next != NULL, 0)) {
		next->prev = NULL;
		return false;
	}
	q->last = NULL;
	return true;
}

static inline void chan_queue_remove(struct chan_queue *q, struct chan_case *w)
{
	*(w->prev != NULL ? &w->prev->next : &q->first) = w->next;
	*(w->next != NULL ? &w->next->prev : &q->last) = w->prev;
	w->queued = false;
}

/* chan.c */

/* Does w if nobody has to wait for it. Its channel is not NULL. Panics as chan_send() does. Goroutine. */
bool chan_attempt(struct chan_case *w);

/* chan_wait.c */

/* As chan_lock(), from the start and waiting. */
uint64_t chan_lock_long(struct chan *c);

/* Takes the lock if it is free and returns the word as it was; LOCKED is set in it when it was not to be had. Preemption is off. Code that
 * gets the lock here is not on the lock checker's record, for it holds nothing else and calls nothing that takes a lock. */
static inline __attribute__((always_inline)) uint64_t chan_lock_short(struct chan *c)
{
	if (__builtin_expect(arch_hart()->lock_one != NULL, 0))
		return CHAN_LOCKED;
	/* acquires: pairs with the release in chan_unlock(), short_unlock(), wait_short() and enroll_short() */
	return arch_bit_lock(&c->word);
}

/* Takes the lock and returns the word as it was; LOCKED is set in it when the lock is on the checker's record. Preemption is off, no lock is
 * held but one ranked before channels. */
static inline uint64_t chan_lock(struct chan *c)
{
	uint64_t word = chan_lock_short(c);
	return __builtin_expect((word & CHAN_LOCKED) != 0, 0) ? chan_lock_long(c) : word;
}

/* What the word is after the operation that held the lock. It has given the lock's rank back. word: as for chan_unlock(). */
static inline uint64_t chan_word_locked(struct chan *c, uint64_t word)
{
	uint64_t now = (word & ~(CHAN_RECVQ | CHAN_SENDQ | CHAN_LOCKED)) + CHAN_VERSION;
	if (c->receivers.first != NULL)
		now |= CHAN_RECVQ;
	if (c->senders.first != NULL)
		now |= CHAN_SENDQ;
	if (__builtin_expect((word & CHAN_LOCKED) != 0, 0))
		rank_drop_short(arch_hart(), &c->rank);
	return now;
}

/* Gives it back; word is what chan_lock() returned, with elements and CLOSED as they are now. */
static inline void chan_unlock(struct chan *c, uint64_t word)
{
	uint64_t now = chan_word_locked(c, word);
	/* pairs with the acquire in chan_lock_short() and chan_lock_long(), and in a look of select.c */
	atomic_store_explicit(&c->word, now, memory_order_release);
}

/* Sends, or receives, if nobody has to wait for it. *met: whom chan_tell() is for after unlocking; else it stays as it is. Caller holds c's
 * lock; the channel is not closed (send). */
bool chan_send_locked(struct chan *c, const void *elem, uint64_t *word, struct chan_case **met);
bool chan_recv_locked(struct chan *c, void *elem, bool *ok, uint64_t *word, struct chan_case **met);
/* w, which was met, goes on: it is nobody's from here on. The lock of its channel was given back, and the channel is not touched again. */
void chan_tell(struct chan_case *w);
/* The whole operation, with preemption raised by the caller and lowered at the end. word: as chan_lock_short() returned it; without
 * LOCKED the caller holds the lock. wait: until it can go on. */
bool chan_send_long(struct chan *c, const void *elem, uint64_t word, bool wait);
bool chan_recv_long(struct chan *c, void *elem, bool *ok, uint64_t word, bool wait);
/* Those with wait, as chan_send() and chan_recv() call them. */
bool chan_send_wait(struct chan *c, const void *elem, uint64_t word);
bool chan_recv_wait(struct chan *c, void *elem, uint64_t word);
bool chan_nil_wait(enum wait_reason reason); /* for ever; bool, so that chan_recv() jumps here */
bool chan_preempted(void);                   /* gives the hart away as it was asked to; true */
bool chan_wake(struct g *g, uint32_t left);  /* ready_rest(), and lowers preempt_off; true */

/* select.c */

/* Wins the select that w belongs to, for w; true at once when w is no select's. False: it was won already, and w is to be taken from its
 * queue. Caller holds the lock of w's channel, and calls chan_tell() when it has given it back. */
bool select_win(struct chan_case *w);

#endif

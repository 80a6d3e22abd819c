/*
 * Channels of timers: what the kernel does with a channel and applications do not. Such a channel holds one element, which a timer or ticker
 * put there, and says that its length and capacity are 0: a value that nobody has received can still be taken back.
 */
#ifndef SCHED_CHAN_TIMER_H
#define SCHED_CHAN_TIMER_H

#include <hartbeat/chan.h>

struct chan_timer {
	/* The element was received: there is room for the next. Called after every receive or select that did not wait, by the receiver,
	 * no lock held. */
	void (*taken)(struct chan_timer *t);
};

/* The channel of t. NULL when memory is out. */
struct chan *chan_make_timer(size_t elem_size, struct chan_timer *t) __attribute__((warn_unused_result));
/* Frees it; nobody may wait on it. */
void chan_free_timer(struct chan *c);
/* Whose channel c is; NULL: an ordinary one. */
struct chan_timer *chan_timer(const struct chan *c);
/* Takes back what nobody has received. False: nothing was there. The owner's lock may be held. */
bool chan_drain(struct chan *c);

#endif

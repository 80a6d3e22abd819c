/*
 * Channels: typed pipes between goroutines, buffered or not. Semantics as Go's: FIFO waiters, a receive from a closed channel drains the
 * buffer and then reports the end, a send on a closed channel panics, a nil channel blocks for ever.
 *
 *	struct chan *c = chan_make(sizeof(int), 16);
 *	int v = 42;
 *	chan_send(c, &v);
 *	while (chan_recv(c, &v)) ...
 */
#ifndef HARTBEAT_CHAN_H
#define HARTBEAT_CHAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct chan;

/* A channel of elements of elem_size bytes (0 is allowed) with room for capacity of them (0: unbuffered). NULL when memory is out, the
 * product overflows, or capacity is above 2^27 - 1. Goroutine. */
struct chan *chan_make(size_t elem_size, size_t capacity) __attribute__((warn_unused_result));
/* Frees a channel nobody uses any more. Of two whose operations met, a send and the receive of its element, or a close and what it ended, each
 * may free it when its own has returned, if nobody else uses it. Fatal when goroutines wait on it. NULL is allowed. Goroutine. */
void chan_free(struct chan *c);

/* Copies one element from *elem into the channel; waits while it is full. Panics (recoverably) with "send on closed channel" when c is
 * closed, before or while it waits. Goroutine, as all below. */
void chan_send(struct chan *c, const void *elem);
/* Copies one element from the channel to *elem (which may be NULL); waits while it is empty. False, and *elem zeroed, when c is closed and
 * drained. */
bool chan_recv(struct chan *c, void *elem);
/* The same without waiting: false when it would wait. Neither takes a lock to find that out. */
bool chan_try_send(struct chan *c, const void *elem);
/* False when it would wait. *ok, if not NULL: whether an element came (false: closed and drained). */
bool chan_try_recv(struct chan *c, void *elem, bool *ok);

/* The same, waiting for at most ns nanoseconds: false, and errno ETIMEDOUT, when the time is over (then nothing was sent or received), or
 * ENOMEM, at once, when it would have to wait and memory for a timer is out. */
bool chan_send_timeout(struct chan *c, const void *elem, uint64_t ns) __attribute__((warn_unused_result));
bool chan_recv_timeout(struct chan *c, void *elem, bool *ok, uint64_t ns) __attribute__((warn_unused_result));

/* No more elements will come: wakes all waiters, selects too; a waiting sender panics. Panics with "close of nil channel" or "close of
 * closed channel". */
void chan_close(struct chan *c);

size_t chan_len(struct chan *c); /* elements in the buffer; 0 for NULL */
size_t chan_cap(struct chan *c); /* 0 for NULL */

#ifdef __cplusplus
}
#endif

#endif

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

#ifdef __cplusplus
extern "C" {
#endif

struct chan;

/* A channel of elements of elem_size bytes (0 is allowed) with room for capacity of them (0: unbuffered). NULL when memory is out or the
 * product overflows. */
struct chan *chan_make(size_t elem_size, size_t capacity) __attribute__((warn_unused_result));
/* Frees a channel nobody uses any more. Panics when goroutines wait on it. NULL is allowed. */
void chan_free(struct chan *c);

/* Copies one element from *elem into the channel; waits while it is full. Panics when c is closed. */
void chan_send(struct chan *c, const void *elem);
/* Copies one element from the channel to *elem (which may be NULL); waits while it is empty. False, and *elem zeroed, when c is closed and
 * drained. */
bool chan_recv(struct chan *c, void *elem);
/* The same without waiting: false when it would wait. */
bool chan_try_send(struct chan *c, const void *elem);
/* False when it would wait. *ok, if not NULL: whether an element came (false: closed and drained). */
bool chan_try_recv(struct chan *c, void *elem, bool *ok);

/* No more elements will come: wakes all waiters. Panics when c is nil or closed already. */
void chan_close(struct chan *c);

size_t chan_len(struct chan *c); /* elements in the buffer */
size_t chan_cap(struct chan *c);

#ifdef __cplusplus
}
#endif

#endif

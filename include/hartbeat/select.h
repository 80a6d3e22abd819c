/*
 * Select: waits for the first of several channel operations that can go on, and does that one only. Semantics as Go's.
 *
 *	struct chan_case cases[] = {CHAN_CASE_RECV(numbers, &n), CHAN_CASE_SEND(results, &r)};
 *	switch (chan_select(cases, 2, false)) {
 *	case 0: if (!cases[0].ok) ... numbers is closed; break;
 *	case 1: ... r was sent; break;
 *	}
 *
 * The choice among cases that are ready at once is uniform. A case whose channel is NULL is never ready; the same channel may stand in
 * several cases, in both directions. The array holds the goroutine's place in each channel's queue, so a select of any size allocates
 * nothing; it may be used again and again, by one goroutine at a time.
 */
#ifndef HARTBEAT_SELECT_H
#define HARTBEAT_SELECT_H

#include <hartbeat/chan.h>

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum chan_direction { CHAN_RECV, CHAN_SEND };

struct chan_case {
	struct chan *c;          /* NULL: never ready */
	void *elem;              /* the variable to receive into (NULL: not wanted) or to send from */
	enum chan_direction dir; /* CHAN_RECV or CHAN_SEND */
	bool ok;                 /* after a receive: an element came; false: closed and drained */
	bool queued;             /* from here on private to the implementation; needs no initial value */
	struct chan_case *next, *prev;
	struct chan_select *select;
	struct g *g;
};

#define CHAN_CASE_RECV(chan_, elem_)                            \
	{                                                       \
		.c = (chan_), .elem = (elem_), .dir = CHAN_RECV \
	}
#define CHAN_CASE_SEND(chan_, elem_)                                               \
	{                                                                          \
		.c = (chan_), .elem = (void *)(uintptr_t)(elem_), .dir = CHAN_SEND \
	}

enum {
	CHAN_SELECT_MAX = 65536, /* cases, as Go */
	CHAN_SELECT_NONE = -1,   /* no case was ready, or the time is over */
	CHAN_SELECT_NOMEM = -2,  /* no memory for a timer; nothing was done */
};

/*
 * Does one of the n operations that can go on at once; when none can: returns CHAN_SELECT_NONE if has_default, else waits for the first
 * that can (for ever with no cases, or with none but NULL channels). Returns the index of the case that was done.
 * Panics: a send case chosen on a closed channel ("send on closed channel"), more than CHAN_SELECT_MAX cases. Goroutine.
 */
int chan_select(struct chan_case *cases, size_t n, bool has_default);

/* As chan_select(), but waits for at most ns nanoseconds (0, or above INT64_MAX: not at all): CHAN_SELECT_NONE when no case could go on until then, CHAN_SELECT_NOMEM when
 * it would have to wait and memory for a timer is out. Goroutine. */
int chan_select_timeout(struct chan_case *cases, size_t n, uint64_t ns) __attribute__((warn_unused_result));

#ifdef __cplusplus
}
#endif

#endif

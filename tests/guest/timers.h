/* What the tests of timers, tickers and contexts share. */
#ifndef TESTS_GUEST_TIMERS_H
#define TESTS_GUEST_TIMERS_H

#include <hartbeat/chan.h>
#include <hartbeat/time.h>

#include "kernel/assert.h"
#include "kernel/heap.h"
#include "suite.h"

/* Long enough for any host to run what is waited for, short against a test's timeout. */
#define PATIENCE (20 * TIME_SECOND)
/* Far away: nothing set to this fires in a test. */
#define HOUR (3600 * TIME_SECOND)

/* Whether c has nothing to receive just now. */
static inline bool nothing_in(struct chan *c)
{
	return !chan_try_recv(c, NULL, NULL);
}

/* Receives from c, polling, so that a value that never comes is a failure and no hang. */
static inline bool recv_patiently(struct chan *c, void *elem)
{
	for (uint64_t end = time_now() + PATIENCE; !chan_try_recv(c, elem, NULL);
	     time_sleep(TIME_MICROSECOND))
		if (time_now() > end)
			return false;
	return true;
}

/* Objects in use on the heap of the sizes that timers, contexts and their channels have: larger ones are goroutines and what preemption
 * saves, which are kept for the next. */
static inline size_t heap_objects(void)
{
	size_t n = 0;
	struct heap_class_stats c;
	for (unsigned i = 0; heap_class_stats(i, &c) && c.size <= 512; i++)
		n += c.objects;
	return n;
}

/* Whether they come down to `want`: goroutines that have returned may still be ending. */
static inline bool heap_comes_to(size_t want)
{
	for (uint64_t end = time_now() + 2 * TIME_SECOND; heap_objects() > want; time_sleep(TIME_MILLISECOND))
		if (time_now() > end)
			return false;
	return true;
}

#endif

/*
 * Error group: a wait group, a semaphore for the limit, and a word for the first error.
 *
 * 1. The first error is set by one compare-and-swap from 0, before its goroutine is counted off. Otherwise wait could miss it, or a later
 *    one replace it.
 */
#include <hartbeat/errgroup.h>

#include <stdatomic.h>

#include <hartbeat/go.h>
#include <hartbeat/panic.h>

#include "kernel/heap.h"

struct start {
	struct errgroup *e;
	int (*fn)(void *);
	void *arg;
};

static _Atomic int *error_of(struct errgroup *e)
{
	return (_Atomic int *)&e->error;
}

/* The counter of the wait group: how many run or are about to. */
static uint32_t running(const struct errgroup *e)
{
	return (uint32_t)(__atomic_load_n(&e->all.state, __ATOMIC_RELAXED) >> 32);
}

void errgroup_set_limit(struct errgroup *e, uint32_t n)
{
	uint32_t r = running(e);
	if (r != 0)
		go_panic("errgroup: modify limit while %u goroutines in the group are still active", r);
	e->limit = n;
	e->slots = (struct semaphore)SEMAPHORE_INIT(n);
}

void errgroup_on_error(struct errgroup *e, void (*fn)(void *arg), void *arg)
{
	e->on_error = fn;
	e->on_error_arg = arg;
}

static void leave(struct errgroup *e)
{
	if (e->limit != 0)
		semaphore_release(&e->slots, 1);
	waitgroup_done(&e->all);
}

/* The function has returned or ended its goroutine. A panic that nobody recovers ends the program before anybody goes on. */
static void finish(void *group)
{
	if (go_panicking() == NULL)
		leave(group);
}

static void run(void *arg)
{
	struct start s = *(struct start *)arg;
	heap_free(arg);
	DEFER(finish, s.e);
	int error = s.fn(s.arg), none = 0;
	if (error != 0 && atomic_compare_exchange_strong(error_of(s.e), &none, error) &&
	    s.e->on_error != NULL) /* pairs with the load in errgroup_wait() */
		s.e->on_error(s.e->on_error_arg);
}

/* The slot is taken. */
static uint64_t start(struct errgroup *e, int (*fn)(void *arg), void *arg)
{
	struct start *s = heap_alloc(sizeof *s);
	uint64_t id = 0;
	waitgroup_add(&e->all, 1);
	if (s != NULL) {
		*s = (struct start){e, fn, arg};
		id = go(run, s);
	}
	if (id == 0) {
		heap_free(s);
		leave(e);
	}
	return id;
}

uint64_t errgroup_go(struct errgroup *e, int (*fn)(void *arg), void *arg)
{
	if (e->limit != 0)
		semaphore_acquire(&e->slots, 1);
	return start(e, fn, arg);
}

uint64_t errgroup_try_go(struct errgroup *e, int (*fn)(void *arg), void *arg)
{
	if (e->limit != 0 && !semaphore_try_acquire(&e->slots, 1))
		return 0;
	return start(e, fn, arg);
}

int errgroup_wait(struct errgroup *e)
{
	waitgroup_wait(&e->all);
	/* pairs with the compare-and-swap in run() */
	return atomic_load_explicit(error_of(e), memory_order_acquire);
}

/*
 * A group of goroutines that work on parts of one task: waits for all, keeps the first error, and limits how many run, as Go's
 * golang.org/x/sync/errgroup. A zeroed group is ready for use. Goroutine context only.
 *
 *	struct errgroup e = {0};
 *	errgroup_set_limit(&e, 8);
 *	for (int i = 0; i < n; i++)
 *		if (errgroup_go(&e, fetch, &url[i]) == 0) ...
 *	int error = errgroup_wait(&e);
 */
#ifndef HARTBEAT_ERRGROUP_H
#define HARTBEAT_ERRGROUP_H

#include <hartbeat/semaphore.h>
#include <hartbeat/waitgroup.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Fields are private. */
struct errgroup {
	struct waitgroup all;
	struct semaphore slots;
	uint32_t limit; /* 0: none */
	int error;      /* atomic: the first; 0: none */
	void (*on_error)(void *arg);
	void *on_error_arg;
};

/* At most n goroutines at a time; 0: no limit. Panics when goroutines of the group run. */
void errgroup_set_limit(struct errgroup *e, uint32_t n);
/* fn(arg) is called once, when the first error comes, from the goroutine that had it: to cancel the others. Before the first goroutine. */
void errgroup_on_error(struct errgroup *e, void (*fn)(void *arg), void *arg);
/* Runs fn(arg) in a new goroutine; waits while the limit is reached. A result other than 0 is an error. The goroutine's id, or 0 when memory is
 * out: then nothing was started. */
uint64_t errgroup_go(struct errgroup *e, int (*fn)(void *arg), void *arg) __attribute__((warn_unused_result));
/* The same without waiting: 0 also when the limit is reached. */
uint64_t errgroup_try_go(struct errgroup *e, int (*fn)(void *arg), void *arg)
	__attribute__((warn_unused_result));
/* Waits for all goroutines of the group. The first error, or 0. */
int errgroup_wait(struct errgroup *e);

#ifdef __cplusplus
}
#endif

#endif

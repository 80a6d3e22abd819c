/*
 * Things done once, as Go's sync.Once, OnceFunc and OnceValue. A zeroed once is ready for use. Goroutine context only.
 *
 *	static struct once_value table = ONCE_VALUE(make_table, NULL);
 *	struct entry *t = once_value_get(&table);
 */
#ifndef HARTBEAT_ONCE_H
#define HARTBEAT_ONCE_H

#include <stdbool.h>
#include <stdint.h>

#include <hartbeat/mutex.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Fields are private. */
struct once {
	uint32_t done; /* atomic */
	struct mutex m;
};

void once_do_slow(struct once *o, void (*fn)(void *), void *arg); /* private */

/* Calls fn(arg) if this is the first call for o; a later one, or one at the same time, returns when the first has finished. The call counts
 * when fn panics or ends its goroutine, too. Calling it for the same o from fn waits for ever. */
static inline void once_do(struct once *o, void (*fn)(void *), void *arg)
{
	/* pairs with the release in sched/once.c */
	if (__builtin_expect(__atomic_load_n(&o->done, __ATOMIC_ACQUIRE) == 0, 0))
		once_do_slow(o, fn, arg);
}

/* A function that is called once; if it panicked, each call panics with its message. Fields are private. */
struct once_func {
	struct once once;
	void (*fn)(void *);
	void *arg;
	bool panicked;
	char *message;
};

#define ONCE_FUNC(fn_, arg_)               \
	{                                  \
		.fn = (fn_), .arg = (arg_) \
	}

void once_func_call(struct once_func *f);

/* A value that is computed once. Fields are private. */
struct once_value {
	struct once_func func;
	void *(*fn)(void *);
	void *arg, *value;
};

#define ONCE_VALUE(fn_, arg_)              \
	{                                  \
		.fn = (fn_), .arg = (arg_) \
	}

void *once_value_get(struct once_value *v);

#ifdef __cplusplus
}
#endif

#endif

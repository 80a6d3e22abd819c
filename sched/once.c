/*
 * Once: a flag that says "done" for those who come later, and a mutex for those who come at the same time.
 *
 * 1. The flag is set when the function is over, whichever way it left, and before the mutex is free. Otherwise a caller would return too
 *    early, or call the function again.
 */
#include <hartbeat/once.h>

#include <stdatomic.h>
#include <string.h>

#include <hartbeat/panic.h>

#include "kernel/heap.h"

static void unlock(void *m)
{
	mutex_unlock(m);
}

static void mark_done(void *once)
{
	struct once *o = once;
	/* pairs with the acquire in once_do() */
	atomic_store_explicit((_Atomic uint32_t *)&o->done, 1, memory_order_release);
}

void once_do_slow(struct once *o, void (*fn)(void *), void *arg)
{
	mutex_lock(&o->m);
	DEFER(unlock, &o->m);
	if (atomic_load_explicit((_Atomic uint32_t *)&o->done, memory_order_relaxed) == 0) {
		DEFER(mark_done, o);
		fn(arg);
	}
}

static void keep_panic(void *func)
{
	struct once_func *f = func;
	const char *message = go_panicking();
	if (message == NULL)
		return;
	f->panicked = true;
	size_t size = strlen(message) + 1;
	f->message = heap_alloc(size);
	if (f->message != NULL)
		memcpy(f->message, message, size);
}

static void call_first(void *func)
{
	struct once_func *f = func;
	DEFER(keep_panic, f);
	f->fn(f->arg);
}

void once_func_call(struct once_func *f)
{
	once_do(&f->once, call_first, f);
	if (f->panicked)
		go_panic("%s", f->message != NULL ? f->message : "once: the function panicked");
}

static void compute(void *value)
{
	struct once_value *v = value;
	v->value = v->fn(v->arg);
}

static void compute_first(void *value)
{
	struct once_value *v = value;
	v->func.fn = compute;
	v->func.arg = v;
	call_first(&v->func);
}

void *once_value_get(struct once_value *v)
{
	once_do(&v->func.once, compute_first, v);
	if (v->func.panicked)
		go_panic("%s", v->func.message != NULL ? v->func.message : "once: the function panicked");
	return v->value;
}

/*
 * Pool of things that are costly to make and may be used again, as Go's sync.Pool: each hart keeps its own, and takes from the others when it
 * has none. What nobody has taken for two passes of the shrinker is dropped.
 *
 *	static void *make_buffer(void) { return malloc(65536); }
 *	static struct pool buffers = POOL(make_buffer, free);
 *	char *b = pool_get(&buffers);
 *	...
 *	pool_put(&buffers, b);
 *
 * Goroutine context only.
 */
#ifndef HARTBEAT_POOL_H
#define HARTBEAT_POOL_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* make and drop are set before the first use; the other fields are private. */
struct pool {
	void *(*make)(
		void); /* a new item, when there is none to use again; NULL: pool_get() returns NULL then */
	void (*drop)(
		void *item); /* the end of an item; NULL: items are forgotten. It must not put or destroy */
	struct pool_state *state; /* atomic */
	struct pool *next;
};

#define POOL(make_, drop_)                       \
	{                                        \
		.make = (make_), .drop = (drop_) \
	}

/* An item that was put, or a new one. */
void *pool_get(struct pool *p);
/* Gives an item away; NULL is ignored. It is dropped at once when memory is out. */
void pool_put(struct pool *p, void *item);
/* Drops everything in it. Nobody uses the pool meanwhile; afterwards it is as new. */
void pool_destroy(struct pool *p);

#ifdef __cplusplus
}
#endif

#endif

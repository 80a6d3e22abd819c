/*
 * Where the profile path's memory comes from: function pointers, so that the same code runs on the kernel's
 * heap, in a fixed arena and under a test's allocator that fails on purpose.
 */
#ifndef PROF_MEM_H
#define PROF_MEM_H

#include <stddef.h>

struct mem_ops {
	void *(*alloc)(void *ctx, size_t size); /* aligned for any type; NULL when there is none */
	void (*free)(void *ctx, void *p);       /* p from alloc; never NULL */
	void *ctx;
};

static inline void *mem_alloc(const struct mem_ops *m, size_t size)
{
	return m->alloc(m->ctx, size);
}

static inline void mem_free(const struct mem_ops *m, void *p)
{
	if (p != NULL)
		m->free(m->ctx, p);
}

#endif

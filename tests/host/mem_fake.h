/*
 * A mem_ops for host tests: counts what is out, remembers the most, and fails on request, at one allocation
 * or from one on. Leaks and overruns are the sanitizer's to find.
 */
#ifndef TESTS_HOST_MEM_FAKE_H
#define TESTS_HOST_MEM_FAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "prof/mem.h"

struct mem_fake {
	struct mem_ops ops;
	size_t out, most;     /* bytes */
	unsigned allocations; /* asked for so far */
	unsigned fail_at;     /* number of the one that fails, from 1; 0 is none */
	bool fail_on;         /* and all after it */
};

static inline void *mem_fake_alloc(void *ctx, size_t size)
{
	struct mem_fake *m = ctx;
	m->allocations++;
	if (m->fail_at != 0 && (m->allocations == m->fail_at || (m->fail_on && m->allocations > m->fail_at)))
		return NULL;
	size_t *p = malloc(sizeof(max_align_t) + size);
	if (p == NULL)
		abort();
	*p = size;
	m->out += size;
	if (m->out > m->most)
		m->most = m->out;
	return (char *)p + sizeof(max_align_t);
}

static inline void mem_fake_free(void *ctx, void *p)
{
	struct mem_fake *m = ctx;
	size_t *head = (size_t *)((char *)p - sizeof(max_align_t));
	m->out -= *head;
	free(head);
}

static inline void mem_fake_init(struct mem_fake *m)
{
	*m = (struct mem_fake){.ops = {.alloc = mem_fake_alloc, .free = mem_fake_free, .ctx = m}};
}

#endif

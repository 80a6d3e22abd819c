/*
 * The C library's allocator on the kernel heap. The whole family is defined here, because the library's own
 * members would read the headers of the library's own malloc. Contexts as in kernel/heap.h.
 */
#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

#include "kernel/heap.h"
#include "kernel/limits.h"

void *aligned_alloc(size_t align, size_t size);
int posix_memalign(void **out, size_t align, size_t size);
void *valloc(size_t size);
void *reallocarray(void *p, size_t n, size_t size);

enum { ALIGN_MAX = 1 << 30 };

static void *checked(void *p)
{
	if (p == NULL)
		errno = ENOMEM;
	return p;
}

void *malloc(size_t size)
{
	return checked(heap_alloc(size));
}

void free(void *p)
{
	heap_free(p);
}

void cfree(void *p)
{
	heap_free(p);
}

void *calloc(size_t n, size_t size)
{
	size_t bytes;
	if (__builtin_mul_overflow(n, size, &bytes))
		return checked(NULL);
	return checked(heap_alloc_zero(bytes));
}

/* Size 0 frees, as the library's own did. */
void *realloc(void *p, size_t size)
{
	if (p != NULL && size == 0) {
		heap_free(p);
		return NULL;
	}
	return checked(heap_realloc(p, size));
}

void *reallocarray(void *p, size_t n, size_t size)
{
	size_t bytes;
	if (__builtin_mul_overflow(n, size, &bytes))
		return checked(NULL);
	return realloc(p, bytes);
}

void *memalign(size_t align, size_t size)
{
	if (align == 0 || (align & (align - 1)) != 0) {
		errno = EINVAL;
		return NULL;
	}
	return checked(align <= ALIGN_MAX ? heap_aligned(align, size) : NULL);
}

void *aligned_alloc(size_t align, size_t size)
{
	return memalign(align, size);
}

int posix_memalign(void **out, size_t align, size_t size)
{
	if (align < sizeof(void *) || (align & (align - 1)) != 0)
		return EINVAL;
	void *p = align <= ALIGN_MAX ? heap_aligned(align, size) : NULL;
	if (p == NULL)
		return ENOMEM;
	*out = p;
	return 0;
}

void *valloc(size_t size)
{
	return memalign(PAGE_SIZE, size);
}

void *pvalloc(size_t size)
{
	size_t bytes;
	if (__builtin_add_overflow(size, PAGE_SIZE - 1, &bytes))
		return checked(NULL);
	return memalign(PAGE_SIZE, bytes & ~(size_t)(PAGE_SIZE - 1));
}

size_t malloc_usable_size(void *p)
{
	return p != NULL ? heap_usable(p) : 0;
}

struct mallinfo mallinfo(void)
{
	struct heap_stats s;
	heap_stats(&s);
	return (struct mallinfo){
		.arena = s.held_bytes,
		.hblks = s.large_objects,
		.hblkhd = s.large_bytes,
		.uordblks = s.used_bytes,
		.fordblks = s.held_bytes > s.used_bytes ? s.held_bytes - s.used_bytes : 0,
	};
}

/* There is nothing to tune: 0 says that the option was not taken. */
int mallopt(int option, int value)
{
	(void)option;
	(void)value;
	return 0;
}

/* Gives this hart's cached memory back; 1 as in other libraries when that could be done. */
int malloc_trim(size_t pad)
{
	(void)pad;
	heap_drain();
	return 1;
}

void malloc_stats(void)
{
	struct heap_stats s;
	heap_stats(&s);
	fprintf(stderr, "heap: %zu bytes in %zu objects, %zu bytes held, %zu requests failed\n", s.used_bytes,
		s.used_objects, s.held_bytes, s.failed);
}

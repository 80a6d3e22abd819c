/* kernel/malloc.c under names of its own: sizes, errno, overflow. */
#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "kernel/page.h"
#include "kernel/system.h"
#include "tests/host/check.h"
#include "tests/host/host_lock.h"

#define malloc             kernel_malloc
#define free               kernel_free
#define cfree              kernel_cfree
#define calloc             kernel_calloc
#define realloc            kernel_realloc
#define reallocarray       kernel_reallocarray
#define memalign           kernel_memalign
#define aligned_alloc      kernel_aligned_alloc
#define posix_memalign     kernel_posix_memalign
#define valloc             kernel_valloc
#define pvalloc            kernel_pvalloc
#define malloc_usable_size kernel_malloc_usable_size
#define mallopt            kernel_mallopt
#define malloc_trim        kernel_malloc_trim
#define malloc_stats       kernel_malloc_stats
#define mallinfo           kernel_mallinfo
struct kernel_mallinfo {
	size_t arena, hblks, hblkhd, uordblks, fordblks;
};
void *malloc(size_t size);
void free(void *p);
void cfree(void *p);
void *calloc(size_t n, size_t size);
void *realloc(void *p, size_t size);
void *memalign(size_t align, size_t size);
void *pvalloc(size_t size);
size_t malloc_usable_size(void *p);
struct mallinfo mallinfo(void);
int mallopt(int option, int value);
int malloc_trim(size_t pad);
void malloc_stats(void);
#include "kernel/malloc.c"

TEST(malloc_family)
{
	enum { BYTES = 16 << 20 };
	void *arena = mmap((void *)0x20000000, BYTES, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	struct page_range r[] = {{(uintptr_t)arena, BYTES}};
	page_init(r, 1);
	on_system_stack(page_rest_sys, NULL);
	heap_init(HART_MAX);
	volatile size_t huge = SIZE_MAX / 2;

	char *p = malloc(10);
	CHECK(p != NULL && malloc_usable_size(p) >= 10 && malloc_usable_size(NULL) == 0);
	strcpy(p, "heartbeat");
	p = realloc(p, 5000);
	CHECK_STR(p, "heartbeat");
	CHECK(realloc(p, 0) == NULL);
	errno = 0;
	CHECK(malloc(huge) == NULL);
	CHECK_EQ(errno, ENOMEM);
	errno = 0;
	CHECK(calloc(huge / 2 + 2, 4) == NULL); /* 4 after overflow */
	CHECK_EQ(errno, ENOMEM);
	errno = 0;
	CHECK(reallocarray(NULL, huge / 2 + 2, 4) == NULL);
	CHECK_EQ(errno, ENOMEM);
	p = malloc(100);
	memset(p, 1, 100);
	free(p);
	p = calloc(5, 20);
	for (int i = 0; i < 100; i++)
		CHECK_EQ(p[i], 0);
	free(p);
	p = realloc(NULL, 7);
	CHECK(p != NULL);
	cfree(p);
	free(NULL);

	void *q = NULL;
	CHECK_EQ(posix_memalign(&q, 3, 8), EINVAL);
	CHECK_EQ(posix_memalign(&q, 2, 8), EINVAL);
	CHECK_EQ(posix_memalign(&q, 64, huge), ENOMEM);
	CHECK_EQ(posix_memalign(&q, 64, 8), 0);
	CHECK((uintptr_t)q % 64 == 0);
	free(q);
	errno = 0;
	CHECK(memalign(24, 8) == NULL);
	CHECK_EQ(errno, EINVAL);
	CHECK(memalign((size_t)1 << 40, 8) == NULL);
	CHECK_EQ(errno, ENOMEM);
	q = valloc(1);
	CHECK((uintptr_t)q % PAGE_SIZE == 0);
	free(q);
	q = pvalloc(PAGE_SIZE + 1);
	CHECK((uintptr_t)q % PAGE_SIZE == 0 && malloc_usable_size(q) == 2 * PAGE_SIZE);
	CHECK_EQ(mallinfo().uordblks, 2 * PAGE_SIZE);
	free(q);
	CHECK(pvalloc(SIZE_MAX) == NULL);
	q = aligned_alloc(32, 32);
	CHECK((uintptr_t)q % 32 == 0);
	free(q);
	CHECK_EQ(mallopt(1, 2), 0);
	CHECK_EQ(malloc_trim(0), 1);
	CHECK_EQ(mallinfo().arena, 0);
	page_zone_count = 0;
	munmap(arena, BYTES);
}

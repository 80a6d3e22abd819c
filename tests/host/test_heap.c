/*
 * kernel/heap.c, slab.c and size_class.c on an arena of host memory, with threads that move between harts at
 * every chance (host_lock.c). Meant for ASan with UBSan, and for TSan.
 */
#include "kernel/heap.h"

#include <pthread.h>
#include <string.h>
#include <sys/mman.h>

#include "kernel/page.h"
#include "kernel/size_class.h"
#include "kernel/system.h"
#include "tests/host/check.h"
#include "tests/host/host_lock.h"
#include "tests/host/host_panic.h"

#define ARENA 0x20000000ul

enum { MIB = 1 << 20, THREADS = 4, SLOTS = 1024, STEPS = 20000 };

static size_t arena_bytes;

static struct page_stats pages(void)
{
	struct page_stats s;
	host_enter(0);
	page_stats(&s);
	host_leave();
	return s;
}

static struct heap_stats heap(void)
{
	struct heap_stats s;
	heap_stats(&s);
	return s;
}

static void arena_open(size_t bytes)
{
	void *p = mmap((void *)ARENA, bytes, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
	if (p != (void *)ARENA)
		check_fail(__FILE__, __LINE__, "arena is taken");
	arena_bytes = bytes;
	struct page_range r[] = {{ARENA, bytes}};
	page_init(r, 1);
	on_system_stack(page_rest_sys, NULL);
	heap_init(HART_MAX);
	host_harts = 1;
}

/* Drains every hart and checks that the heap holds nothing and every page is back in one piece. */
static void arena_close(void)
{
	for (unsigned i = 0; i < host_harts; i++)
		heap_drain(); /* each call runs on the next hart */
	struct heap_stats h = heap();
	CHECK_EQ(h.used_bytes, 0);
	CHECK_EQ(h.used_objects, 0);
	CHECK_EQ(h.held_bytes, 0);
	struct page_stats s = pages();
	CHECK_EQ(s.unused, s.total);
	CHECK_EQ(s.cached, 0);
	page_zone_count = 0;
	struct page_range r[] = {{ARENA, arena_bytes}};
	page_init(r, 1);
	on_system_stack(page_rest_sys, NULL);
	CHECK(memcmp(pages().free_blocks, s.free_blocks, sizeof s.free_blocks) == 0);
	page_zone_count = 0;
	munmap((void *)ARENA, arena_bytes);
	host_harts = 1;
}

#define CHECK_PANIC(code, rule)                                                                        \
	do {                                                                                           \
		jmp_buf env;                                                                           \
		panic_trap = &env;                                                                     \
		panic_text[0] = 0;                                                                     \
		if (setjmp(env) == 0) {                                                                \
			code;                                                                          \
			check_fail(__FILE__, __LINE__, "no panic: %s", rule);                          \
		} else {                                                                               \
			host_reset();                                                                  \
		}                                                                                      \
		panic_trap = NULL;                                                                     \
		if (strstr(panic_text, rule) == NULL)                                                  \
			check_fail(__FILE__, __LINE__, "panic \"%s\" lacks \"%s\"", panic_text, rule); \
	} while (0)

static uint64_t random_next(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

TEST(class_table_waste_and_reciprocals)
{
	for (size_t size = 0; size <= CLASS_SIZE_MAX; size++) {
		unsigned class = size_class_of(size);
		CHECK(class < CLASS_COUNT && size_classes[class].size >= size);
		CHECK(class == 0 || size_classes[class - 1].size < size);
		if (size > 128)
			CHECK((size_classes[class].size - size) * 8 < size_classes[class].size);
	}
	for (unsigned class = 0; class < CLASS_COUNT; class ++) {
		const struct size_class *c = &size_classes[class];
		unsigned bytes = c->pages * PAGE_SIZE;
		CHECK(c->size % 16 == 0 || class == 0);
		CHECK((bytes - c->count * c->size) * 8 <= bytes);
		CHECK(c->batch >= 1 && c->count >= 1);
		unsigned bad = 0;
		for (uint32_t offset = 0; offset < bytes; offset++)
			bad += (uint64_t)offset * c->reciprocal >> 32 != offset / c->size;
		CHECK_EQ(bad, 0);
	}
}

TEST(heap_every_small_size)
{
	arena_open(64 * MIB);
	for (size_t size = 0; size <= 70000; size += size < 2100 ? 1 : 97) {
		unsigned char *p = heap_alloc(size), *q = heap_alloc(size);
		CHECK(p != NULL && q != NULL && p != q);
		CHECK(heap_usable(p) >= size);
		CHECK((uintptr_t)p % (size > 8 ? 16 : 8) == 0);
		memset(p, 1, size);
		memset(q, 2, heap_usable(q));
		CHECK(size == 0 || (p[0] == 1 && p[size - 1] == 1));
		heap_free(q);
		heap_free(p);
	}
	heap_free(NULL);
	arena_close();
}

TEST(heap_alignment)
{
	arena_open(256 * MIB);
	for (size_t align = 1; align <= 16 * MIB; align *= 2)
		for (size_t size = 0; size < 200000; size = size * 3 + 1) {
			char *p = heap_aligned(align, size);
			CHECK(p != NULL && (uintptr_t)p % align == 0 && heap_usable(p) >= size);
			memset(p, 3, size);
			heap_free(p);
		}
	arena_close();
}

TEST(heap_large_takes_its_size)
{
	arena_open(256 * MIB);
	size_t before = pages().unused;
	char *p = heap_alloc(100ul * MIB);
	CHECK(p != NULL);
	CHECK_EQ(before - pages().unused, 100 * MIB / PAGE_SIZE);
	CHECK_EQ(heap().large_bytes, 100 * MIB);
	p[99 * MIB] = 7;
	p[5] = 9;
	char *q = heap_realloc(p, 10ul * MIB - 3);
	CHECK(q == p && q[5] == 9);
	CHECK_EQ(before - pages().unused, 10 * MIB / PAGE_SIZE);
	q = heap_realloc(q, 20000);
	CHECK(q != NULL && q[5] == 9);
	CHECK_EQ(heap().large_objects, 0);
	heap_free(q);
	CHECK(heap_alloc(SIZE_MAX) == NULL);
	CHECK(heap_alloc((size_t)PTRDIFF_MAX) == NULL);
	CHECK(heap_alloc(300ul * MIB) == NULL);
	arena_close();
}

/* What is not written to may be copied by heap_realloc(), to where it would say that the object there is free. */
TEST(heap_large_is_not_marked_as_free)
{
	enum { N = 4096 };
	static void *p[N];
	arena_open(16 * MIB);
	for (unsigned pages = 9; pages < 40; pages++) {
		for (int i = 0; i < N; i++)
			p[i] = heap_alloc(64);
		for (int i = 0; i < N; i++)
			heap_free(p[i]);
		unsigned n = 0;
		for (; n < 64 && (p[n] = heap_alloc(pages * PAGE_SIZE)) != NULL; n++)
			CHECK(((uintptr_t *)p[n])[1] != ~(uintptr_t)p[n]);
		while (n > 0)
			heap_free(p[--n]);
	}
	arena_close();
}

TEST(heap_stats_count_objects)
{
	arena_open(16 * MIB);
	void *p[100];
	for (int i = 0; i < 100; i++)
		p[i] = heap_alloc(100);
	struct heap_class_stats c;
	CHECK(heap_class_stats(size_class_of(100), &c));
	CHECK_EQ(c.size, 112);
	CHECK_EQ(c.objects, 100);
	CHECK_EQ(heap().used_objects, 100);
	CHECK_EQ(heap().used_bytes, 11200);
	for (int i = 0; i < 100; i++)
		heap_free(p[i]);
	CHECK_EQ(heap().used_objects, 0);
	CHECK(!heap_class_stats(CLASS_COUNT, &c));
	arena_close();
}

struct slot {
	unsigned char *p;
	size_t size;
	unsigned char tag;
};

static size_t random_size(uint64_t *r)
{
	switch (random_next(r) % 8) {
	case 0:
		return random_next(r) % 40000;
	case 1:
		return random_next(r) % 300000;
	case 2:
	case 3:
		return random_next(r) % 3000;
	default:
		return random_next(r) % 200;
	}
}

/* Reports whether the object still holds its pattern: every byte of a small one, the ends of a large one. */
static bool slot_intact(const struct slot *s, size_t size)
{
	size_t edge = size < 600 ? size : 300;
	for (size_t i = 0; i < edge; i++)
		if (s->p[i] != s->tag || s->p[size - 1 - i] != s->tag)
			return false;
	return true;
}

/* One step of a random workload on a slot. Returns the number of faults found. */
static unsigned slot_step(struct slot *s, uint64_t *r)
{
	unsigned bad = 0;
	if (s->p != NULL) {
		bad += !slot_intact(s, s->size);
		if (random_next(r) % 4 == 0) {
			size_t size = random_size(r);
			unsigned char *p = heap_realloc(s->p, size);
			if (p == NULL)
				return bad;
			s->p = p;
			bad += !slot_intact(s, size < s->size ? size : s->size);
			s->size = size;
			memset(p, s->tag, size);
			return bad;
		}
		memset(s->p, 0xee, s->size);
		heap_free(s->p);
		s->p = NULL;
		return bad;
	}
	s->size = random_size(r);
	s->tag = (unsigned char)random_next(r);
	bool zero = random_next(r) % 4 == 0;
	s->p = zero ? heap_alloc_zero(s->size) : heap_alloc(s->size);
	if (s->p == NULL)
		return 0;
	for (size_t i = 0; zero && i < s->size; i++)
		bad += s->p[i] != 0;
	memset(s->p, s->tag, s->size);
	return bad;
}

TEST(heap_random_against_patterns)
{
	static struct slot slots[SLOTS];
	uint64_t r = 0x2545f4914f6cdd1dull;
	unsigned bad = 0;
	arena_open(24 * MIB); /* small enough that requests fail now and then */
	host_harts = 3;
	for (unsigned i = 0; i < 9 * STEPS; i++) {
		heap_poison = i / 5000 % 2;
		bad += slot_step(&slots[random_next(&r) % SLOTS], &r);
	}
	CHECK_EQ(bad, 0);
	CHECK(heap().failed > 0);
	for (unsigned i = 0; i < SLOTS; i++) {
		heap_free(slots[i].p);
		slots[i].p = NULL;
	}
	heap_poison = false;
	arena_close();
}

/* Threads share the slots: most objects are freed by another thread, on another hart, than allocated them. */
static struct shared_slot {
	pthread_mutex_t mutex;
	struct slot slot;
} shared[SLOTS];

static void *worker(void *arg)
{
	uint64_t r = (uint64_t)(uintptr_t)arg * 0x9e3779b97f4a7c15ull + 1;
	uintptr_t bad = 0;
	struct slot mine = {NULL, 0, 0};
	for (unsigned i = 0; i < STEPS; i++) {
		struct shared_slot *s = &shared[random_next(&r) % SLOTS];
		pthread_mutex_lock(&s->mutex);
		struct slot other = s->slot;
		s->slot = mine;
		pthread_mutex_unlock(&s->mutex);
		mine = other;
		bad += slot_step(&mine, &r);
		if (i % 4096 == 0)
			heap_drain();
	}
	heap_free(mine.p);
	return (void *)bad;
}

TEST(heap_threads_free_each_others_objects)
{
	arena_open(512 * MIB);
	host_harts = 3; /* fewer than threads: they also meet on one hart */
	pthread_t t[THREADS];
	for (unsigned i = 0; i < SLOTS; i++)
		pthread_mutex_init(&shared[i].mutex, NULL);
	for (uintptr_t i = 0; i < THREADS; i++)
		pthread_create(&t[i], NULL, worker, (void *)(i + 1));
	for (unsigned i = 0; i < THREADS; i++) {
		void *bad;
		pthread_join(t[i], &bad);
		CHECK(bad == NULL);
	}
	for (unsigned i = 0; i < SLOTS; i++) {
		heap_free(shared[i].slot.p);
		shared[i].slot.p = NULL;
	}
	arena_close();
}

TEST(heap_out_of_memory_and_back)
{
	arena_open(16 * MIB);
	for (unsigned class = 0; class < CLASS_COUNT; class += 6) {
		void **list = NULL;
		size_t n = 0, size = size_classes[class].size;
		for (void **p; (p = heap_alloc(size)) != NULL; n++) {
			*p = (void *)list;
			list = p;
		}
		/* at most 12.5 % of the pages lost at the ends of slabs, and one slab's worth at the end */
		CHECK(n * size >= pages().total * PAGE_SIZE / 8 * 7 - 64 * PAGE_SIZE);
		while (list != NULL) {
			void **next = *list;
			heap_free(list);
			list = next;
		}
	}
	CHECK(heap().failed > 0);
	/* cached small objects give way to a large one */
	size_t all = pages().total * PAGE_SIZE;
	char *p = heap_alloc(all);
	CHECK(p != NULL);
	heap_free(p);
	arena_close();
}

TEST(heap_fragmentation)
{
	arena_open(64 * MIB);
	static void *p[200000];
	size_t n = 0;
	while (n < 200000 && (p[n] = heap_alloc(64)) != NULL)
		n++;
	for (size_t i = 0; i < n; i++) /* keep one object in 64: one a page */
		if (i % 64 != 0)
			heap_free(p[i]);
	size_t held = heap().held_bytes;
	CHECK(held <= (n / 64 + 64) * PAGE_SIZE);
	for (size_t i = 0; i < n; i++) /* the holes are used before fresh pages */
		if (i % 64 != 0)
			p[i] = heap_alloc(64);
	CHECK(heap().held_bytes <= held + 2 * PAGE_SIZE);
	for (size_t i = 0; i < n; i++)
		heap_free(p[i]);
	arena_close();
}

TEST(heap_misuse_panics)
{
	arena_open(16 * MIB);
	static char foreign[64];
	char *volatile p = heap_alloc(40), *volatile q = heap_alloc(40), *volatile big = heap_alloc(100000);
	char *volatile tiny = heap_alloc(8);
	heap_free(p);
	CHECK_PANIC(heap_free(p), "freed once");
	heap_free(q);
	CHECK_PANIC(heap_free(p), "freed once"); /* not the last one freed */
	heap_free(tiny);
	CHECK_PANIC(heap_free(tiny), "freed once");
	q = heap_alloc(40);
	CHECK_PANIC(heap_free(q + 8), "start of an object");
	CHECK_PANIC(heap_free(q + 16), "start of an object");
	CHECK_PANIC(heap_free(big + 64), "start of an object");
	CHECK_PANIC(heap_free(big + PAGE_SIZE), "live heap object");
	CHECK_PANIC(heap_free(foreign), "live heap object");
	CHECK_PANIC(heap_free((void *)(ARENA + 12ul * MIB)), "live heap object");
	heap_free(big);
	CHECK_PANIC(heap_free(big), "live heap object");
	CHECK_PANIC((void)heap_usable(foreign), "live heap object");
	CHECK_PANIC(heap_aligned(24, 8) == NULL ? (void)0 : (void)1, "power of two");
	host_interrupt = true;
	CHECK_PANIC(heap_alloc(8) == NULL ? (void)0 : (void)1, "interrupt");
	CHECK_PANIC(heap_free(q), "interrupt");
	host_interrupt = false;
	memset(q, 0, 40); /* the failed free above left its mark */
	heap_free(q);
	arena_close();
}

TEST(heap_write_after_free_panics)
{
	arena_open(16 * MIB);
	char *volatile p = heap_alloc(200);
	heap_free(p);
	char saved = p[12];
	p[12] ^= 1; /* in the mark */
	CHECK_PANIC(heap_alloc(200) == NULL ? (void)0 : (void)1, "not written to");
	p[12] = saved;
	memset(p, 0, 200); /* it left the bin before the panic: give it back */
	heap_free(p);
	p = heap_alloc(193);
	heap_poison = true;
	heap_free(p);
	p[150] = 1;
	CHECK_PANIC(heap_alloc(200) == NULL ? (void)0 : (void)1, "not written to");
	heap_poison = false;
	memset(p, 0, 200);
	heap_free(p);
	arena_close();
}

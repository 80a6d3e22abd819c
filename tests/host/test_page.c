/*
 * kernel/page.c and kernel/buddy.c on an arena of host memory below 2 GiB (frame numbers are 32 bits) and on
 * address ranges with no memory behind them: the allocator touches only its descriptors.
 */
#include "kernel/page.h"

#include <string.h>
#include <sys/mman.h>

#include "tests/host/check.h"
#include "tests/host/host_lock.h"
#include "tests/host/host_panic.h"

#define ARENA 0x20000000ul

enum { MIB = 1 << 20, OWNED_MAX = 4096 };

static void arena_open(size_t bytes)
{
	void *p = mmap((void *)ARENA, bytes, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
	if (p != (void *)ARENA)
		check_fail(__FILE__, __LINE__, "arena is taken");
	memset(p, PAGE_USED,
	       bytes < 8u * MIB ? bytes : 8u * MIB); /* descriptors start as plausible garbage */
	host_enter(0);
}

static void arena_close(size_t bytes)
{
	page_drain();
	host_leave();
	page_zone_count = 0;
	munmap((void *)ARENA, bytes);
}

static struct page_stats stats(void)
{
	struct page_stats s;
	page_stats(&s);
	return s;
}

/* Runs code that must panic with a text that contains `rule`. */
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
			host_enter(0);                                                                 \
		}                                                                                      \
		panic_trap = NULL;                                                                     \
		if (strstr(panic_text, rule) == NULL)                                                  \
			check_fail(__FILE__, __LINE__, "panic \"%s\" lacks \"%s\"", panic_text, rule); \
	} while (0)

TEST(page_all_memory_comes_back)
{
	const size_t bytes = 37 * MIB + 3 * PAGE_SIZE;
	arena_open(bytes);
	struct page_range r[] = {{ARENA + 100, bytes - 100}};
	page_init(r, 1);
	page_rest_sys(NULL);
	struct page_stats before = stats();
	CHECK_EQ(before.total, before.unused);
	CHECK(before.total > 36 * MIB / PAGE_SIZE);
	static void *all[40 * MIB / PAGE_SIZE];
	size_t n = 0;
	for (void *p; (p = page_alloc(0)) != NULL; n++) {
		all[n] = p;
		memset(p, (int)n, PAGE_SIZE);
	}
	CHECK_EQ(n, before.total);
	CHECK_EQ(stats().unused, 0);
	CHECK_EQ(stats().failed, 1);
	CHECK_EQ(stats().peak, before.total);
	for (size_t i = 0; i < n; i++) {
		CHECK(((unsigned char *)all[i])[PAGE_SIZE - 1] == (unsigned char)i);
		page_free(all[i], 0);
	}
	page_drain();
	struct page_stats after = stats();
	CHECK_EQ(after.unused, before.unused);
	CHECK(memcmp(after.free_blocks, before.free_blocks, sizeof before.free_blocks) == 0);
	arena_close(bytes);
}

/* Of the largest range only the start is there at first; the rest comes before an allocation fails, and merges with it. */
TEST(page_rest_comes_when_it_is_needed)
{
	const size_t bytes = 40 * MIB, start = 1024 + 2 * (1u << PAGE_CHUNK_SHIFT);
	arena_open(bytes);
	struct page_range r[] = {{ARENA + 3 * PAGE_SIZE, bytes - 3 * PAGE_SIZE}};
	memset((void *)ARENA, PAGE_FREE, MIB); /* descriptors that must not be read before they are cleared */
	page_init(r, 1);
	CHECK(stats().total <= start);
	CHECK_EQ(stats().total, page_zones[0].frames);
	CHECK(page_find(ARENA + bytes - PAGE_SIZE) == NULL);
	static void *all[40 * MIB / PAGE_SIZE];
	size_t n = 0;
	for (void *p; (p = page_alloc(0)) != NULL; n++) {
		all[n] = p;
		memset(p, (int)n, PAGE_SIZE);
	}
	CHECK(n > 39 * MIB / PAGE_SIZE);
	CHECK_EQ(n, page_zones[0].frames);
	CHECK_EQ(stats().total, n);
	CHECK_EQ(stats().failed, 1);
	for (size_t i = 0; i < n; i++)
		page_free(all[i], 0);
	page_drain();
	size_t blocks[PAGE_ORDER_MAX + 1] = {0}, left = n;
	for (size_t at = page_zones[0].first; left > 0;) {
		unsigned order = 0;
		while ((at >> order & 1) == 0 && (size_t)2 << order <= left)
			order++;
		blocks[order]++;
		at += (size_t)1 << order;
		left -= (size_t)1 << order;
	}
	CHECK(memcmp(stats().free_blocks, blocks, sizeof blocks) == 0);
	page_rest_sys(NULL); /* nothing is left of it */
	CHECK_EQ(stats().unused, n);
	arena_close(bytes);
}

struct owned {
	char *p;
	size_t pages;
	bool single;
};

static uint64_t random_state = 88172645463325252ull;

static size_t random_below(size_t n)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state % n;
}

TEST(page_random_against_a_shadow)
{
	const size_t bytes = 16 * MIB;
	arena_open(2 * bytes);
	/* two zones with a hole, neither aligned */
	struct page_range r[] = {{ARENA + 5 * PAGE_SIZE, bytes - 9 * PAGE_SIZE},
				 {ARENA + bytes + 77 * PAGE_SIZE, bytes - 77 * PAGE_SIZE}};
	page_init(r, 2);
	page_rest_sys(NULL);
	struct page_stats before = stats();
	static unsigned char shadow[32 * MIB / PAGE_SIZE];
	static struct owned owned[OWNED_MAX];
	memset(shadow, 0, sizeof shadow);
	size_t n = 0, used = 0, refused = 0;
	for (unsigned step = 0; step < 60000; step++) {
		if (n < OWNED_MAX && random_below(100) < 55) {
			struct owned o = {.single = random_below(2)};
			unsigned order = 0;
			if (random_below(3) == 0) {
				order = (unsigned)random_below(7);
				o.pages = (size_t)1 << order;
				o.p = page_alloc(order);
			} else {
				o.pages = 1 + (random_below(4) ? random_below(12) : random_below(300));
				order = (unsigned)random_below(4);
				o.p = page_alloc_span(o.pages, order);
			}
			if (o.p == NULL) {
				refused++;
				continue;
			}
			CHECK(((uintptr_t)o.p & (((size_t)PAGE_SIZE << order) - 1)) == 0);
			size_t at = ((uintptr_t)o.p - ARENA) >> PAGE_SHIFT;
			for (size_t i = 0; i < o.pages; i++) {
				CHECK(shadow[at + i] == 0);
				shadow[at + i] = 1;
			}
			memset(o.p, (int)o.pages, o.pages * PAGE_SIZE);
			used += o.pages;
			owned[n++] = o;
		} else if (n > 0) {
			size_t i = random_below(n);
			struct owned *o = &owned[i];
			size_t at = ((uintptr_t)o->p - ARENA) >> PAGE_SHIFT;
			size_t keep = o->pages > 1 && random_below(4) == 0 ? 1 + random_below(o->pages) : 0;
			for (size_t k = keep; k < o->pages; k++) {
				CHECK(o->p[k * PAGE_SIZE + 9] == (char)o->pages);
				shadow[at + k] = 0;
			}
			used -= o->pages - keep;
			if (keep > 0) {
				page_trim_span(o->p, o->pages, keep);
				o->pages = keep;
				memset(o->p, (int)keep, keep * PAGE_SIZE);
			} else {
				page_free_span(o->p, o->pages);
				owned[i] = owned[--n];
			}
		}
		if (step % 512 == 0) {
			struct page_stats s = stats();
			CHECK_EQ(s.total - s.unused, used);
		}
	}
	CHECK(refused > 0);
	while (n > 0) {
		n--;
		page_free_span(owned[n].p, owned[n].pages);
	}
	page_drain();
	struct page_stats after = stats();
	CHECK_EQ(after.unused, before.total);
	CHECK(memcmp(after.free_blocks, before.free_blocks, sizeof before.free_blocks) == 0);
	arena_close(2 * bytes);
}

TEST(page_span_takes_no_power_of_two)
{
	/* 128 MiB aligned nowhere: only a search over neighbouring blocks finds 100 MiB */
	const size_t bytes = 131 * MIB;
	arena_open(bytes);
	struct page_range r[] = {{ARENA + 3 * MIB, bytes - 3 * MIB}};
	page_init(r, 1);
	page_rest_sys(NULL);
	size_t total = stats().total;
	CHECK_EQ(stats().free_blocks[15], 0);
	void *p = page_alloc_span(100 * MIB / PAGE_SIZE, 0);
	CHECK(p != NULL);
	CHECK_EQ(total - stats().unused, 100 * MIB / PAGE_SIZE);
	void *q = page_alloc_span(20 * MIB / PAGE_SIZE, 0);
	CHECK(q != NULL);
	CHECK(page_alloc_span(20 * MIB / PAGE_SIZE, 0) == NULL);
	page_free_span(p, 100 * MIB / PAGE_SIZE);
	void *a = page_alloc_span(5, 8);
	CHECK(a != NULL && (uintptr_t)a % MIB == 0);
	page_free_span(a, 5);
	page_free_span(q, 20 * MIB / PAGE_SIZE);
	CHECK_EQ(stats().unused, total);
	p = page_alloc_span(total, 0);
	CHECK(p != NULL);
	CHECK_EQ(stats().unused, 0);
	page_free_span(p, total);
	CHECK(page_alloc_span(0, 0) == NULL);
	CHECK(page_alloc_span(SIZE_MAX, 0) == NULL);
	arena_close(bytes);
}

TEST(page_spans_of_odd_length_pack)
{
	arena_open(64 * MIB);
	struct page_range r[] = {{ARENA, 64 * MIB}};
	page_init(r, 1);
	page_rest_sys(NULL);
	size_t total = stats().total;
	for (size_t pages = 3; pages < 40; pages += 6) {
		static void *p[64 * MIB / PAGE_SIZE];
		size_t n = 0;
		while ((p[n] = page_alloc_span(pages, 0)) != NULL)
			n++;
		CHECK(n * pages > total / 100 * 98);
		for (size_t i = 0; i < n; i++)
			page_free_span(p[i], pages);
		CHECK_EQ(stats().unused, total);
	}
	arena_close(64 * MIB);
}

TEST(page_holes_up_to_a_tebibyte)
{
	const size_t bytes = 1280ul * MIB;
	arena_open(bytes);
	struct page_range r[] = {{1ul << 40, 1024ul * MIB},
				 {0, 640 * 1024},
				 {ARENA, bytes},
				 {0x7fff0000000, 0},
				 {(1ul << 40) + 2048ul * MIB, 3 * PAGE_SIZE}};
	page_init(r, 5);
	page_rest_sys(NULL);
	CHECK_EQ(page_zone_count, 4);
	struct page_stats before = stats();
	size_t descriptors = 1280 * 256 - page_zones[0].frames;
	CHECK(descriptors < (1280 + 1024 + 2) * 256 / 250);
	CHECK_EQ(before.total, page_zones[0].frames + 1024 * 256 + 159 + 3);
	CHECK_EQ(before.free_blocks[18], 1);
	void *big = page_alloc(18);
	CHECK(big == (void *)(1ul << 40));
	CHECK(page_alloc(18) == NULL);
	size_t n = 0;
	static void *taken[400];
	while (n < 400 && (taken[n] = page_alloc(0)) != NULL) {
		CHECK(taken[n] != NULL);
		n++;
	}
	for (size_t i = 0; i < n; i++)
		page_free(taken[i], 0);
	page_free(big, 18);
	page_drain();
	CHECK(memcmp(stats().free_blocks, before.free_blocks, sizeof before.free_blocks) == 0);
	CHECK(page_find(0) == NULL);
	CHECK(page_find(1ul << 41) == NULL);
	CHECK(page_find((1ul << 40) - 1) == NULL);
	arena_close(bytes);
}

TEST(page_blocks_stay_in_their_zone)
{
	arena_open(4 * MIB);
	/* the last two are neighbours, in the table too, and meet between two buddies */
	struct page_range r[] = {{ARENA, 2 * MIB},
				 {ARENA + 2 * MIB, MIB + PAGE_SIZE},
				 {ARENA + 3 * MIB + PAGE_SIZE, MIB - PAGE_SIZE}};
	page_init(r, 3);
	page_rest_sys(NULL);
	struct page_stats before = stats();
	static void *p[4 * MIB / PAGE_SIZE];
	for (int backwards = 1; backwards >= 0; backwards--) {
		size_t n = 0;
		while ((p[n] = page_alloc(0)) != NULL)
			n++;
		CHECK_EQ(n, before.total);
		for (size_t i = 0; i < n; i++)
			page_free(p[backwards ? n - 1 - i : i], 0);
		page_drain();
		CHECK(memcmp(stats().free_blocks, before.free_blocks, sizeof before.free_blocks) == 0);
	}
	arena_close(4 * MIB);
}

TEST(page_ranges_beyond_the_limit_are_counted)
{
	arena_open(4 * MIB);
	struct page_range r[PAGE_ZONE_MAX + 2];
	for (unsigned i = 0; i < PAGE_ZONE_MAX + 2; i++)
		r[i] = (struct page_range){ARENA + i * 16 * PAGE_SIZE, 8 * PAGE_SIZE};
	page_init(r, PAGE_ZONE_MAX + 2);
	page_rest_sys(NULL);
	CHECK_EQ(stats().ignored, 16);
	arena_close(4 * MIB);
}

TEST(page_zero_is_zero)
{
	arena_open(4 * MIB);
	struct page_range r[] = {{ARENA, 4 * MIB}};
	page_init(r, 1);
	page_rest_sys(NULL);
	unsigned char *p = page_alloc_zero(2), sum = 0;
	for (unsigned i = 0; i < 4 * PAGE_SIZE; i++)
		sum |= p[i];
	CHECK_EQ(sum, 0);
	page_free(p, 2);
	arena_close(4 * MIB);
}

TEST(page_misuse_panics)
{
	arena_open(64 * MIB);
	struct page_range r[] = {{ARENA, 64 * MIB}};
	page_init(r, 1);
	page_rest_sys(NULL);
	char *p = page_alloc(0), *s = page_alloc_span(7, 0), *b = page_alloc(3);
	page_free(p, 0);
	CHECK_PANIC(page_free(p, 0), "given back once");
	page_free_span(s, 7);
	CHECK_PANIC(page_free_span(s, 7), "given back once");
	CHECK_PANIC(page_free(b, 2), "length it was taken with");
	CHECK_PANIC(page_free(b + PAGE_SIZE, 0), "given back once");
	CHECK_PANIC(page_free(b + 8, 3), "page aligned");
	CHECK_PANIC(page_free((void *)(ARENA + 128ul * MIB), 0), "handed out");
	CHECK_PANIC(page_free((void *)(ARENA + 48ul * MIB), 0), "handed out");
	page_find((uintptr_t)b)->kind = PAGE_SLAB;
	CHECK_PANIC(page_free(b, 3), "removes its mark");
	page_find((uintptr_t)b)->kind = PAGE_PLAIN;
	page_free(b, 3);
	CHECK_PANIC(page_init(r, 1), "set up once");
	host_leave();
	CHECK_PANIC(page_alloc(1) == NULL ? (void)0 : (void)1, "system stack");
	arena_close(64 * MIB);
	struct page_range overlap[] = {{ARENA, MIB}, {ARENA + MIB - 1 - PAGE_SIZE, MIB}},
			  tiny[] = {{4096, 4096}};
	CHECK_PANIC(page_init(overlap, 2), "disjoint");
	page_zone_count = 0;
	host_leave();
	CHECK_PANIC(page_init(tiny, 1), "descriptors");
	page_zone_count = 0;
	host_leave();
}

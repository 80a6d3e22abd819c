/* The heap behind malloc, from many goroutines and harts. Its structures are tested on the host (tests/host/test_heap.c). */
#include "suite.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <hartbeat/chan.h>
#include <hartbeat/go.h>

#include "kernel/heap.h"

enum { LIVE = 64, LARGEST = 100000 };

static size_t random_size(uint64_t *seed)
{
	uint32_t r = guest_random(seed);
	switch (r % 8) {
	case 0:
		return r / 8 % LARGEST;
	case 1:
		return r / 8 % 5000;
	default:
		return r / 8 % 300;
	}
}

static unsigned char pattern(const unsigned char *p, size_t size, uint32_t salt)
{
	return (unsigned char)((uintptr_t)p / 16 + size * 7 + salt);
}

static void fill(unsigned char *p, size_t size, uint32_t salt)
{
	memset(p, pattern(p, size, salt), size);
}

static bool filled(const unsigned char *p, size_t size, uint32_t salt)
{
	unsigned char want = pattern(p, size, salt);
	for (size_t i = 0; i < size; i++)
		if (p[i] != want)
			return false;
	return true;
}

static void churn(void *arg)
{
	unsigned char *live[LIVE] = {0};
	size_t size[LIVE] = {0};
	uint32_t salt = (uint32_t)(uintptr_t)arg;
	uint64_t seed = salt + 5;
	for (uint32_t k = 0; k < guest_count(3000, 100000); k++) {
		uint32_t i = guest_random(&seed) % LIVE;
		if (live[i] != NULL) {
			CHECK(filled(live[i], size[i], salt));
			free(live[i]);
			live[i] = NULL;
		} else {
			size[i] = random_size(&seed);
			live[i] = malloc(size[i]);
			CHECK(live[i] != NULL);
			CHECK((uintptr_t)live[i] % (size[i] <= 8 ? 8 : 16) == 0);
			fill(live[i], size[i], salt);
		}
		if (k % 256 == 0)
			go_yield();
	}
	for (int i = 0; i < LIVE; i++) {
		CHECK(live[i] == NULL || filled(live[i], size[i], salt));
		free(live[i]);
	}
}

GUEST_TEST(heap, contents, "objects of many goroutines keep their contents and never overlap")
{
	struct guest_group all = {0};
	for (uintptr_t i = 0; i < 3 * go_harts(); i++)
		guest_go(&all, churn, (void *)i);
	guest_wait(&all);
}

struct parcel {
	unsigned char *p;
	size_t size;
	uint32_t salt;
};

static void post(void *arg)
{
	uint64_t seed = (uintptr_t)arg;
	struct chan *c = arg;
	for (uint32_t k = 0; k < guest_count(1500, 50000); k++) {
		struct parcel x = {.size = random_size(&seed) % 2000, .salt = k};
		x.p = malloc(x.size);
		CHECK(x.p != NULL);
		fill(x.p, x.size, x.salt);
		chan_send(c, &x);
	}
}

static void unpack(void *arg)
{
	struct parcel x;
	while (chan_recv(arg, &x)) {
		CHECK(filled(x.p, x.size, x.salt));
		free(x.p);
	}
}

static void post_and_unpack(void)
{
	struct guest_group senders = {0}, receivers = {0};
	struct chan *c = chan_make(sizeof(struct parcel), 100);
	for (unsigned i = 0; i < go_harts() + 1; i++) {
		guest_go(&senders, post, c);
		guest_go(&receivers, unpack, c);
	}
	guest_wait(&senders);
	chan_close(c);
	guest_wait(&receivers);
	chan_free(c);
}

GUEST_TEST(heap, remote_free, "objects are freed by other goroutines on other harts than allocated them")
{
	post_and_unpack();
}

GUEST_TEST(heap, comes_back, "what was allocated is free again after it was given back, round after round")
{
	struct heap_stats s[6];
	guest_profile_off();
	for (int i = 0; i < 6; i++) {
		post_and_unpack();
		heap_stats(&s[i]);
	}
	/* save areas and timers may come on any round, some hundred bytes each; a round allocates megabytes */
	CHECK(s[5].used_bytes <= s[1].used_bytes + (256u << 10));
	CHECK(s[5].held_bytes <= s[1].held_bytes + (4u << 20));
	CHECK_EQ(s[5].failed, s[0].failed);
}

static void grow(void *arg)
{
	uint64_t seed = (uintptr_t)arg + 1;
	uint32_t *p = NULL;
	size_t n = 0;
	for (uint32_t k = 0; k < guest_count(300, 3000); k++) {
		size_t want = 1 + guest_random(&seed) % (k % 10 == 0 ? 20000 : 500);
		uint32_t *q = realloc(p, want * sizeof *q);
		CHECK(q != NULL);
		for (size_t i = 0; i < n && i < want; i++)
			CHECK(q[i] == i * 17);
		for (size_t i = n; i < want; i++)
			q[i] = (uint32_t)(i * 17);
		p = q;
		n = want;
	}
	free(p);
}

GUEST_TEST(heap, realloc, "realloc keeps the contents up to the smaller size")
{
	struct guest_group all = {0};
	for (uintptr_t i = 0; i < 2 * go_harts(); i++)
		guest_go(&all, grow, (void *)i);
	guest_wait(&all);
}

GUEST_TEST(heap, aligned, "aligned_alloc, posix_memalign and memalign give what was asked for")
{
	void *p[18];
	for (size_t a = 3; a < 18; a++) {
		p[a] = aligned_alloc((size_t)1 << a, 3 * ((size_t)1 << a));
		CHECK(p[a] != NULL && (uintptr_t)p[a] % ((size_t)1 << a) == 0);
		memset(p[a], 0xa5, 3 * ((size_t)1 << a));
	}
	for (size_t a = 3; a < 18; a++)
		free(p[a]);
	void *q = NULL;
	CHECK_EQ(posix_memalign(&q, 4096, 100), 0);
	CHECK(q != NULL && (uintptr_t)q % 4096 == 0);
	free(q);
	CHECK_EQ(posix_memalign(&q, 24, 100), EINVAL);
}

GUEST_TEST(heap, limits,
	   "products that overflow and sizes that do not exist give NULL and ENOMEM; calloc gives zeros")
{
	volatile size_t huge = SIZE_MAX / 2 + 2;
	errno = 0;
	CHECK(calloc(huge, 2) == NULL);
	CHECK_EQ(errno, ENOMEM);
	errno = 0;
	CHECK(malloc(huge) == NULL);
	CHECK_EQ(errno, ENOMEM);
	errno = 0;
	unsigned char *p = malloc(100), *q;
	q = realloc(p, huge);
	CHECK(q == NULL);
	CHECK_EQ(errno, ENOMEM);
	free(q == NULL ? p : q);
	for (size_t n = 1; n < 200000; n = n * 3 + 1) {
		p = malloc(n);
		memset(p, 0xff, n);
		free(p);
		p = calloc(1, n);
		for (size_t i = 0; i < n; i++)
			CHECK(p[i] == 0);
		free(p);
	}
	free(NULL);
	p = malloc(0);
	q = malloc(0);
	CHECK(p != NULL && q != NULL && p != q);
	free(p);
	free(q);
}

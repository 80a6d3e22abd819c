/*
 * trace/sample_ring: what the one writer puts in, the one reader gets out, whole and in order, at every place of the ring
 * and at any time. Meant for ASan with UBSan, and for TSan.
 */
#include "trace/sample_ring.h"

#include <pthread.h>
#include <sched.h>
#include <string.h>

#include "tests/host/check.h"

enum { RECORDS = 200000 };

static struct sample_ring ring;

static void ring_reset(void)
{
	memset(&ring, 0, sizeof ring);
}

/* Sample number n: every field and its depth follow from n. */
static void sample_make(struct sample *s, uint64_t n)
{
	s->count = (uint32_t)(n * 2654435761u) & 0xffffff;
	s->labels = (uint32_t)(n * 40503u) ^ 0xdeadbeef;
	s->ticks = n * 0x9e3779b97f4a7c15u;
	s->at = n * 31;
	s->g = ~n & SAMPLE_G_MAX;
	s->flags = (uint8_t)(n * 167);
	s->depth = (uint32_t)(n * 7 % (SAMPLE_DEPTH_MAX + 1));
	for (uint32_t i = 0; i < s->depth; i++)
		s->pcs[i] = (uintptr_t)(n << 8 | i);
}

static bool sample_is(const struct sample *s, uint64_t n)
{
	struct sample want;
	sample_make(&want, n);
	return s->count == want.count && s->labels == want.labels && s->ticks == want.ticks &&
	       s->at == want.at && s->g == want.g && s->flags == want.flags && s->depth == want.depth &&
	       memcmp(s->pcs, want.pcs, want.depth * sizeof want.pcs[0]) == 0;
}

static bool ring_get(struct sample_ring *r, struct sample *s)
{
	const uintptr_t *pcs = sample_ring_peek(r, s);
	if (pcs == NULL)
		return false;
	if (pcs != s->pcs)
		memcpy(s->pcs, pcs, s->depth * sizeof *pcs);
	sample_ring_pop(r, s->depth);
	return true;
}

TEST(empty_ring_gives_nothing)
{
	struct sample s;
	ring_reset();
	CHECK(!ring_get(&ring, &s));
	sample_make(&s, 1);
	CHECK(sample_ring_put_irq(&ring, &s));
	CHECK(ring_get(&ring, &s));
	CHECK(sample_is(&s, 1));
	CHECK(!ring_get(&ring, &s));
}

TEST(largest_fields_survive)
{
	struct sample s = {.count = 0xffffff,
			   .labels = UINT32_MAX,
			   .ticks = UINT64_MAX,
			   .g = SAMPLE_G_MAX,
			   .flags = UINT8_MAX,
			   .depth = SAMPLE_DEPTH_MAX};
	struct sample got = {0};
	memset(s.pcs, 0xff, sizeof s.pcs);
	ring_reset();
	CHECK(sample_ring_put_irq(&ring, &s));
	CHECK(ring_get(&ring, &got));
	CHECK(memcmp(&s, &got, sizeof s) == 0);
}

TEST(records_lie_across_the_end)
{
	struct sample s;
	ring_reset();
	for (uint64_t n = 0; n < 10 * SAMPLE_RING_WORDS; n++) {
		sample_make(&s, n);
		if (!sample_ring_put_irq(&ring, &s) || !ring_get(&ring, &s) || !sample_is(&s, n)) {
			CHECK(false);
			return;
		}
	}
}

/* A record that has no room changes nothing, one that just fits is taken, and room comes back with reading. */
TEST(full_ring_refuses_and_keeps_what_it_has)
{
	enum { DEPTH = 12, WORDS = SAMPLE_HEADER_WORDS + DEPTH, FIT = SAMPLE_RING_WORDS / WORDS };
	_Static_assert(SAMPLE_RING_WORDS % WORDS == 0, "the ring is filled to the last word");
	for (unsigned start = 0; start < 2 * WORDS; start++) {
		struct sample s = {.depth = 0};
		ring_reset();
		atomic_store(&ring.head, SAMPLE_RING_WORDS - start);
		atomic_store(&ring.tail, SAMPLE_RING_WORDS - start);
		for (unsigned n = 0; n < FIT; n++) {
			s = (struct sample){.count = n, .depth = DEPTH, .pcs = {n}};
			CHECK(sample_ring_put_irq(&ring, &s));
		}
		s = (struct sample){.depth = 0};
		CHECK(!sample_ring_put_irq(&ring, &s));
		CHECK(ring_get(&ring, &s));
		CHECK_EQ(s.count, 0);
		s.depth = DEPTH + 1;
		CHECK(!sample_ring_put_irq(&ring, &s));
		s = (struct sample){.count = FIT, .depth = DEPTH, .pcs = {FIT}};
		CHECK(sample_ring_put_irq(&ring, &s));
		for (unsigned n = 1; n <= FIT; n++)
			CHECK(ring_get(&ring, &s) && s.count == n && s.pcs[0] == n);
		CHECK(!ring_get(&ring, &s));
	}
}

static _Atomic uint64_t refused;

static void *writer(void *arg)
{
	struct sample s;
	(void)arg;
	for (uint64_t n = 0; n < RECORDS; n++) {
		sample_make(&s, n);
		while (!sample_ring_put_irq(&ring, &s)) {
			atomic_fetch_add_explicit(&refused, 1, memory_order_relaxed);
			sched_yield();
		}
	}
	return NULL;
}

TEST(one_writer_and_one_reader_at_once)
{
	pthread_t t;
	struct sample s;
	ring_reset();
	atomic_store(&refused, 0);
	CHECK_EQ(pthread_create(&t, NULL, writer, NULL), 0);
	bool good = true;
	for (uint64_t n = 0; n < RECORDS;) {
		if (!ring_get(&ring, &s)) {
			sched_yield();
			continue;
		}
		good = good && sample_is(&s, n);
		n++;
		/* now and then a slow reader, so that the ring fills */
		if (n % 50000 == 0)
			while (atomic_load_explicit(&refused, memory_order_relaxed) < n / 50000 &&
			       n < RECORDS)
				sched_yield();
	}
	CHECK_EQ(pthread_join(t, NULL), 0);
	CHECK(good);
	CHECK(atomic_load(&refused) > 0);
	CHECK(!ring_get(&ring, &s));
}

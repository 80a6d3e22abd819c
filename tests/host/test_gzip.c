/*
 * prof/gzip: what goes in comes out of zlib's own inflate, the bytes depend on the input alone, errors are
 * passed up and no memory stays behind.
 */
#include "prof/gzip.h"

#include <errno.h>
#include <string.h>
#include <zlib.h>

#include "tests/host/check.h"
#include "tests/host/mem_fake.h"

enum { INPUT_SIZE = 300000, OUTPUT_SIZE = 400000 };

struct store {
	struct sink sink;
	size_t n, fail_after; /* fails a write that would go beyond so many bytes */
	unsigned after_error; /* writes that came after a failed one */
	bool failed;
	unsigned char data[OUTPUT_SIZE];
};

static int store_write(struct sink *s, const void *data, size_t n)
{
	struct store *st = (struct store *)s;
	st->after_error += st->failed;
	if (st->n + n > st->fail_after) {
		st->failed = true;
		return -EIO;
	}
	memcpy(st->data + st->n, data, n);
	st->n += n;
	return 0;
}

static struct store store, other;
static unsigned char input[INPUT_SIZE], inflated[OUTPUT_SIZE];

static void store_init(struct store *st, size_t fail_after)
{
	st->sink.write = store_write;
	st->n = 0;
	st->fail_after = fail_after;
	st->after_error = 0;
	st->failed = false;
}

static void input_fill(void)
{
	uint32_t state = 1;
	for (size_t i = 0; i < INPUT_SIZE; i++) {
		state = state * 1664525 + 1013904223;
		input[i] = (unsigned char)("frames of a profile "[i % 20] ^ (state >> 31));
	}
}

static int compress_to(struct store *st, struct mem_fake *m, size_t size, size_t step, int level)
{
	struct gzip *z = gzip_open(&st->sink, &m->ops, level);
	if (z == NULL)
		return -ENOMEM;
	int error = 0;
	for (size_t i = 0; i < size && error == 0; i += step)
		error = sink_write(gzip_sink(z), input + i, size - i < step ? size - i : step);
	int last = gzip_close(z);
	CHECK(error == 0 || last == error);
	return last;
}

static size_t inflate_all(const struct store *st)
{
	z_stream s = {.next_in = (unsigned char *)st->data, .avail_in = (unsigned)st->n};
	CHECK_EQ(inflateInit2(&s, 15 + 16), Z_OK);
	s.next_out = inflated;
	s.avail_out = OUTPUT_SIZE;
	CHECK_EQ(inflate(&s, Z_FINISH), Z_STREAM_END);
	CHECK_EQ(s.avail_in, 0);
	inflateEnd(&s);
	return OUTPUT_SIZE - s.avail_out;
}

TEST(gzip_round_trip)
{
	static const size_t sizes[] = {0, 1, 17, 4096, 4097, INPUT_SIZE}, steps[] = {1, 7, 1000, INPUT_SIZE};
	input_fill();
	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		for (size_t k = 0; k < sizeof steps / sizeof steps[0]; k++) {
			struct mem_fake m;
			mem_fake_init(&m);
			store_init(&store, OUTPUT_SIZE);
			CHECK_EQ(compress_to(&store, &m, sizes[i], steps[k], GZIP_LEVEL_PROFILE), 0);
			CHECK_EQ(inflate_all(&store), sizes[i]);
			CHECK(memcmp(inflated, input, sizes[i]) == 0);
			CHECK_EQ(m.out, 0);
			CHECK(m.most < 48 << 10);
		}
	}
}

/* Magic, deflate, no flags, time 0; and the same bytes however the input is cut. */
TEST(gzip_bytes_depend_on_input_alone)
{
	struct mem_fake m;
	input_fill();
	mem_fake_init(&m);
	store_init(&store, OUTPUT_SIZE);
	store_init(&other, OUTPUT_SIZE);
	CHECK_EQ(compress_to(&store, &m, INPUT_SIZE, INPUT_SIZE, GZIP_LEVEL_PROFILE), 0);
	CHECK_EQ(compress_to(&other, &m, INPUT_SIZE, 13, GZIP_LEVEL_PROFILE), 0);
	CHECK_EQ(store.n, other.n);
	CHECK(memcmp(store.data, other.data, store.n) == 0);
	static const unsigned char head[8] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0};
	CHECK(memcmp(store.data, head, sizeof head) == 0);
	CHECK(store.n < INPUT_SIZE / 2);
}

TEST(gzip_levels)
{
	struct mem_fake m;
	input_fill();
	mem_fake_init(&m);
	store_init(&store, OUTPUT_SIZE);
	store_init(&other, OUTPUT_SIZE);
	CHECK_EQ(compress_to(&store, &m, INPUT_SIZE, 4096, GZIP_LEVEL_FAST), 0);
	CHECK_EQ(compress_to(&other, &m, INPUT_SIZE, 4096, GZIP_LEVEL_PROFILE), 0);
	CHECK(other.n < store.n);
	CHECK_EQ(inflate_all(&store), INPUT_SIZE);
}

TEST(gzip_error_is_passed_up_and_ends_the_writing)
{
	input_fill();
	for (size_t limit = 0; limit < 20000; limit += 1500) {
		struct mem_fake m;
		mem_fake_init(&m);
		store_init(&store, limit);
		CHECK_EQ(compress_to(&store, &m, INPUT_SIZE, 1000, GZIP_LEVEL_PROFILE), -EIO);
		CHECK_EQ(store.after_error, 0);
		CHECK_EQ(m.out, 0);
	}
	struct mem_fake m;
	mem_fake_init(&m);
	store_init(&store, 0);
	CHECK_EQ(compress_to(&store, &m, 0, 1, GZIP_LEVEL_PROFILE), -EIO); /* only gzip_close writes */
}

TEST(gzip_every_allocation_may_fail)
{
	unsigned fail_at = 1;
	for (;; fail_at++) {
		struct mem_fake m;
		mem_fake_init(&m);
		m.fail_at = fail_at;
		store_init(&store, OUTPUT_SIZE);
		int error = compress_to(&store, &m, 1000, 1000, GZIP_LEVEL_PROFILE);
		CHECK_EQ(m.out, 0);
		if (m.allocations < fail_at)
			break;
		CHECK_EQ(error, -ENOMEM);
	}
	CHECK(fail_at > 4);
}

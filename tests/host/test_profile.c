/*
 * tools/hbdump's reader of gzip and profile.proto: what the encoder of the image writes is read as an independent reader reads it, and what
 * is cut, changed or lies is refused by a line that says why.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "prof/page/flame_page.h"
#include "prof/pprof.h"
#include "tests/host/check.h"
#include "tests/host/mem_fake.h"
#include "tests/host/pprof_fake.h"
#include "tests/host/pprof_reader.h"
#include "tools/hbdump/flame.h"
#include "tools/hbdump/gunzip.h"
#include "tools/hbdump/profile.h"

enum { MESSAGE_MAX = 16384, ZIP_MAX = 1 << 17 };

static unsigned lookups;

/* ---- a profile of the image's encoder, in store ---- */

static void encode(void)
{
	struct mem_fake m;
	struct builder b;
	struct pprof_options o = {.duration_nanos = 5000000000,
				  .mapping = {BASE, END, 0x1000, "out/hello.elf", "0123456789abcdef"},
				  .symbolize = symbolize,
				  .symbolize_ctx = &lookups,
				  .label = label};
	mem_fake_init(&m);
	builder_init(&b, &m.ops, 1 << 20);
	for (uintptr_t i = 0; i < 200; i++) { /* 256 bytes each; in the upper half of each, inlined calls */
		uintptr_t f = BASE + i % 10 * 256 + i, g = BASE + i % 5 * 256 + 0x90;
		ADD(&b, 1 + i % 11, (uint32_t)(i % 3), f, g, BASE + 0x21, BASE + i % 3 * 256 + 1);
		ADD(&b, i % 3, 0, g, f + 1);
	}
	ADD(&b, 9, 0, PROF_FRAME_LOST);
	add(&b, 2, 0, 0, NULL);
	pprof_options_cpu(&o, 2000000);
	store_init(sizeof store.data);
	CHECK_EQ(pprof_write_builder(&b, &o, &m.ops, &store.sink), 0);
	builder_free(&b);
	read_profile(store.data, store.n);
}

/* ---- the whole ---- */

TEST(sums_and_stacks_are_those_of_the_profile)
{
	struct profile p;
	encode();
	CHECK(profile_read(&p, store.data, store.n));
	CHECK_EQ(p.n_types, got.n_types);
	CHECK_EQ(p.n_samples, got.n_samples);
	CHECK(flame_too_large(&p) == NULL);
	for (size_t t = 0; t < p.n_types; t++) {
		uint64_t sum = 0;
		for (unsigned i = 0; i < got.n_samples; i++)
			sum += got.samples[i].values[t];
		CHECK(sum > 0);
		CHECK_EQ(p.totals[t], sum);
	}
	for (unsigned i = 0; i < got.n_samples; i++) {
		const struct profile_sample *s = &p.samples[i];
		CHECK_EQ(s->n_locations, got.samples[i].n_locations);
		CHECK_EQ(s->n_labels, got.samples[i].n_labels);
		for (unsigned k = 0; k < got.samples[i].n_locations; k++) {
			unsigned l = read_location_at(got.samples[i].locations[k]);
			const struct profile_location *at = &p.locations[p.stack[s->location + k]];
			CHECK_EQ(at->address, got.locations[l].address);
			CHECK_EQ(at->n_lines, got.locations[l].n_lines);
			for (unsigned n = 0; n < got.locations[l].n_lines; n++) {
				unsigned fn = read_function_at(got.locations[l].functions[n]);
				const struct profile_line *line = &p.lines[at->line + n];
				CHECK_EQ(p.functions[line->function].name, got.functions[fn].name);
				CHECK_EQ(p.functions[line->function].file, got.functions[fn].file);
				CHECK_EQ(line->line, got.locations[l].lines[n]);
			}
		}
		for (unsigned k = 0; k < got.samples[i].n_labels; k++) {
			const struct read_label *l = &got.samples[i].labels[k];
			const struct profile_label *at = &p.labels[s->label + k];
			CHECK(at->key == l->key && at->str == l->str && (uint64_t)at->num == l->num &&
			      at->unit == l->unit);
		}
	}
	profile_free(&p);
}

/* ---- gzip ---- */

static size_t zip(uint8_t *to, const void *data, size_t n)
{
	z_stream z = {.next_in = (Bytef *)data, .avail_in = (uInt)n, .next_out = to, .avail_out = ZIP_MAX};
	CHECK_EQ(deflateInit2(&z, 6, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
	CHECK_EQ(deflate(&z, Z_FINISH), Z_STREAM_END);
	deflateEnd(&z);
	return ZIP_MAX - z.avail_out;
}

TEST(gzip_cut_or_changed_is_refused)
{
	static uint8_t packed[ZIP_MAX];
	uint8_t *out;
	size_t n;
	encode();
	size_t size = zip(packed, store.data, store.n);
	CHECK(gunzip(packed, size, 1 << 20, &out, &n) == NULL);
	CHECK(n == store.n && memcmp(out, store.data, n) == 0);
	free(out);
	for (size_t cut = 0; cut < size; cut++) {
		uint8_t *exact = malloc(cut + 1); /* the sanitizer sees a read past the end */
		memcpy(exact, packed, cut);
		CHECK(gunzip(exact, cut, 1 << 20, &out, &n) != NULL && out == NULL);
		free(exact);
	}
	for (size_t at = 0; at < size; at++) {
		packed[at] ^= 0x10;
		const char *wrong = gunzip(packed, size, 1 << 20, &out, &n);
		/* time, speed and system in the header are nobody's business */
		if (wrong == NULL)
			CHECK(at >= 4 && at < 10 && n == store.n && memcmp(out, store.data, n) == 0);
		free(out);
		packed[at] ^= 0x10;
	}
}

TEST(gzip_bounds)
{
	static uint8_t packed[ZIP_MAX], zeros[1 << 20];
	uint8_t *out;
	size_t n, size = zip(packed, zeros, sizeof zeros);
	CHECK(gunzip(packed, size, sizeof zeros, &out, &n) == NULL && n == sizeof zeros);
	free(out);
	CHECK_STR(gunzip(packed, size, sizeof zeros - 1, &out, &n), "unpacks to more than the size limit");
	packed[size] = 0;
	CHECK_STR(gunzip(packed, size + 1, sizeof zeros, &out, &n),
		  "has more after its end: expected one gzip stream and nothing else");
	CHECK_STR(gunzip(zeros, 0, 1000, &out, &n), "is empty: expected a gzip'd profile");
	CHECK_STR(gunzip(zeros, 10, 1000, &out, &n),
		  "is not gzip: expected a gzip'd profile, such as cpu.pb.gz");
	CHECK_STR(gunzip(packed, 20, 1000, &out, &n), "is cut short: expected the end of a gzip stream");
}

/* ---- lies ---- */

struct message {
	uint8_t data[MESSAGE_MAX];
	size_t n;
};

static void put_varint(struct message *m, uint64_t v)
{
	for (; v >= 0x80; v >>= 7)
		m->data[m->n++] = (uint8_t)(v | 0x80);
	m->data[m->n++] = (uint8_t)v;
}

static void put_number(struct message *m, unsigned tag, uint64_t v)
{
	put_varint(m, tag << 3);
	put_varint(m, v);
}

static void put_bytes(struct message *m, unsigned tag, const void *data, size_t n)
{
	put_varint(m, tag << 3 | 2);
	put_varint(m, n);
	memcpy(m->data + m->n, data, n);
	m->n += n;
}

/* A message of numbers: tags 1 to n, 0 is left out. */
static void put_numbers(struct message *m, unsigned tag, const uint64_t *v, unsigned n)
{
	struct message in = {.n = 0};
	for (unsigned i = 0; i < n; i++)
		if (v[i] != 0)
			put_number(&in, i + 1, v[i]);
	put_bytes(m, tag, in.data, in.n);
}
#define NUMBERS(m, tag, ...)                                 \
	put_numbers(m, tag, (const uint64_t[]){__VA_ARGS__}, \
		    sizeof((const uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t))

static void put_sample(struct message *m, uint64_t location, uint64_t value)
{
	struct message in = {.n = 0};
	put_number(&in, 1, location);
	put_number(&in, 2, value);
	put_bytes(m, 2, in.data, in.n);
}

static void put_location(struct message *m, uint64_t id, uint64_t function, uint64_t line)
{
	struct message in = {.n = 0};
	put_number(&in, 1, id);
	put_number(&in, 3, 0x80200000);
	NUMBERS(&in, 4, function, line);
	put_bytes(m, 4, in.data, in.n);
}

/* A sound profile: one sample of one function. */
static struct message sound(void)
{
	struct message m = {.n = 0};
	NUMBERS(&m, 1, 1, 2);
	put_sample(&m, 7, 5);
	put_location(&m, 7, 9, 33);
	NUMBERS(&m, 5, 9, 3, 3, 4, 30);
	static const char *const strings[] = {"", "cpu", "nanoseconds", "main", "main.c"};
	for (size_t i = 0; i < sizeof strings / sizeof strings[0]; i++)
		put_bytes(&m, 6, strings[i], strlen(strings[i]));
	return m;
}

#define REFUSED(m, text)                                     \
	do {                                                 \
		struct profile p;                            \
		CHECK(!profile_read(&p, (m)->data, (m)->n)); \
		CHECK_STR(p.error, text);                    \
		profile_free(&p);                            \
	} while (0)

TEST(sound_profile_is_taken)
{
	struct message m = sound();
	struct profile p;
	CHECK(profile_read(&p, m.data, m.n));
	CHECK_STR(p.error, "");
	CHECK(p.n_samples == 1 && p.n_types == 1 && p.totals[0] == 5 && p.lines[0].line == 33);
	profile_free(&p);
}

TEST(lies_are_named)
{
	struct message m = {.n = 0};
	REFUSED(&m, "has no string table that begins with an empty string: expected a profile");
	m = sound();
	put_number(&m, 3, 1);
	REFUSED(&m, "it has field 3 of wire type 0: expected what profile.proto has");
	m = sound();
	put_number(&m, 77, 1);
	REFUSED(&m, "it has field 77 of wire type 0: expected what profile.proto has");
	m = sound();
	put_varint(&m, 9 << 3 | 1);
	REFUSED(&m, "it has a field of wire type 1: expected 0 or 2");
	m = sound();
	put_varint(&m, 6 << 3 | 2);
	put_varint(&m, 1000);
	REFUSED(&m, "it has field 6 of 1000 bytes: expected at most the 0 that are left");
	m = sound();
	put_varint(&m, 6 << 3 | 2);
	put_varint(&m, UINT64_MAX);
	REFUSED(&m, "it has field 6 of 18446744073709551615 bytes: expected at most the 0 that are left");
	m = sound();
	memcpy(m.data + m.n, "\x48\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f", 11);
	m.n += 11;
	REFUSED(&m, "it has a number of more than 64 bits");
	m = sound();
	put_sample(&m, 8, 5);
	REFUSED(&m, "names location 8, which it does not have");
	m = sound();
	put_location(&m, 8, 10, 1);
	REFUSED(&m, "names function 10, which it does not have");
	m = sound();
	put_location(&m, 7, 9, 1);
	REFUSED(&m, "a location has id 7: expected one that is not 0 and not another's");
	m = sound();
	put_location(&m, 8, 9, (uint64_t)-3);
	REFUSED(&m, "a location has line -3: expected 0 to 2147483647");
	m = sound();
	NUMBERS(&m, 5, 10, 5);
	REFUSED(&m, "names string 5: expected less than 5");
	m = sound();
	NUMBERS(&m, 5, 10, (uint64_t)1 << 40);
	REFUSED(&m, "names string 4294967295: expected less than 5");
	m = sound();
	put_number(&m, 13, 99);
	REFUSED(&m, "names string 99: expected less than 5");
	m = sound();
	put_number(&m, 14, 99);
	REFUSED(&m, "names string 99: expected less than 5");
	m = sound();
	put_bytes(&m, 2, "\x08\x07", 2);
	REFUSED(&m, "sample 1 has 0 values, the first one 1: expected the same");
	m = sound();
	NUMBERS(&m, 1, 1, 2);
	REFUSED(&m, "has samples of 1 values: expected 2, as there are sample types");
	m = sound();
	put_sample(&m, 7, (uint64_t)-1);
	REFUSED(&m, "has the value -1: expected none below 0");
	m = sound();
	put_sample(&m, 7, INT64_MAX - 4);
	REFUSED(&m, "has values that add up to more than 9223372036854775807");
}

/* Cut at, and with a bit changed in, every byte: read or refused, never read past its end. */
TEST(raw_cut_or_changed)
{
	struct profile p;
	unsigned refused = 0;
	encode();
	for (size_t at = 0; at < store.n; at += 1 + at / 64) {
		uint8_t *exact = malloc(at + 1);
		memcpy(exact, store.data, at);
		bool good = profile_read(&p, exact, at);
		CHECK(good == (p.error[0] == '\0') && !good); /* the string table is at the end */
		profile_free(&p);
		free(exact);
	}
	for (size_t at = 0; at < store.n; at++) {
		for (unsigned bit = 0; bit < 8; bit += 3) {
			store.data[at] ^= (uint8_t)(1u << bit);
			bool good = profile_read(&p, store.data, store.n);
			CHECK(good == (p.error[0] == '\0'));
			refused += !good;
			profile_free(&p);
			store.data[at] ^= (uint8_t)(1u << bit);
		}
	}
	CHECK(refused > store.n / 2);
}

/* ---- what the page takes ---- */

TEST(a_name_is_no_markup)
{
	char text[FLAME_NAME_SIZE], name[600];
	flame_page_name(text, "a<b>&\"'\\ \n\xff%.pb.gz");
	CHECK_STR(text, "a%3Cb%3E%26%22%27%5C%20%0A%FF%25.pb.gz");
	memset(name, '<', sizeof name - 1);
	name[sizeof name - 1] = '\0';
	flame_page_name(text, name);
	CHECK_EQ(strlen(text), FLAME_NAME_SIZE - 1);
}

TEST(deep_and_wide_stacks_are_refused)
{
	struct message m = sound(), in = {.n = 0};
	struct profile p;
	put_number(&in, 1, 8);
	for (int i = 0; i < 1000; i++)
		put_bytes(&in, 4, "\x08\x09", 2);
	CHECK(in.n > 1000 && m.n + in.n < MESSAGE_MAX - 100); /* a location of 1000 calls, five times */
	put_bytes(&m, 4, in.data, in.n);
	in.n = 0;
	for (int i = 0; i < 5; i++)
		put_number(&in, 1, 8);
	put_number(&in, 2, 1);
	put_bytes(&m, 2, in.data, in.n);
	CHECK(profile_read(&p, m.data, m.n));
	CHECK_STR(flame_too_large(&p), "has a stack of more than 4096 frames");
	profile_free(&p);
}

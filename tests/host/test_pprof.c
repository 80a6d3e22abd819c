/*
 * prof/protobuf and prof/pprof: every profile is read back with the independent reader, which checks
 * google/pprof's validity rules; errors of the sink and of the allocator come back.
 */
#include "prof/pprof.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "prof/protobuf.h"
#include "tests/host/check.h"
#include "tests/host/mem_fake.h"
#include "tests/host/pprof_fake.h"
#include "tests/host/pprof_reader.h"

static unsigned lookups;

static struct pprof_options options_cpu(void)
{
	struct pprof_options o = {.time_nanos = 1700000000000000000,
				  .duration_nanos = 5000000000,
				  .mapping = {BASE, END, 0x1000, "out/hello.elf", "0123456789abcdef"},
				  .inline_expanded = true,
				  .symbolize = symbolize,
				  .symbolize_ctx = &lookups,
				  .label = label};
	pprof_options_cpu(&o, 2000000);
	return o;
}

/* Writes b and reads it back. */
static void encode(struct builder *b, const struct pprof_options *o, struct mem_fake *m)
{
	store_init(sizeof store.data);
	CHECK_EQ(pprof_write_builder(b, o, &m->ops, &store.sink), 0);
	read_profile(store.data, store.n);
}

#define SETUP()                            \
	struct mem_fake m;                 \
	struct builder b;                  \
	mem_fake_init(&m);                 \
	builder_init(&b, &m.ops, 1 << 20); \
	struct pprof_options o = options_cpu()

#define TEARDOWN()        \
	builder_free(&b); \
	CHECK_EQ(m.out, 0)

static void check_header(void)
{
	CHECK_EQ(got.n_types, 2);
	CHECK_STR(read_text(got.types[0].type), "samples");
	CHECK_STR(read_text(got.types[0].unit), "count");
	CHECK_STR(read_text(got.types[1].type), "cpu");
	CHECK_STR(read_text(got.types[1].unit), "nanoseconds");
	CHECK_STR(read_text(got.period_type.type), "cpu");
	CHECK_STR(read_text(got.period_type.unit), "nanoseconds");
	CHECK_EQ(got.period, 2000000);
	CHECK_EQ(got.time, 1700000000000000000);
	CHECK_EQ(got.duration, 5000000000);
	CHECK_EQ(got.default_type, 0);
	CHECK_EQ(got.mappings[0].start, BASE);
	CHECK_EQ(got.mappings[0].limit, END);
	CHECK_EQ(got.mappings[0].offset, 0x1000);
	CHECK_STR(read_text(got.mappings[0].file), "out/hello.elf");
	CHECK_STR(read_text(got.mappings[0].build_id), "0123456789abcdef");
}

/* Go's TestConvertCPUProfileNoSamples. */
TEST(pprof_without_samples_is_valid)
{
	SETUP();
	encode(&b, &o, &m);
	check_header();
	CHECK_EQ(got.n_samples, 0);
	CHECK_EQ(got.n_locations, 0);
	CHECK_EQ(got.mappings[0].has[0], 0);
	TEARDOWN();
}

/* Go's TestConvertCPUProfile: counts, values, labels; leaf addresses exact, callers one less. */
TEST(pprof_converts_a_cpu_profile)
{
	SETUP();
	ADD(&b, 20, 0, BASE + 0x200, BASE + 0x101);
	ADD(&b, 10, 1, BASE + 0x200, BASE + 0x101);
	ADD(&b, 40, 2, BASE + 0x210, BASE + 0x108, BASE + 0x004);
	ADD(&b, 5, 0, BASE + 0x200, BASE + 0x101);
	encode(&b, &o, &m);
	check_header();
	CHECK_EQ(got.n_samples, 3);
	CHECK_EQ(got.samples[0].values[0], 25);
	CHECK_EQ(got.samples[0].values[1], 50000000);
	CHECK_EQ(got.samples[0].n_labels, 0);
	CHECK_EQ(got.samples[1].values[0], 10);
	CHECK_EQ(got.samples[1].n_labels, 2);
	CHECK_STR(read_text(got.samples[1].labels[0].key), "goroutine");
	CHECK_STR(read_text(got.samples[1].labels[0].str), "main");
	CHECK_STR(read_text(got.samples[1].labels[1].key), "bytes");
	CHECK_STR(read_text(got.samples[1].labels[1].unit), "bytes");
	CHECK_EQ(got.samples[1].labels[1].num, 64);
	CHECK_EQ(got.samples[1].labels[1].str, 0);
	CHECK_STR(read_text(got.samples[2].labels[0].str), "worker");
	CHECK_EQ(got.samples[2].n_locations, 3);
	static const uint64_t want[] = {BASE + 0x210, BASE + 0x107, BASE + 0x003};
	static const char *const names[] = {"hash_word", "worker", "main"};
	for (unsigned k = 0; k < 3; k++) {
		unsigned l = read_location_at(got.samples[2].locations[k]);
		CHECK_EQ(got.locations[l].address, want[k]);
		CHECK_EQ(got.locations[l].mapping, 1);
		CHECK_EQ(got.locations[l].n_lines, 1);
		CHECK_STR(read_text(got.functions[read_function_at(got.locations[l].functions[0])].name),
			  names[k]);
	}
	CHECK_EQ(got.n_locations, 5);
	CHECK_EQ(got.n_functions, 3);
	CHECK(got.samples[0].locations[0] == got.samples[1].locations[0]);
	unsigned leaf = read_location_at(got.samples[0].locations[0]);
	CHECK_EQ(got.locations[leaf].lines[0], 201);
	CHECK_EQ(got.functions[read_function_at(got.locations[leaf].functions[0])].start_line, 200);
	CHECK_STR(read_text(got.functions[read_function_at(got.locations[leaf].functions[0])].file),
		  "hash.c");
	for (unsigned k = 0; k < 4; k++)
		CHECK_EQ(got.mappings[0].has[k], 1);
	TEARDOWN();
}

/* Each pc is looked up once, however many samples have it. */
TEST(pprof_looks_up_each_pc_once)
{
	SETUP();
	for (uint32_t labels = 0; labels < 50; labels++)
		ADD(&b, 1, labels % 3, BASE + 0x200 + labels / 10, BASE + 0x101);
	lookups = 0;
	encode(&b, &o, &m);
	CHECK_EQ(lookups, 6);
	TEARDOWN();
}

/* Go's TestEmptyStack: a sample with no frames is kept. */
TEST(pprof_keeps_an_empty_stack)
{
	SETUP();
	add(&b, 10, 0, 0, NULL);
	encode(&b, &o, &m);
	CHECK_EQ(got.n_samples, 1);
	CHECK_EQ(got.samples[0].n_locations, 0);
	CHECK_EQ(got.samples[0].values[0], 10);
	TEARDOWN();
}

TEST(pprof_inlined_frames_are_lines_of_one_location)
{
	SETUP();
	ADD(&b, 1, 0, BASE + 0x1c0, BASE + 0x010);
	encode(&b, &o, &m);
	unsigned l = read_location_at(got.samples[0].locations[0]);
	CHECK_EQ(got.locations[l].n_lines, 3);
	static const char *const names[] = {"inner", "middle", "worker"};
	static const uint64_t lines[] = {3, 13, 293};
	for (unsigned k = 0; k < 3; k++) {
		CHECK_STR(read_text(got.functions[read_function_at(got.locations[l].functions[k])].name),
			  names[k]);
		CHECK_EQ(got.locations[l].lines[k], lines[k]);
	}
	TEARDOWN();
}

/* One function message per name and file. */
TEST(pprof_functions_are_keyed_by_name_and_file)
{
	SETUP();
	ADD(&b, 1, 0, BASE + 0x600);
	ADD(&b, 1, 0, BASE + 0x610);
	ADD(&b, 1, 0, BASE + 0x700);
	encode(&b, &o, &m);
	CHECK_EQ(got.n_locations, 3);
	CHECK_EQ(got.n_functions, 2);
	TEARDOWN();
}

/* Synthetic frames: a location each, address 0, no mapping, and they spoil no claim of the mapping. */
TEST(pprof_synthetic_frames)
{
	SETUP();
	ADD(&b, 1, 0, BASE + 0x100, PROF_FRAME_SWITCH);
	ADD(&b, 1, 0, BASE + 0x100, PROF_FRAME_IRQ_OFF);
	ADD(&b, 1, 0, PROF_FRAME_SYSTEM);
	ADD(&b, 1, 0, PROF_FRAME_LOST);
	ADD(&b, 1, 0, BASE + 0x100, BASE + 0x104, PROF_FRAME_SWITCH);
	encode(&b, &o, &m);
	static const char *const names[] = {"[switch]", "[irq-off]", "[system]", "[lost]"};
	for (unsigned i = 0; i < 4; i++) {
		unsigned l = read_location_at(got.samples[i].locations[i < 2 ? 1 : 0]);
		CHECK_EQ(got.locations[l].address, 0);
		CHECK_EQ(got.locations[l].mapping, 0);
		CHECK_EQ(got.locations[l].n_lines, 1);
		CHECK_STR(read_text(got.functions[read_function_at(got.locations[l].functions[0])].name),
			  names[i]);
	}
	CHECK(got.samples[4].locations[2] == got.samples[0].locations[1]);
	CHECK_EQ(got.n_locations, 6);
	for (unsigned k = 0; k < 4; k++)
		CHECK_EQ(got.mappings[0].has[k], 1);
	TEARDOWN();
}

TEST(pprof_mapping_claims_only_what_is_true)
{
	SETUP();
	ADD(&b, 1, 0, BASE + 0x800); /* no file */
	encode(&b, &o, &m);
	CHECK(got.mappings[0].has[0] == 1 && got.mappings[0].has[1] == 0 && got.mappings[0].has[2] == 1);
	ADD(&b, 1, 0, BASE + 0x900); /* unknown */
	encode(&b, &o, &m);
	for (unsigned k = 0; k < 4; k++)
		CHECK_EQ(got.mappings[0].has[k], 0);
	CHECK_EQ(got.locations[1].n_lines, 0);
	CHECK_EQ(got.locations[1].address, BASE + 0x900);
	builder_free(&b);
	ADD(&b, 1, 0, BASE + 0x100, END + 0x10); /* unknown, but not in the mapping */
	encode(&b, &o, &m);
	CHECK_EQ(got.mappings[0].has[0], 1);
	CHECK_EQ(got.locations[1].mapping, 0);
	o.inline_expanded = false;
	encode(&b, &o, &m);
	CHECK_EQ(got.mappings[0].has[3], 0);
	TEARDOWN();
}

/* Go's TestFakeMapping: without a known image there is one mapping, which holds every real address. */
TEST(pprof_without_an_image_has_one_mapping)
{
	SETUP();
	o.mapping = (struct pprof_mapping){.start = 0};
	ADD(&b, 1, 0, BASE + 0x100, PROF_FRAME_SWITCH);
	encode(&b, &o, &m);
	CHECK_EQ(got.mappings[0].limit, 0);
	CHECK_EQ(got.mappings[0].has[0], 1);
	CHECK_EQ(got.locations[0].mapping, 1);
	CHECK_EQ(got.locations[1].mapping, 0);
	TEARDOWN();
}

TEST(pprof_comments_and_other_types)
{
	static const char *const comments[] = {"lost: 3 ticks, 30 ms", "hart 1: ring full", ""};
	SETUP();
	o = (struct pprof_options){.sample_types = {{"alloc_objects", "count"},
						    {"alloc_space", "bytes"},
						    {"inuse_objects", "count"},
						    {"inuse_space", "bytes"}},
				   .n_sample_types = 4,
				   .period_type = {"space", "bytes"},
				   .period = 524288,
				   .default_sample_type = "alloc_space",
				   .comments = comments,
				   .n_comments = 3,
				   .symbolize = symbolize,
				   .symbolize_ctx = &lookups};
	store_init(sizeof store.data);
	struct pprof *p = pprof_open(&o, &m.ops, &store.sink);
	uintptr_t pcs[PROF_DEPTH_MAX + 1];
	for (uintptr_t i = 0; i < PROF_DEPTH_MAX; i++)
		pcs[i] = BASE + 0x500 + i % 4;
	pcs[PROF_DEPTH_MAX] = PROF_FRAME_TRUNCATED;
	struct pprof_sample s = {
		.pcs = pcs, .depth = PROF_DEPTH_MAX + 1, .values = {-1, INT64_MIN, INT64_MAX, 0}};
	CHECK_EQ(pprof_add(p, &s), 0);
	CHECK_EQ(pprof_close(p), 0);
	read_profile(store.data, store.n);
	CHECK_EQ(got.n_types, 4);
	CHECK_STR(read_text(got.types[3].type), "inuse_space");
	CHECK_STR(read_text(got.default_type), "alloc_space");
	CHECK_STR(read_text(got.period_type.type), "space");
	CHECK_EQ(got.time, 0);
	CHECK_EQ(got.n_comments, 3);
	for (unsigned i = 0; i < 3; i++)
		CHECK_STR(read_text(got.comments[i]), comments[i]);
	CHECK_EQ(got.samples[0].n_locations, PROF_DEPTH_MAX + 1);
	CHECK_EQ(got.samples[0].values[0], -1);
	CHECK_EQ(got.samples[0].values[1], INT64_MIN);
	CHECK_EQ(got.samples[0].values[2], INT64_MAX);
	CHECK_EQ(got.n_locations, 5); /* addresses -1 to 2, the leaf's 0 among them, and [truncated] */
	TEARDOWN();
}

/* What the builder could not keep is a sample of [lost], and values stay in int64. */
TEST(pprof_shows_lost_samples)
{
	SETUP();
	builder_init(&b, &m.ops, 0);
	uintptr_t pc = BASE;
	struct prof_sample s = {.count = 7, .weight_ns = UINT64_MAX, .depth = 1, .pcs = &pc};
	CHECK(!builder_add(&b, &s));
	encode(&b, &o, &m);
	CHECK_EQ(got.n_samples, 1);
	CHECK_EQ(got.samples[0].values[0], 7);
	CHECK_EQ(got.samples[0].values[1], INT64_MAX);
	CHECK_STR(read_text(got.functions[0].name), "[lost]");
	TEARDOWN();
}

/* Of two profiles: values below 0, records that are equal in both left out, also for what was lost. */
TEST(pprof_of_a_difference)
{
	SETUP();
	struct builder less;
	builder_init(&less, &m.ops, 1 << 20);
	ADD(&b, 3, 0, BASE);
	ADD(&b, 2, 0, BASE + 1);
	ADD(&less, 3, 0, BASE);
	ADD(&less, 5, 0, BASE + 1);
	ADD(&less, 1, 0, BASE + 2);
	for (const struct prof_record *r = builder_first(&less); r != NULL; r = builder_next(&less, r)) {
		struct prof_sample s = builder_sample(r, true);
		CHECK(builder_add(&b, &s));
	}
	CHECK_EQ((int64_t)b.count, -4);
	o.difference = true;
	encode(&b, &o, &m);
	CHECK_EQ(got.n_samples, 2);
	CHECK_EQ(got.samples[0].values[0], -3);
	CHECK_EQ(got.samples[1].values[0], -1);
	builder_free(&less);
	TEARDOWN();
}

/* The leaf of a stack that nobody interrupted lies in its call, too. */
TEST(pprof_leaf_is_a_return_address)
{
	SETUP();
	ADD(&b, 1, 0, BASE + 0x31, BASE + 0x21);
	o.returns = true;
	encode(&b, &o, &m);
	CHECK_EQ(got.n_locations, 2);
	CHECK_EQ(got.locations[0].address, BASE + 0x30);
	CHECK_EQ(got.locations[1].address, BASE + 0x20);
	TEARDOWN();
}

TEST(pprof_output_depends_on_samples_alone)
{
	static char before[1 << 20];
	SETUP();
	fill(&b);
	encode(&b, &o, &m);
	size_t n = store.n;
	memcpy(before, store.data, n);
	builder_free(&b);
	fill(&b);
	encode(&b, &o, &m);
	CHECK(store.n == n && memcmp(before, store.data, n) == 0);
	TEARDOWN();
}

/* Go's TestWriteToErr: the sink's error comes back, wherever it happens, and nothing is written after it. */
TEST(pprof_sink_error_is_passed_up)
{
	SETUP();
	fill(&b);
	encode(&b, &o, &m);
	size_t all = store.n;
	for (size_t limit = 0; limit < all; limit += 97) {
		store_init(limit);
		CHECK_EQ(pprof_write_builder(&b, &o, &m.ops, &store.sink), -EIO);
		CHECK_EQ(store.after_error, 0);
	}
	store_init(100);
	struct pprof *p = pprof_open(&o, &m.ops, &store.sink);
	uintptr_t pc = BASE;
	const struct pprof_sample s = {.pcs = &pc, .depth = 1};
	int error = 0;
	for (unsigned i = 0; i < 1000 && error == 0; i++)
		error = pprof_add(p, &s);
	CHECK_EQ(error, -EIO); /* at once, not only at the end */
	CHECK_EQ(pprof_close(p), -EIO);
	TEARDOWN();
}

static void totals_of(uint64_t *sum)
{
	sum[0] = sum[1] = 0;
	for (unsigned i = 0; i < got.n_samples; i++)
		for (unsigned k = 0; k < 2; k++)
			sum[k] += got.samples[i].values[k];
}

/*
 * Every allocation in turn fails, and then all after it: what cannot begin is an error, everything else a valid profile with the whole sum,
 * which says what it lacks; and no leak.
 */
TEST(pprof_every_allocation_may_fail)
{
	SETUP();
	fill(&b);
	size_t kept = m.out;
	uint64_t whole[2], sum[2];
	encode(&b, &o, &m);
	totals_of(whole);
	unsigned refused = 0, truncated = 0, fail_at = 1;
	for (;; fail_at++) {
		m.allocations = 0;
		m.fail_at = (fail_at + 1) / 2;
		m.fail_on = fail_at % 2 == 0;
		store_init(sizeof store.data);
		int error = pprof_write_builder(&b, &o, &m.ops, &store.sink);
		CHECK_EQ(m.out, kept);
		bool failed = m.allocations >= m.fail_at;
		if (error != 0) {
			CHECK_EQ(error, -ENOMEM);
			CHECK_EQ(store.n, 0);
			CHECK_EQ(truncated, 0); /* it could not begin */
			refused++;
			continue;
		}
		read_profile(store.data, store.n);
		totals_of(sum);
		CHECK_EQ(sum[0], whole[0]);
		CHECK_EQ(sum[1], whole[1]);
		if (!failed)
			break;
		const char *comment = read_text(got.comments[got.n_comments - 1]);
		truncated++;
		CHECK(got.n_comments > 0 && strncmp(comment, "truncated: no memory to write ", 30) == 0);
	}
	printf("# %u refused, %u truncated\n", refused, truncated);
	CHECK(refused >= 2);
	CHECK(truncated > 10);
	m.fail_at = 0;
	m.fail_on = false;
	TEARDOWN();
}

/* Counting and writing agree for every length of varint, and the buffer's size does not show. */
static void nest_emit(struct protobuf *pb, const void *arg)
{
	const uint64_t *level = arg;
	protobuf_uint64(pb, 1, *level << (*level * 7 % 64));
	protobuf_uint64s(pb, 2, (uint64_t[]){1, 0x7f, 0x80, 1ull << 63}, *level % 5);
	uint64_t below = *level - 1;
	if (*level > 0)
		protobuf_message(pb, 3, nest_emit, &below);
}

TEST(protobuf_nesting_and_buffer_sizes)
{
	static char first[1 << 16];
	size_t n = 0;
	for (unsigned size = 1; size < 300; size += 37) {
		uint8_t buf[300];
		struct protobuf pb;
		store_init(sizeof store.data);
		protobuf_init(&pb, &store.sink, buf, size);
		uint64_t level = 9;
		protobuf_message(&pb, 1000, nest_emit, &level);
		protobuf_bytes(&pb, 4, "a string that is longer than the smaller buffers", 48);
		CHECK_EQ(protobuf_flush(&pb), 0);
		CHECK_EQ(pb.written, store.n);
		if (n == 0) {
			n = store.n;
			memcpy(first, store.data, n);
		}
		CHECK(store.n == n && memcmp(first, store.data, n) == 0);
	}
}

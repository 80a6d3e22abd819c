/*
 * prof/builder and prof/intern: nothing added is lost or merged wrongly, whatever the hash, the memory and
 * the order.
 */
#include "prof/builder.h"

#include <string.h>

#include "prof/intern.h"
#include "tests/host/check.h"
#include "tests/host/mem_fake.h"

enum { LIMIT = 64 << 20 };

static struct prof_sample sample(const uintptr_t *pcs, uint32_t depth, uint32_t labels)
{
	return (struct prof_sample){
		.count = 1, .weight_ns = 10, .depth = depth, .pcs = pcs, .labels = labels};
}

static uint64_t records(const struct builder *b)
{
	uint64_t n = 0;
	for (const struct prof_record *r = builder_first(b); r != NULL; r = builder_next(b, r))
		n++;
	return n;
}

/* Conservation: what was added is what comes out, [lost] included. */
static void check_conserved(const struct builder *b, uint64_t count, uint64_t weight_ns)
{
	uint64_t sum_count = 0, sum_weight = 0;
	for (const struct prof_record *r = builder_first(b); r != NULL; r = builder_next(b, r)) {
		sum_count += r->count;
		sum_weight += r->weight_ns;
	}
	CHECK_EQ(sum_count, count);
	CHECK_EQ(sum_weight, weight_ns);
	CHECK_EQ(b->count, count);
	CHECK_EQ(b->weight_ns, weight_ns);
	CHECK(b->allocated <= b->limit);
	CHECK_EQ(b->allocated, ((const struct mem_fake *)b->mem->ctx)->out);
}

TEST(builder_empty)
{
	struct mem_fake m;
	struct builder b;
	mem_fake_init(&m);
	builder_init(&b, &m.ops, LIMIT);
	CHECK(builder_first(&b) == NULL);
	builder_free(&b);
	CHECK_EQ(m.allocations, 0);
}

TEST(builder_same_stack_same_labels_is_one_record)
{
	struct mem_fake m;
	struct builder b;
	uintptr_t one[] = {0x1000, 0x2000}, shorter[] = {0x1000}, other[] = {0x1000, 0x2001};
	mem_fake_init(&m);
	builder_init(&b, &m.ops, LIMIT);
	struct prof_sample s[] = {sample(one, 2, 0),   sample(one, 2, 7), sample(shorter, 1, 0),
				  sample(other, 2, 0), sample(one, 2, 0), sample(NULL, 0, 0)};
	s[3].kind = 0;
	for (size_t i = 0; i < sizeof s / sizeof s[0]; i++)
		CHECK(builder_add(&b, &s[i]));
	struct prof_sample kind = sample(one, 2, 0);
	kind.kind = 1;
	CHECK(builder_add(&b, &kind));
	CHECK_EQ(records(&b), 6);
	CHECK_EQ(b.n_records, 6);
	const struct prof_record *r = builder_first(&b);
	CHECK_EQ(r->count, 2);
	CHECK_EQ(r->weight_ns, 20);
	CHECK(r->depth == 2 && r->pcs[0] == 0x1000 && r->pcs[1] == 0x2000 && r->pcs != one);
	r = builder_next(&b, r);
	CHECK_EQ(r->labels, 7);
	check_conserved(&b, 7, 70);
	builder_free(&b);
	CHECK_EQ(m.out, 0);
}

/* Two stacks made to have one hash: the second pc undoes the difference of the first. */
TEST(builder_equal_hashes_stay_apart)
{
	struct mem_fake m;
	struct builder b;
	mem_fake_init(&m);
	builder_init(&b, &m.ops, LIMIT);
	uint64_t head = hash_word(2, 0), first = (head ^ 0x1000) * HASH_FACTOR;
	for (uintptr_t i = 0; i < 300; i++) {
		uintptr_t a = 0x1000 + i;
		uintptr_t pcs[] = {a, first ^ 0x5000 ^ ((head ^ a) * HASH_FACTOR)};
		struct prof_sample s = sample(pcs, 2, 0);
		CHECK(builder_add(&b, &s) && builder_add(&b, &s));
	}
	CHECK_EQ(b.n_records, 300);
	uint64_t hash = builder_first(&b)->hash;
	for (const struct prof_record *r = builder_first(&b); r != NULL; r = builder_next(&b, r)) {
		CHECK_EQ(r->hash, hash);
		CHECK_EQ(r->count, 2);
	}
	builder_free(&b);
}

TEST(builder_deep_stack_is_cut_at_the_root)
{
	struct mem_fake m;
	struct builder b;
	uintptr_t pcs[PROF_DEPTH_MAX + 20];
	for (uintptr_t i = 0; i < PROF_DEPTH_MAX + 20; i++)
		pcs[i] = 0x1000 + i;
	mem_fake_init(&m);
	builder_init(&b, &m.ops, LIMIT);
	struct prof_sample whole = sample(pcs, PROF_DEPTH_MAX, 0), deep = sample(pcs, PROF_DEPTH_MAX + 20, 0),
			   one_more = sample(pcs, PROF_DEPTH_MAX + 1, 0);
	CHECK(builder_add(&b, &whole) && builder_add(&b, &deep) && builder_add(&b, &one_more));
	uintptr_t marked[PROF_DEPTH_MAX + 1];
	memcpy(marked, pcs, sizeof marked);
	marked[PROF_DEPTH_MAX] = PROF_FRAME_TRUNCATED;
	struct prof_sample cut = sample(marked, PROF_DEPTH_MAX + 1, 0);
	CHECK(builder_add(&b, &cut));
	CHECK_EQ(b.n_records, 2);
	const struct prof_record *r = builder_first(&b);
	CHECK_EQ(r->depth, PROF_DEPTH_MAX);
	CHECK_EQ(r->pcs[PROF_DEPTH_MAX - 1], 0x1000 + PROF_DEPTH_MAX - 1);
	r = builder_next(&b, r);
	CHECK_EQ(r->count, 3);
	CHECK_EQ(r->depth, PROF_DEPTH_MAX + 1);
	CHECK_EQ(r->pcs[PROF_DEPTH_MAX - 1], 0x1000 + PROF_DEPTH_MAX - 1);
	CHECK_EQ(r->pcs[PROF_DEPTH_MAX], PROF_FRAME_TRUNCATED);
	builder_free(&b);
}

/* A million samples of ten thousand stacks of depth 32, in order of first arrival, within 64 MiB. */
TEST(builder_million_samples_in_64_mib)
{
	enum { STACKS = 10000, DEPTH = 32 };
	struct mem_fake m;
	struct builder b;
	mem_fake_init(&m);
	builder_init(&b, &m.ops, LIMIT);
	for (uintptr_t i = 0; i < 1000000; i++) {
		uintptr_t pcs[DEPTH], stack = i * 7919 % STACKS;
		for (uintptr_t d = 0; d < DEPTH; d++)
			pcs[d] = 0x80200000 + stack / (d + 1) * 4;
		pcs[0] = 0x80200000 + stack;
		struct prof_sample s = sample(pcs, DEPTH, 0);
		if (!builder_add(&b, &s))
			CHECK(!"a sample was lost");
	}
	CHECK_EQ(b.n_records, STACKS);
	CHECK(m.most < 64 << 20);
	CHECK(m.most < STACKS * (DEPTH * sizeof(uintptr_t) + 128)); /* and no more than the records need */
	check_conserved(&b, 1000000, 10000000);
	uintptr_t i = 0;
	for (const struct prof_record *r = builder_first(&b); r != NULL; r = builder_next(&b, r), i++)
		CHECK(r->count == 100 && r->pcs[0] == 0x80200000 + i * 7919 % STACKS);
	builder_free(&b);
	CHECK_EQ(m.out, 0);
}

TEST(builder_limit_sends_the_rest_to_lost)
{
	struct mem_fake m;
	struct builder b;
	mem_fake_init(&m);
	builder_init(&b, &m.ops, BUILDER_LIMIT_MIN);
	for (uintptr_t i = 0; i < 5000; i++) {
		uintptr_t pcs[] = {0x1000 + i, 0x2000};
		struct prof_sample s = sample(pcs, 2, 0);
		builder_add(&b, &s);
	}
	CHECK(b.n_records > 100 && b.n_records < 5000);
	CHECK_EQ(b.lost.count, 5000 - b.n_records);
	CHECK(m.most <= BUILDER_LIMIT_MIN);
	check_conserved(&b, 5000, 50000);
	const struct prof_record *last = NULL;
	for (const struct prof_record *r = builder_first(&b); r != NULL; r = builder_next(&b, r))
		last = r;
	CHECK(last->depth == 1 && last->pcs[0] == PROF_FRAME_LOST && last->labels == 0);
	uintptr_t known[] = {0x1000, 0x2000};
	struct prof_sample s = sample(known, 2, 0);
	CHECK(builder_add(&b, &s)); /* what has a record still counts there */
	builder_free(&b);
	CHECK(builder_first(&b) == NULL);
	builder_init(&b, &m.ops, 0);
	CHECK(!builder_add(&b, &s));
	check_conserved(&b, 1, 10);
	builder_free(&b);
}

/* Every allocation in turn fails, alone and with all after it. */
TEST(builder_conserves_without_memory)
{
	for (int on = 0; on < 2; on++) {
		for (unsigned fail_at = 1; fail_at < 40; fail_at++) {
			struct mem_fake m;
			struct builder b;
			mem_fake_init(&m);
			m.fail_at = fail_at;
			m.fail_on = on;
			builder_init(&b, &m.ops, LIMIT);
			uint64_t lost = 0;
			for (uintptr_t i = 0; i < 4000; i++) {
				uintptr_t pcs[20] = {0x1000 + i % 2000};
				struct prof_sample s = sample(pcs, 20, 0);
				lost += !builder_add(&b, &s);
			}
			CHECK_EQ(lost, b.lost.count);
			CHECK(lost == 0 || m.allocations >= fail_at);
			CHECK_EQ(b.n_records == 2000, lost == 0 || !on);
			check_conserved(&b, 4000, 40000);
			builder_free(&b);
			CHECK_EQ(m.out, 0);
		}
	}
}

TEST(frame_names)
{
	CHECK_STR(prof_frame_name(PROF_FRAME_SWITCH), "[switch]");
	CHECK_STR(prof_frame_name(PROF_FRAME_IRQ_OFF), "[irq-off]");
	CHECK_STR(prof_frame_name(PROF_FRAME_SYSTEM), "[system]");
	CHECK_STR(prof_frame_name(PROF_FRAME_LOST), "[lost]");
	CHECK_STR(prof_frame_name(PROF_FRAME_TRUNCATED), "[truncated]");
	CHECK_STR(prof_frame_name(PROF_FRAME_IDLE), "[idle]");
	CHECK_STR(prof_frame_name(0), "[unknown]");
	CHECK_STR(prof_frame_name(PROF_FRAME_MAX - 1), "[unknown]");
}

struct word {
	struct intern_head head;
	uint64_t value;
};

static bool word_equal(const void *entry, const void *other)
{
	const struct word *a = entry, *b = other;
	return a->value == b->value;
}

/* Numbers come in order of arrival, also if all hashes are equal; a failed put changes nothing. */
TEST(intern_numbers)
{
	for (uint64_t mask = 0; mask < 4; mask += 3) {
		struct mem_fake m;
		struct intern t;
		mem_fake_init(&m);
		intern_init(&t, &m.ops, sizeof(struct word));
		for (unsigned round = 0; round < 2; round++) {
			for (uint64_t i = 0; i < 500; i++) {
				struct word w = {.head.hash = hash_word(0, i) & mask, .value = i};
				uint32_t id = UINT32_MAX;
				if (round == 0) {
					CHECK(!intern_find(&t, &w, word_equal, &id));
					m.fail_at = m.allocations + 1;
					int r = intern_put(&t, &w, word_equal, &id);
					m.fail_at = 0;
					CHECK(r == 1 || (r < 0 && t.n == i));
					if (r < 0)
						CHECK_EQ(intern_put(&t, &w, word_equal, &id), 1);
				} else {
					CHECK(intern_find(&t, &w, word_equal, &id));
					CHECK_EQ(intern_put(&t, &w, word_equal, &id), 0);
				}
				CHECK_EQ(id, i);
			}
		}
		intern_free(&t);
		CHECK_EQ(m.out, 0);
	}
}

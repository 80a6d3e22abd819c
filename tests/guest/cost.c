/*
 * What a sample costs, in instructions, from the first of the trap to the last: a loop of known work is run with and without a profile, at
 * known depths of the stack. Under EXACT=1 only, where an instruction is a nanosecond. tools/bench prints the lines that begin with "cost:".
 */
#include "suite.h"

#include <stdlib.h>

#include <hartbeat/go.h>
#include <hartbeat/prof.h>
#include <hartbeat/time.h>

#include "kernel/clock.h"
#include "kernel/preempt.h"
#include "prof/builder.h"
#include "prof/image.h"
#include "prof/impl.h"
#include "prof/prof.h"
#include "record.h"

enum { HZ = 10000, SAMPLES = 250, ROUNDS = 100 * SAMPLES };

static volatile uint64_t sink;

/* 100 us for each sample, in calls that take a microsecond or so: samples land at every instruction of a leaf. */
__attribute__((noipa)) static void cost_leaf(void)
{
	for (int i = 0; i < 250; i++)
		sink++;
}

__attribute__((noipa)) static uint64_t cost_loop(uint64_t rounds)
{
	uint64_t start = time_now();
	for (uint64_t i = 0; i < rounds; i++)
		cost_leaf();
	return time_now() - start;
}

/* depth + 1 times. A sample has it between cost_leaf(), cost_loop() and run(), goroutine_entry(), context_start(). */
__attribute__((noipa)) static uint64_t cost_deep(unsigned depth, uint64_t rounds)
{
	uint64_t ns = depth > 0 ? cost_deep(depth - 1, rounds) : cost_loop(rounds);
	sink++;
	return ns;
}

struct asked {
	unsigned depth;
	uint64_t ns, rounds;
	struct waitgroup done;
};

static void run(void *arg)
{
	struct asked *a = arg;
	preempt_disable(); /* nothing else comes in between: the ring is not read meanwhile */
	a->ns = a->depth == 5 ? cost_loop(a->rounds) : cost_deep(a->depth - 6, a->rounds);
	preempt_enable();
	waitgroup_done(&a->done);
}

static void ask(struct asked *a)
{
	waitgroup_add(&a->done, 1);
	CHECK(go(run, a) != 0);
	waitgroup_wait(&a->done);
}

struct depths {
	uint64_t n, frames;
};

static void look(void *ctx, const struct builder *b, uint64_t duration_ns)
{
	struct depths *d = ctx;
	(void)duration_ns;
	for (const struct prof_record *r = builder_first(b); r != NULL; r = builder_next(b, r)) {
		if (!record_is_at(r, 0, "cost_leaf"))
			continue;
		d->n += r->count;
		d->frames += r->count * r->depth;
	}
}

static void cost_at(unsigned depth, unsigned most)
{
	struct asked off = {.depth = depth, .rounds = ROUNDS}, on = off;
	struct depths d = {0};
	struct sampler_account a = {0}, b = {0};
	uint64_t samples = 0;
	ask(&off);
	CHECK_EQ(prof_start(HZ), 0);
	ask(&on);
	CHECK_EQ(prof_stop_with(NULL, look, &d), 0);
	for (unsigned i = 0; i < go_harts(); i++) {
		sampler_account(i, &b);
		a.samples += b.samples;
		a.lost_samples += b.lost_samples;
	}
	samples = on.ns * HZ / TIME_SECOND;
	CHECK_EQ(a.lost_samples, 0);
	CHECK(d.n > samples / 2 && d.frames == d.n * depth);
	uint64_t each = (on.ns - off.ns) / samples;
	guest_note("cost: %llu instructions a sample of depth %u", (unsigned long long)each, depth);
	CHECK(on.ns > off.ns && each <= most);
}

static bool possible(void)
{
	guest_profile_off();
	if (!guest_exact())
		guest_skip("instructions are counted only with EXACT=1");
	else if (go_harts() > 1)
		guest_skip("instructions are time only where one hart has all of it");
	return guest_exact() && go_harts() == 1;
}

GUEST_TEST(cost, sample,
	   "a sample takes at most 1,000 instructions at depth 5 and 2,500 at depth 20, with trap entry and "
	   "exit")
{
	if (!possible())
		return;
	cost_at(5, 1000);
	cost_at(20, 2500);
}

/* Twice, within the time after which the profile's own reader comes: the first time some stacks are new, the second time few are. */
static void drain_at(unsigned depth, unsigned most, unsigned most_first)
{
	struct asked a = {.depth = depth, .rounds = ROUNDS / 2};
	struct sampler_account one;
	uint64_t each[2];
	CHECK_EQ(prof_start(HZ), 0);
	for (int i = 0; i < 2; i++) {
		ask(&a);
		uint64_t start = time_now();
		drain_turn(NULL, NULL);
		each[i] = (time_now() - start) / (a.ns * HZ / TIME_SECOND);
		CHECK(a.ns * HZ / TIME_SECOND >= SAMPLES / 2);
	}
	CHECK_EQ(prof_stop_with(NULL, NULL, NULL), 0);
	sampler_account(0, &one);
	guest_note(
		"cost: %llu instructions to drain and fold a sample of depth %u, %llu at the beginning of a "
		"profile",
		(unsigned long long)each[1], depth, (unsigned long long)each[0]);
	CHECK_EQ(one.lost_samples, 0);
	CHECK(each[1] > 100 && each[1] <= most);
	CHECK(each[0] <= most_first);
}

GUEST_TEST(cost, drain,
	   "reading a sample from its ring and adding it to the profile takes some 400 instructions at "
	   "depth 5, and at most 500 at depth 20; some more while its stacks are new")
{
	if (!possible())
		return;
	drain_at(5, 420, 450);
	drain_at(20, 500, 550);
}

/* ---- size ---- */

extern const char __text_start[], __text_end[];

/* Stack i of a call tree in which two calls come from each: its leaf is its own, its caller one other's too, and so on. */
static uint32_t tree_stack(uint64_t i, uintptr_t *pcs)
{
	uint32_t depth = 8 + (uint32_t)(i % 13);
	for (uint32_t k = 0; k < depth; k++) {
		uint64_t seed = (i >> k) * 31 + depth - k + 1;
		guest_random(&seed);
		pcs[k] = (uintptr_t)__text_start +
			 guest_random(&seed) % (uintptr_t)(__text_end - __text_start - 16) + 1;
	}
	return depth;
}

static void tree_fill(struct builder *b, uint64_t samples, uint64_t stacks)
{
	uintptr_t pcs[24];
	uint64_t seed = 7;
	for (uint64_t i = 0; i < samples; i++) {
		struct prof_sample s = {.count = 1, .weight_ns = 1000000, .pcs = pcs};
		s.depth = tree_stack(i < stacks ? i : guest_random(&seed) % stacks, pcs);
		builder_add(b, &s);
	}
}

GUEST_TEST(
	cost, million,
	"a million samples of ten thousand stacks take less than 64 MiB and, with the making of the stacks, "
	"5 s")
{
	struct builder b;
	uint64_t samples = guest_count(50000, 1000000);
	builder_init(&b, &prof_mem, 64 << 20);
	uint64_t start = time_now();
	tree_fill(&b, samples, 10000);
	uint64_t ns = time_now() - start;
	guest_note("cost: %llu samples of %llu stacks: %llu KiB, %llu ms", (unsigned long long)samples,
		   (unsigned long long)b.n_records, (unsigned long long)b.allocated >> 10,
		   (unsigned long long)ns / 1000000);
	CHECK_EQ(b.n_records, 10000);
	CHECK_EQ(b.count, samples);
	CHECK_EQ(b.lost.count, 0);
	CHECK(b.allocated < 64 << 20);
	if (guest_exact())
		CHECK(ns < 5 * (uint64_t)TIME_SECOND);
	builder_free(&b);
}

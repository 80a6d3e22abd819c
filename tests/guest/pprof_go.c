/* Go's tests of CPU profiles (runtime/pprof/pprof_test.go), by their names, written anew. */
#include "suite.h"

#include <stdlib.h>
#include <string.h>

#include <hartbeat/go.h>
#include <hartbeat/prof.h>
#include <hartbeat/report.h>
#include <hartbeat/time.h>

#include "kernel/clock.h"
#include "kernel/limits.h"
#include "kernel/symtab.h"
#include "prof/builder.h"
#include "prof/prof.h"
#include "record.h"

#define OWN_FRAME __attribute__((noipa))

static volatile uint64_t sink;

OWN_FRAME static void cpu_hog1(uint64_t end)
{
	while (time_now() < end)
		for (int i = 0; i < 1000; i++)
			sink += i;
}

OWN_FRAME static void cpu_hog2(uint64_t end)
{
	while (time_now() < end)
		for (int i = 0; i < 1000; i++)
			sink ^= i;
}

struct hog {
	void (*fn)(uint64_t end);
	uint64_t ms; /* how long it computes */
	uint64_t end;
};

static void hog_run(void *arg)
{
	const struct hog *h = arg;
	h->fn(h->end);
}

/* What a profile has of the stacks with each of some functions. */
struct found {
	const char *name;
	uint64_t least; /* so many samples are wanted, with a host that gives harts their time */
	uint64_t count, ns;
	uint32_t most; /* times in one stack */
};

static void look(void *ctx, const struct builder *b, uint64_t duration_ns)
{
	(void)duration_ns;
	for (struct found *f = ctx; f->name != NULL; f++)
		for (const struct prof_record *r = builder_first(b); r != NULL; r = builder_next(b, r)) {
			uint32_t n = 0;
			for (uint32_t i = 0; i < r->depth; i++)
				n += record_is_at(r, i, f->name);
			f->count += n > 0 ? r->count : 0;
			f->ns += n > 0 ? r->weight_ns : 0;
			f->most = n > f->most ? n : f->most;
		}
}

static bool profile_once(unsigned hz, unsigned n, struct hog *hogs, struct found *found)
{
	struct guest_group all = {0};
	bool enough = true;
	for (struct found *f = found; f->name != NULL; f++)
		f->count = f->ns = f->most = 0;
	for (unsigned i = 0; i < n; i++)
		hogs[i].end = time_now() + hogs[i].ms * TIME_MILLISECOND;
	guest_profile_off();
	CHECK_EQ(prof_start(hz), 0);
	for (unsigned i = 0; i < n; i++)
		guest_go(&all, hog_run, &hogs[i]);
	guest_wait(&all);
	CHECK_EQ(prof_stop_with(NULL, look, found), 0);
	for (struct found *f = found; f->name != NULL; f++)
		enough &= f->count >= f->least;
	return enough;
}

/* Again while the host stalls. The last one is looked at. */
static void profile(unsigned hz, unsigned n, struct hog *hogs, struct found *found)
{
	int i = 0;
	while (i < GUEST_ATTEMPTS && !profile_once(hz, n, hogs, found))
		i++;
	CHECK(i < GUEST_ATTEMPTS);
}

GUEST_TEST(pprof, cpu_profile, "a function that computes is in the profile, with the samples it deserves")
{
	struct hog h = {.fn = cpu_hog1, .ms = 200};
	struct found f[] = {{.name = "cpu_hog1", .least = 50}, {.name = "cpu_hog2"}, {0}};
	profile(1000, 1, &h, f);
	CHECK(f[0].ns >= 40 * TIME_MILLISECOND); /* a sample stands for half a period at least */
	CHECK_EQ(f[1].count, 0);
}

GUEST_TEST(pprof, cpu_profile_multithreaded, "two functions on two harts are both in the profile")
{
	struct hog h[] = {{.fn = cpu_hog1, .ms = 200}, {.fn = cpu_hog2, .ms = 200}};
	struct found f[] = {{.name = "cpu_hog1", .least = 20}, {.name = "cpu_hog2", .least = 20}, {0}};
	profile(1000, 2, h, f);
}

GUEST_TEST(pprof, cpu_profile_multithread_magnitude,
	   "the samples of one worker, and of as many as there are harts, add up to the harts' busy time")
{
	for (unsigned workers = 1; workers <= go_harts(); workers += go_harts() > 1 ? go_harts() - 1 : 1) {
		struct hog h[HART_MAX];
		struct found f[] = {{.name = "goroutine_entry"}, {.name = "sched_loop"}, {0}};
		uint64_t busy = 0;
		for (unsigned i = 0; i < workers; i++)
			h[i] = (struct hog){.fn = cpu_hog1, .ms = 100};
		profile(1000, workers, h, f);
		for (unsigned i = 0; i < go_harts(); i++) {
			struct sampler_account a;
			sampler_account(i, &a);
			busy += clock_from_ticks(a.elapsed - a.idle);
		}
		/* the least is for a host that delays ticks until a hart has gone to sleep */
		CHECK(f[0].ns + f[1].ns <= busy + go_harts() && f[0].ns + f[1].ns >= busy / 10 * 3);
	}
}

static inline __attribute__((always_inline)) void inlined_callee(int n)
{
	for (int i = 0; i < n; i++)
		sink += i;
}

OWN_FRAME static void inlined_caller(uint64_t end)
{
	while (time_now() < end)
		inlined_callee(1000);
}

static void look_inlined(void *ctx, const struct builder *b, uint64_t duration_ns)
{
	uint64_t *n = ctx;
	(void)duration_ns;
	for (const struct prof_record *r = builder_first(b); r != NULL; r = builder_next(b, r)) {
		struct symtab_frame f[SYMTAB_FRAMES_MAX];
		if (!record_is_at(r, 0, "inlined_caller"))
			continue;
		unsigned got = symtab_frames(r->pcs[0], f, SYMTAB_FRAMES_MAX);
		if (got < 2)
			continue;
		CHECK(got == 2 && strcmp(f[0].function, "inlined_callee") == 0 &&
		      strcmp(f[1].function, "inlined_caller") == 0);
		*n += r->count;
	}
}

GUEST_TEST(pprof, cpu_profile_inlining,
	   "an inlined function and the one that it is part of are two frames of one place, in this order")
{
	uint64_t n = 0;
	guest_profile_off();
	for (int i = 0; i < GUEST_ATTEMPTS && n < 10; i++) {
		CHECK_EQ(prof_start(1000), 0);
		inlined_caller(time_now() + 200 * TIME_MILLISECOND);
		CHECK_EQ(prof_stop_with(NULL, look_inlined, &n), 0);
	}
	CHECK(n >= 10);
}

OWN_FRAME static uint64_t recursive(unsigned depth, uint64_t end)
{
	uint64_t x = depth;
	if (depth > 0)
		x += recursive(depth - 1, end);
	else
		cpu_hog1(end);
	__asm__ volatile("" ::: "memory");
	return x;
}

static void recursive_run(uint64_t end)
{
	sink += recursive(9, end);
}

GUEST_TEST(pprof, cpu_profile_recursion, "a function that calls itself is in a stack as often as it is")
{
	struct hog h = {.fn = recursive_run, .ms = 100};
	struct found f[] = {{.name = "recursive", .least = 10}, {0}};
	profile(1000, 1, &h, f);
	CHECK_EQ(f[0].most, 10);
}

OWN_FRAME static void divide(uint64_t end)
{
	static char from[20000], to[20000];
	while (time_now() < end) {
		memcpy(to, from, sizeof to);
		memset(from, (int)sink, sizeof from);
		sink += (uint64_t)memcmp(from, to, sizeof to) / 3;
	}
}

GUEST_TEST(pprof, math_big_divide, "loops of assembly and of the C library are sampled like any other code")
{
	struct hog h = {.fn = divide, .ms = 200};
	struct found f[] = {{.name = "divide", .least = 100}, {.name = "memcpy"}, {.name = "memset"}, {0}};
	profile(5000, 1, &h, f);
}

/* Touches pages of its stack that nobody has touched. */
OWN_FRAME static int grow(int depth)
{
	volatile char frame[3000];
	frame[0] = (char)depth;
	int r = depth > 0 ? grow(depth - 1) : 0;
	return r + frame[0];
}

static void grow_once(void *arg)
{
	(void)arg;
	sink += (uint64_t)grow(30);
}

OWN_FRAME static void grow_often(uint64_t end)
{
	while (time_now() < end) {
		struct guest_group all = {0};
		guest_go(&all, grow_once, NULL);
		guest_wait(&all);
	}
}

GUEST_TEST(pprof, morestack, "while stacks grow the samples have who grows")
{
	struct hog h = {.fn = grow_often, .ms = 200};
	struct found f[] = {{.name = "grow", .least = 1}, {0}};
	profile(10000, 1, &h, f);
	guest_note("%llu samples, the deepest has it %u times", (unsigned long long)f[0].count,
		   (unsigned)f[0].most);
	CHECK(f[0].most <= 31);
}

OWN_FRAME static void traceback_often(uint64_t end)
{
	char text[4000];
	while (time_now() < end)
		sink += go_stack(text, sizeof text);
}

GUEST_TEST(pprof, traceback_all, "stacks are taken while stacks are sampled")
{
	struct hog h = {.fn = traceback_often, .ms = 200};
	struct found f[] = {{.name = "traceback_often", .least = 50}, {0}};
	profile(10000, 1, &h, f);
}

OWN_FRAME static void clock_often(uint64_t end)
{
	while (time_now() < end)
		sink++;
}

GUEST_TEST(pprof, time_vdso, "reading the clock is in no stack twice")
{
	struct hog h = {.fn = clock_often, .ms = 200};
	struct found f[] = {{.name = "time_now"}, {.name = "clock_often", .least = 50}, {0}};
	profile(10000, 1, &h, f);
	CHECK(f[0].most <= 1 && f[1].most == 1);
}

/*
 * The CPU profiler: accounts that balance, stacks that are true. Samples land on any instruction only under -icount or -singlestep; a plain
 * run sees the starts of translation blocks, and so less of what could go wrong.
 */
#include "suite.h"

#include <errno.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hartbeat/chan.h>
#include <hartbeat/go.h>
#include <hartbeat/prof.h>
#include <hartbeat/time.h>

#include "arch/arch.h"
#include "kernel/clock.h"
#include "prof/builder.h"
#include "prof/prof.h"
#include "record.h"

/* A function with a frame, a symbol and a call of its own. */
#define OWN_FRAME      __attribute__((noipa))
#define NO_TAIL_CALL() __asm__ volatile("" ::: "memory")

static bool in_switch(uintptr_t pc)
{
	return pc >= (uintptr_t)__switch_start && pc < (uintptr_t)__switch_end;
}

static void start(unsigned hz)
{
	guest_profile_off();
	CHECK_EQ(prof_start(hz), 0);
}

static void stop(prof_look_fn *look, void *ctx)
{
	CHECK_EQ(prof_stop_with(NULL, look, ctx), 0);
}

GUEST_TEST(prof, arguments, "a profile starts once, within 1 to 10,000 Hz, and stops once")
{
	guest_profile_off();
	static const unsigned bad[] = {0, 10001, 20000, 1000000};
	for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		errno = 0;
		CHECK_EQ(prof_start(bad[i]), -1);
		CHECK_EQ(errno, EINVAL);
	}
	CHECK_EQ(prof_stop(NULL), -1);
	CHECK_EQ(prof_start(1), 0);
	errno = 0;
	CHECK_EQ(prof_start(100), -1);
	CHECK_EQ(errno, EBUSY);
	CHECK(strcmp(prof_error(errno), "cpu profiling already in use") == 0);
	stop(NULL, NULL);
	CHECK_EQ(prof_stop(NULL), -1);
	CHECK_EQ(prof_start(10000), 0);
	stop(NULL, NULL);
}

static void one_cycle(void *arg)
{
	start((unsigned)(uintptr_t)arg);
	guest_spin(200 * TIME_MICROSECOND);
	stop(NULL, NULL);
}

GUEST_TEST(prof, cycles, "profiles start and stop again and again, from any goroutine")
{
	for (uintptr_t i = 0; i < guest_count(20, 300); i++) {
		struct guest_group all = {0};
		guest_go(&all, one_cycle, (void *)(100 + i * 123 % 9000));
		guest_wait(&all);
	}
}

static _Atomic uint32_t starts, stops, inside;

static void try_cycle(void *arg)
{
	uint64_t seed = (uintptr_t)arg;
	for (uint32_t i = 0; i < guest_count(10, 100); i++) {
		if (prof_start(1000) == 0) {
			CHECK_EQ(atomic_fetch_add(&inside, 1), 0);
			atomic_fetch_add(&starts, 1);
			guest_spin(guest_random(&seed) % (300 * TIME_MICROSECOND));
			atomic_fetch_sub(&inside, 1);
			if (prof_stop_with(NULL, NULL, NULL) == 0)
				atomic_fetch_add(&stops, 1);
		}
		go_yield();
	}
}

GUEST_TEST(prof, one_at_a_time, "of goroutines that start a profile at once one gets it")
{
	struct guest_group all = {0};
	guest_profile_off();
	atomic_store(&starts, 0);
	atomic_store(&stops, 0);
	for (uintptr_t i = 0; i < 6; i++)
		guest_go(&all, try_cycle, (void *)(i + 1));
	guest_wait(&all);
	CHECK(atomic_load(&starts) > 0);
	CHECK_EQ(atomic_load(&stops), atomic_load(&starts));
	CHECK(!prof_running());
}

/* ---- accounts ---- */

static void burn(void *arg)
{
	guest_spin((uintptr_t)arg);
}

static void doze(void *arg)
{
	for (uintptr_t i = 0; i < (uintptr_t)arg; i++) {
		time_sleep(100 * TIME_MICROSECOND);
		guest_spin(20 * TIME_MICROSECOND);
	}
}

struct sums {
	uint64_t count, ns;
};

static void sum_up(void *ctx, const struct builder *b, uint64_t duration_ns)
{
	struct sums *s = ctx;
	(void)duration_ns;
	for (const struct prof_record *r = builder_first(b); r != NULL; r = builder_next(b, r)) {
		s->count += r->count;
		s->ns += r->weight_ns;
	}
}

/* Per hart to the tick, and the records of all harts together to the count. */
static void check_accounts(const struct sums *s)
{
	uint64_t samples = 0, recorded = 0;
	for (unsigned i = 0; i < go_harts(); i++) {
		struct sampler_account a;
		sampler_account(i, &a);
		if (a.elapsed != a.recorded + a.idle + a.lost)
			guest_fail(
				__FILE__, __LINE__,
				"hart %u: elapsed %llu = recorded %llu + idle %llu + lost %llu: %lld missing",
				i, (unsigned long long)a.elapsed, (unsigned long long)a.recorded,
				(unsigned long long)a.idle, (unsigned long long)a.lost,
				(long long)(a.elapsed - a.recorded - a.idle - a.lost));
		CHECK_EQ(a.lost, 0);
		CHECK(a.elapsed > 0);
		samples += a.samples;
		recorded += clock_from_ticks(a.recorded);
	}
	CHECK_EQ(s->count, samples);
	/* each sample is rounded down to a nanosecond */
	CHECK(s->ns <= recorded + go_harts() && s->ns + 100000 > recorded);
}

GUEST_TEST(prof, conservation, "per hart, elapsed = recorded + idle + lost, exactly (Conservation)")
{
	for (int round = 0; round < 8; round++) {
		struct guest_group all = {0};
		struct sums s = {0};
		start(round % 2 ? 1000 : 97);
		if (round < 4)
			for (unsigned i = 0; i < go_harts() + 2; i++)
				guest_go(&all, burn, (void *)(uintptr_t)(10 * TIME_MILLISECOND));
		if (round >= 2)
			for (unsigned i = 0; i < 3; i++)
				guest_go(&all, doze, (void *)(uintptr_t)(100 + 30 * i));
		guest_wait(&all);
		if (round == 7)
			time_sleep(20 * TIME_MILLISECOND);
		stop(sum_up, &s);
		check_accounts(&s);
	}
}

GUEST_TEST(prof, idle, "a machine that waits is idle: its harts sleep and are not charged")
{
	struct sums s = {0};
	uint64_t idle = 0, elapsed = 0;
	start(1000);
	time_sleep(200 * TIME_MILLISECOND);
	stop(sum_up, &s);
	check_accounts(&s);
	for (unsigned i = 0; i < go_harts(); i++) {
		struct sampler_account a;
		sampler_account(i, &a);
		idle += a.idle;
		elapsed += a.elapsed;
	}
	CHECK(idle > elapsed / 2);
}

/* ---- what time is charged to ---- */

static volatile double sink;

OWN_FRAME static void hot(int turns)
{
	double x = 1.0;
	for (int i = 0; i < turns; i++)
		x = x * 1.0000001 + 1e-9;
	sink = x;
}

OWN_FRAME static void cold(int turns)
{
	double x = 2.0;
	for (int i = 0; i < turns; i++)
		x = x * 0.9999999 + 1e-9;
	sink = x;
}

static void hot_and_cold(void *arg)
{
	uint64_t end = time_now() + (uintptr_t)arg;
	while (time_now() < end) {
		hot(9000);
		cold(1000);
	}
}

struct shares {
	uint64_t hot, cold, all;
};

static void look_shares(void *ctx, const struct builder *b, uint64_t duration_ns)
{
	struct shares *s = ctx;
	(void)duration_ns;
	for (const struct prof_record *r = builder_first(b); r != NULL; r = builder_next(b, r)) {
		s->all += r->weight_ns;
		if (record_is_at(r, 0, "hot"))
			s->hot += r->weight_ns;
		if (record_is_at(r, 0, "cold"))
			s->cold += r->weight_ns;
	}
}

GUEST_TEST(prof, hot, "a function that takes nine tenths of the time gets about that share of the samples")
{
	struct shares s;
	for (int k = 0; k < GUEST_ATTEMPTS; k++) {
		struct guest_group all = {0};
		s = (struct shares){0};
		start(1000);
		for (unsigned i = 0; i < go_harts(); i++)
			guest_go(&all, hot_and_cold, (void *)(uintptr_t)(200 * TIME_MILLISECOND));
		guest_wait(&all);
		stop(look_shares, &s);
		guest_note("hot %llu %%, cold %llu %%", (unsigned long long)(s.hot * 100 / s.all),
			   (unsigned long long)(s.cold * 100 / s.all));
		if (s.hot > s.all / 10 * 7 && s.hot > 4 * s.cold && s.cold > 0)
			return;
	}
	CHECK(s.hot > s.all / 10 * 7);
	CHECK(s.hot > 4 * s.cold && s.cold > 0);
}

/* ---- stacks ---- */

OWN_FRAME static uint64_t walk_leaf(uint64_t x)
{
	return x * 6364136223846793005u + 1;
}

OWN_FRAME static uint64_t walk_mid(uint64_t x)
{
	volatile uint64_t frame[20];
	frame[x % 20] = x;
	uint64_t r = walk_leaf(x) + frame[x % 20];
	NO_TAIL_CALL();
	return r;
}

OWN_FRAME static uint64_t walk_top(uint64_t x, int depth)
{
	uint64_t r = depth > 0 ? walk_top(x, depth - 1) : walk_mid(x);
	NO_TAIL_CALL();
	return r ^ x;
}

static void walk_run(void *arg)
{
	uint64_t end = time_now() + (uintptr_t)arg, x = 1;
	while (time_now() < end)
		for (int i = 0; i < 300; i++)
			x = walk_top(x, 3);
	sink = (double)x;
}

struct walks {
	uint64_t count, wrong, records;
};

static void look_walks(void *ctx, const struct builder *b, uint64_t duration_ns)
{
	struct walks *w = ctx;
	(void)duration_ns;
	for (const struct prof_record *r = builder_first(b); r != NULL; r = builder_next(b, r)) {
		if (!record_is_at(r, 0, "walk_leaf") && !record_is_at(r, 0, "walk_mid") &&
		    !record_is_at(r, 0, "walk_top"))
			continue;
		uint32_t i = 0, tops = 0;
		w->count += r->count;
		w->records++;
		if (record_is_at(r, i, "walk_leaf"))
			i++;
		if (record_is_at(r, i, "walk_mid"))
			i++;
		while (record_is_at(r, i, "walk_top")) {
			i++;
			tops++;
		}
		bool ok = tops >= 1 && tops <= 4 && (tops == 4 || record_is_at(r, 0, "walk_top")) &&
			  record_is_at(r, i, "walk_run") && record_is_at(r, i + 1, "group_run") &&
			  record_is_at(r, i + 2, "goroutine_entry") && r->depth == i + 4;
		if (!ok) {
			w->wrong += r->count;
			record_wrong("not the true stack", r);
		}
	}
}

GUEST_TEST(prof, walks,
	   "at every sampled instruction of a call chain, prologues and epilogues too, the stack is the true "
	   "one (Exact unwinding)")
{
	struct guest_group all = {0};
	struct walks w = {0};
	start(10000);
	for (unsigned i = 0; i < go_harts(); i++)
		guest_go(&all, walk_run, (void *)(uintptr_t)(100 * TIME_MILLISECOND));
	guest_wait(&all);
	stop(look_walks, &w);
	CHECK(w.count > 100);
	guest_note("%llu samples in the chain, %llu distinct stacks, %llu wrong", (unsigned long long)w.count,
		   (unsigned long long)w.records, (unsigned long long)w.wrong);
}

static int by_value(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

static void many_things(void *arg)
{
	uint64_t end = time_now() + 100 * TIME_MILLISECOND, seed = 3;
	int *numbers = malloc(500 * sizeof *numbers);
	char text[100];
	while (time_now() < end) {
		for (int i = 0; i < 500; i++)
			numbers[i] = (int)(guest_random(&seed) % 1000);
		qsort(numbers, 500, sizeof *numbers, by_value);
		snprintf(text, sizeof text, "%d %f %s", numbers[3], sqrt(numbers[7]), "text");
		for (int i = 0; i < 20; i++)
			free(malloc(guest_random(&seed) % 20000));
		chan_try_send(arg, &numbers[0]);
		chan_try_recv(arg, &numbers[1], NULL);
		sink = sin(numbers[5]) + pow(1.5, numbers[6] / 100.0);
	}
	free(numbers);
}

struct roots {
	uint64_t reached, system; /* by a whole stack; of them over the system stack */
	uint64_t scheduler;       /* whole stacks of a hart that served no goroutine */
	uint64_t synthetic, broken, late;
};

static void look_roots(void *ctx, const struct builder *b, uint64_t duration_ns)
{
	struct roots *s = ctx;
	(void)duration_ns;
	for (const struct prof_record *r = builder_first(b); r != NULL; r = builder_next(b, r)) {
		/* busy time whose tick the host delivered only after the hart had gone to sleep: it has no place */
		if (r->depth == 1 && r->pcs[0] == PROF_FRAME_UNKNOWN) {
			s->late += r->count;
			continue;
		}
		if (record_find(r, "goroutine_entry") < r->depth) {
			s->reached += r->count;
			if (!record_is_at(r, r->depth - 1, "context_start"))
				record_wrong("a stack goes on beyond its root", r);
			if (record_find(r, "sched_loop") < r->depth)
				record_wrong("the scheduler's stack goes on into a goroutine", r);
			s->system += record_find(r, "arch_call_on") < r->depth ? r->count : 0;
		} else if (record_find(r, "sched_loop") < r->depth) {
			s->scheduler += r->count;
		} else if (record_synthetic(r)) {
			s->synthetic += r->count;
			if (r->count > 50)
				guest_note("%llu samples of %s at %s", (unsigned long long)r->count,
					   record_name(r, r->depth - 1),
					   r->depth > 1 ? record_name(r, 0) : "no place");
		} else {
			s->broken += r->count;
			if (s->broken < 5)
				guest_note("broken: leaf %s at 0x%llx, depth %u, outermost %s",
					   record_name(r, 0), (unsigned long long)r->pcs[0], r->depth,
					   record_name(r, r->depth - 1));
		}
	}
}

static bool roots_good(void)
{
	struct guest_group all = {0};
	struct roots s = {0};
	struct chan *c = chan_make(sizeof(int), 4);
	start(5000);
	for (unsigned i = 0; i < go_harts(); i++)
		guest_go(&all, many_things, c);
	guest_wait(&all);
	stop(look_roots, &s);
	chan_free(c);
	guest_note("%llu samples reach goroutine_entry (%llu over the system stack), %llu scheduler, %llu "
		   "synthetic, "
		   "%llu broken, %llu late",
		   (unsigned long long)s.reached, (unsigned long long)s.system,
		   (unsigned long long)s.scheduler, (unsigned long long)s.synthetic,
		   (unsigned long long)s.broken, (unsigned long long)s.late);
	CHECK(s.reached > 100);
	return s.reached * 5 >= (s.synthetic + s.broken) * 95 && s.reached >= s.broken * 99;
}

GUEST_TEST(prof, roots, "at least 95 % of the samples of busy goroutines reach goroutine_entry")
{
	/* one tick that the host delivers late weighs as much as hundreds of others, and may hit anything */
	for (int i = 0; i < GUEST_ATTEMPTS; i++)
		if (roots_good())
			return;
	CHECK(!"95 % reach goroutine_entry");
}

/* ---- the switch ---- */

/* Work between two switches, so that samples land outside of the scheduler too. */
static inline void ripen(void)
{
	for (int i = 0; i < 20; i++)
		sink = i;
}

OWN_FRAME static void apple_core(void)
{
	ripen();
	go_yield();
	NO_TAIL_CALL();
}

OWN_FRAME static void apple_tree(uint64_t yields)
{
	for (; yields > 0; yields--)
		apple_core();
	NO_TAIL_CALL();
}

static void apple_run(void *arg)
{
	apple_tree((uintptr_t)arg);
	NO_TAIL_CALL();
}

OWN_FRAME static void berry_core(void)
{
	volatile char frame[200];
	frame[100] = 1;
	ripen();
	go_yield();
	sink = frame[100];
}

OWN_FRAME static void berry_tree(uint64_t yields)
{
	for (; yields > 0; yields--)
		berry_core();
	NO_TAIL_CALL();
}

static void berry_run(void *arg)
{
	berry_tree((uintptr_t)arg);
	NO_TAIL_CALL();
}

enum { SWITCH_YIELDS = 600000, SWITCH_YIELDS_FULL = 10000000 };

struct switches {
	uint64_t all, in_switch, marked, apples, berries, mixed, unmarked;
};

static bool has(const struct prof_record *r, const char *core, const char *tree, const char *run)
{
	return record_find(r, core) < r->depth || record_find(r, tree) < r->depth ||
	       record_find(r, run) < r->depth;
}

static void look_switches(void *ctx, const struct builder *b, uint64_t duration_ns)
{
	struct switches *s = ctx;
	(void)duration_ns;
	for (const struct prof_record *r = builder_first(b); r != NULL; r = builder_next(b, r)) {
		bool apple = has(r, "apple_core", "apple_tree", "apple_run");
		bool berry = has(r, "berry_core", "berry_tree", "berry_run");
		s->all += r->count;
		s->apples += apple ? r->count : 0;
		s->berries += berry ? r->count : 0;
		if (apple && berry) {
			s->mixed += r->count;
			record_wrong("a stack mixes two goroutines", r);
		}
		if (r->depth == 0 || !in_switch(r->pcs[0]))
			continue;
		s->in_switch += r->count;
		if (r->depth == 2 && r->pcs[1] == PROF_FRAME_SWITCH) {
			s->marked += r->count;
		} else {
			s->unmarked += r->count;
			record_wrong("a stack was walked inside the switch", r);
		}
	}
}

GUEST_TEST(prof, goroutine_switch,
	   "no stack is walked between two stacks, and none mixes two goroutines (Consistent samples)")
{
	struct switches s = {0};
	for (int k = 0;
	     k < GUEST_ATTEMPTS && (s.apples == 0 || s.berries == 0 || (guest_exact() && s.in_switch == 0));
	     k++) {
		struct guest_group all = {0};
		start(10000);
		uint64_t each = guest_count(SWITCH_YIELDS, SWITCH_YIELDS_FULL) / 2 / go_harts();
		for (unsigned i = 0; i < go_harts(); i++) {
			guest_go(&all, apple_run, (void *)(uintptr_t)each);
			guest_go(&all, berry_run, (void *)(uintptr_t)each);
		}
		guest_wait(&all);
		stop(look_switches, &s);
	}
	CHECK(s.all > 100);
	CHECK(s.apples > 0 && s.berries > 0);
	/* Plain emulation takes interrupts between blocks only; where any instruction can be hit, some are in there. */
	CHECK(!guest_exact() || s.in_switch > 0);
	guest_note("%llu samples, %llu in the switch, %llu of them walked; %llu mixed; %llu and %llu outside",
		   (unsigned long long)s.all, (unsigned long long)s.in_switch, (unsigned long long)s.unmarked,
		   (unsigned long long)s.mixed, (unsigned long long)s.apples, (unsigned long long)s.berries);
}

/*
 * Profiles of time spent waiting, made of what prof/wait.c, prof/contention.c and kernel/lock.c count:
 *
 *	block       waits for channels, selects and locks, by where they were      as Go's; sleep and the kernel's own goroutines are not in it
 *	mutex       what unlocks made others wait, by where they were              as Go's; and waits for the kernel's spinlocks, by rank
 *	parked      every wait, by where and by reason: from giving the hart away until somebody made the goroutine ready
 *	runnable    from then on until it ran; and how long who was started, yielded or was preempted waited for a hart
 */
#include "prof/wait.h"

#include <hartbeat/prof_rates.h>

#include <errno.h>

#include "kernel/clock.h"
#include "kernel/hart.h"
#include "kernel/lock.h"
#include "kernel/symtab.h"
#include "prof/image.h"
#include "prof/profile.h"
#include "prof/stack_trim.h"

#define BLOCK_RATE_MAX (UINT64_C(3600) * 1000000000)

enum { COUNT, DELAY };

static _Atomic uint64_t block_rate; /* relaxed, a figure: waits go by wait_rate_set() */

int prof_block_rate_set(uint64_t ns)
{
	if (ns > BLOCK_RATE_MAX) {
		errno = EINVAL;
		return -1;
	}
	atomic_store_explicit(&block_rate, ns, memory_order_relaxed);
	wait_rate_set(ns);
	return 0;
}

uint64_t prof_block_rate(void)
{
	return atomic_load_explicit(&block_rate, memory_order_relaxed);
}

/* ---- records ---- */

/* Adds r with this time of it. Where the scheduler was left is of no interest: the innermost frame is the operation that waits. */
static void record_add(struct snapshot *s, const struct stack_record *r, unsigned time, uint32_t labels)
{
	static const char *const scheduler[] = {"sched/park.c", "sched/switch.c", NULL};
	uintptr_t pcs[STACK_DEPTH_MAX + 1];
	uint32_t out = stack_trim(r->pcs, r->depth, scheduler);
	struct symtab_frame f[SYMTAB_FRAMES_MAX];
	struct symtab_function at;
	struct prof_sample sample = {.pcs = pcs, .depth = r->depth - out, .labels = labels};
	for (uint32_t i = 0; i < sample.depth; i++)
		pcs[i] = r->pcs[out + i];
	unsigned n = symtab_frames(pcs[0] - 1, f, SYMTAB_FRAMES_MAX);
	if (n > 1 && prof_image_hides(&(struct pprof_frame){.file = f[n - 1].file}) &&
	    symtab_function(pcs[0] - 1, &at))
		pcs[0] = at.start + 1; /* not the inlined ways into the scheduler */
	sample.values[COUNT] = stack_value(r, WAIT_COUNT) / WAIT_ONE;
	sample.values[DELAY] = clock_from_ticks(stack_value(r, time));
	builder_add(&s->records, &sample);
}

static void lost_add(struct snapshot *s, const struct stack_record *lost, unsigned time)
{
	struct prof_sample sample = {0};
	sample.values[COUNT] = stack_value(lost, WAIT_COUNT) / WAIT_ONE;
	sample.values[DELAY] = clock_from_ticks(stack_value(lost, time));
	if (sample.values[COUNT] > 0)
		builder_add_lost(&s->records, &sample);
}

/* Of the waits that a profile is about. */
static void waits_lost_add(struct snapshot *s, bool (*of)(uint64_t key), unsigned time)
{
	for (uint64_t key = 0; key < WAIT_KEYS; key++)
		if (of == NULL || of(key))
			lost_add(s, &wait_lost[key], time);
}

static size_t records_count(const struct stack_table *t, bool (*of)(uint64_t key))
{
	size_t n = 0;
	for (const struct stack_record *r = NULL; (r = stack_next(t, r)) != NULL;)
		n += of == NULL || of(r->key);
	return n;
}

static bool blocks(uint64_t reason)
{
	return reason < WAIT_REASON_COUNT && reason != WAIT_SLEEP && reason != WAIT_SYSTEM &&
	       reason != WAIT_STW;
}

/* ---- block ---- */

static int block_collect(struct profile *p, struct snapshot *s)
{
	(void)p;
	for (const struct stack_record *r = NULL; (r = stack_next(&wait_stacks, r)) != NULL;)
		if (blocks(r->key))
			record_add(s, r, WAIT_PARKED, 0);
	waits_lost_add(s, blocks, WAIT_PARKED);
	return 0;
}

static size_t block_count(struct profile *p)
{
	(void)p;
	return records_count(&wait_stacks, blocks);
}

/* Go's text counts cycles; here they are nanoseconds. */
static void delay_text_record(const struct text_options *o, const struct prof_record *r, struct text *t)
{
	(void)o;
	text_printf(t, "%lld %lld", (long long)r->values[DELAY], (long long)r->values[COUNT]);
}

static void block_text_head(const struct text_options *o, const struct builder *b, struct text *t)
{
	(void)o;
	(void)b;
	text_printf(t, "--- contention:\ncycles/second=1000000000\n");
}

struct profile profile_block = {
	.name = "block",
	.sample_types = {{"contentions", "count"}, {"delay", "nanoseconds"}},
	.n_sample_types = 2,
	.period_type = {"contentions", "count"},
	.sort_by = DELAY,
	.collect = block_collect,
	.count = block_count,
	.text_head = block_text_head,
	.text_record = delay_text_record,
};

/* ---- mutex ---- */

/* The label `spinlock`, of records whose labels are a rank. */
static bool rank_label(void *ctx, uint32_t labels, unsigned i, struct pprof_label *label)
{
	(void)ctx;
	*label =
		(struct pprof_label){.key = "spinlock", .str = labels < RANK_COUNT ? rank_name[labels] : "?"};
	return i == 0 && labels != 0;
}

static void spinlocks_collect(struct snapshot *s)
{
	struct contention c;
	for (uint32_t h = 0; h < hart_count; h++) {
		for (uint32_t i = 0; i < CONTENTION_MAX; i++) {
			if (!locks_contention(h, i, &c))
				continue;
			uintptr_t pc = c.pc + 1;
			struct prof_sample sample = {.pcs = &pc, .depth = c.pc != 0, .labels = c.rank};
			sample.values[COUNT] = atomic_load_explicit(&c.count, memory_order_relaxed);
			sample.values[DELAY] =
				clock_from_ticks(atomic_load_explicit(&c.ticks, memory_order_relaxed));
			builder_add(&s->records, &sample);
		}
	}
}

static int mutex_collect(struct profile *p, struct snapshot *s)
{
	(void)p;
	for (const struct stack_record *r = NULL; (r = stack_next(&contention_stacks, r)) != NULL;)
		record_add(s, r, WAIT_PARKED, 0);
	lost_add(s, &contention_stacks.lost, WAIT_PARKED);
	spinlocks_collect(s);
	return 0;
}

static size_t mutex_count(struct profile *p)
{
	(void)p;
	return records_count(&contention_stacks, NULL);
}

static void mutex_text_head(const struct text_options *o, const struct builder *b, struct text *t)
{
	(void)o;
	(void)b;
	text_printf(t, "--- mutex:\ncycles/second=1000000000\nsampling period=%llu\n",
		    (unsigned long long)prof_mutex_fraction());
}

struct profile profile_mutex = {
	.name = "mutex",
	.sample_types = {{"contentions", "count"}, {"delay", "nanoseconds"}},
	.n_sample_types = 2,
	.period_type = {"contentions", "count"},
	.sort_by = DELAY,
	.collect = mutex_collect,
	.count = mutex_count,
	.text_head = mutex_text_head,
	.text_record = delay_text_record,
	.label = rank_label,
};

/* ---- off the harts ---- */

/* The label `wait`, of records whose labels are a wait reason, or another of the keys. */
static bool reason_label(void *ctx, uint32_t labels, unsigned i, struct pprof_label *label)
{
	static const char *const late[] = {"start", "yield", "preempted"};
	_Static_assert(sizeof late / sizeof late[0] == WAIT_KEYS - WAIT_REASON_COUNT, "a word for each key");
	(void)ctx;
	const char *text = labels < WAIT_REASON_COUNT ? wait_reason_text[labels].text
			   : labels < WAIT_KEYS       ? late[labels - WAIT_REASON_COUNT]
						      : "?";
	*label = (struct pprof_label){.key = "wait", .str = text};
	return i == 0 && labels != 0;
}

static bool parks(uint64_t key)
{
	return key < WAIT_REASON_COUNT;
}

static int waits_collect(struct snapshot *s, unsigned time)
{
	s->period = (int64_t)prof_block_rate();
	for (const struct stack_record *r = NULL; (r = stack_next(&wait_stacks, r)) != NULL;)
		if (time == WAIT_LATE || parks(r->key))
			record_add(s, r, time, (uint32_t)r->key);
	waits_lost_add(s, time == WAIT_LATE ? NULL : parks, time);
	return 0;
}

static int parked_collect(struct profile *p, struct snapshot *s)
{
	(void)p;
	return waits_collect(s, WAIT_PARKED);
}

static int runnable_collect(struct profile *p, struct snapshot *s)
{
	(void)p;
	return waits_collect(s, WAIT_LATE);
}

static size_t parked_count(struct profile *p)
{
	(void)p;
	return records_count(&wait_stacks, parks);
}

static size_t runnable_count(struct profile *p)
{
	(void)p;
	return records_count(&wait_stacks, NULL);
}

static void waits_text_head(const struct text_options *o, const struct builder *b, struct text *t)
{
	text_printf(t, "%s profile: total %lld ns in %lld waits\n", o->name, (long long)b->values[DELAY],
		    (long long)b->values[COUNT]);
}

struct profile profile_parked = {
	.name = "parked",
	.sample_types = {{"waits", "count"}, {"parked", "nanoseconds"}},
	.n_sample_types = 2,
	.period_type = {"parked", "nanoseconds"},
	.sort_by = DELAY,
	.collect = parked_collect,
	.count = parked_count,
	.text_head = waits_text_head,
	.text_record = delay_text_record,
	.label = reason_label,
};

struct profile profile_runnable = {
	.name = "runnable",
	.sample_types = {{"waits", "count"}, {"runnable", "nanoseconds"}},
	.n_sample_types = 2,
	.period_type = {"runnable", "nanoseconds"},
	.sort_by = DELAY,
	.collect = runnable_collect,
	.count = runnable_count,
	.text_head = waits_text_head,
	.text_record = delay_text_record,
	.label = reason_label,
};

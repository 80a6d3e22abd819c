/* Every profile in bad times: during a panic, inside another of the same kind, without memory. */
#include "profiles.h"
#include "short_memory.h"
#include "suite.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hartbeat/chan.h>
#include <hartbeat/go.h>
#include <hartbeat/panic.h>
#include <hartbeat/prof_rates.h>
#include <hartbeat/profile.h>

#include "kernel/page.h"
#include "prof/stacks.h"

enum { PROFILES_MAX = 64 };

/* Calls fn for each profile there is, in each form. */
static void each(void (*fn)(const char *name, int debug))
{
	struct profile *all[PROFILES_MAX];
	size_t n = profile_list(all, PROFILES_MAX);
	CHECK(n >= 7 && n <= PROFILES_MAX);
	for (size_t i = 0; i < n; i++)
		for (int debug = 0; debug < 3; debug++)
			fn(profile_name(all[i]), debug);
}

/* ---- in a panic ---- */

static unsigned taken;

static void take(const char *name, int debug)
{
	struct sink_memory m;
	sink_memory_init(&m);
	CHECK_EQ(profile_write(name, debug, &m.sink), 0);
	CHECK(m.size > 0);
	sink_memory_free(&m);
	taken++;
}

static void take_all(void *arg)
{
	(void)arg;
	each(take);
}

static __attribute__((noinline)) void fails(void)
{
	DEFER(take_all, NULL);
	go_panic("a panic");
}

GUEST_TEST(profile, in_a_panic, "a deferred function takes every profile in every form while a panic runs it")
{
	taken = 0;
	volatile bool recovered = false;
	RECOVER_SCOPE (r) {
		fails();
	} else {
		recovered = strcmp(r.message, "a panic") == 0;
	}
	CHECK(recovered);
	CHECK(taken >= 21);
}

/* ---- inside another of the same kind ---- */

struct nested {
	struct sink sink;
	const char *name;
	int debug;
	unsigned depth; /* of profiles inside, still to be taken */
	size_t bytes, inside;
	struct chan *other; /* or NULL: takes one, too, and answers */
};

static void take_other(void *arg)
{
	struct nested *n = arg;
	take(n->name, n->debug);
	chan_send(n->other, NULL);
}

/* The first bytes of one have another one taken, by this goroutine, and by a second one that this waits for. */
static int nested_write(struct sink *s, const void *data, size_t size)
{
	struct nested *n = (struct nested *)s;
	(void)data;
	n->bytes += size;
	if (n->depth > 0) {
		struct nested inner = {{nested_write}, n->name, n->debug, n->depth - 1, 0, 0, n->other};
		struct guest_group one = {0};
		n->depth = 0;
		CHECK_EQ(profile_write(n->name, n->debug, &inner.sink), 0);
		n->inside = inner.bytes;
		guest_go(&one, take_other, n);
		chan_recv(n->other, NULL);
		guest_wait(&one);
	}
	return 0;
}

static void nest(const char *name, int debug)
{
	struct nested n = {.sink = {nested_write}, .name = name, .debug = debug, .depth = 2};
	n.other = chan_make(0, 0);
	CHECK_EQ(profile_write(name, debug, &n.sink), 0);
	CHECK(n.bytes > 0 && n.inside > 0);
	chan_free(n.other);
}

GUEST_TEST(profile, inside_itself,
	   "a profile is taken while the bytes of another of the same kind are being written")
{
	each(nest);
}

static void take_often(void *name)
{
	for (int i = 0; i < 6; i++)
		take(name, i % 3);
}

GUEST_TEST(profile, at_once, "eight goroutines take profiles of one kind at the same time")
{
	struct profile *all[PROFILES_MAX];
	size_t n = profile_list(all, PROFILES_MAX);
	for (size_t i = 0; i < n; i++) {
		struct guest_group group = {0};
		for (int k = 0; k < 8; k++)
			guest_go(&group, take_often, (void *)(uintptr_t)profile_name(all[i]));
		guest_wait(&group);
	}
}

/* ---- without memory ---- */

static void take_short(const char *name, int debug)
{
	struct sink_memory m;
	sink_memory_init(&m);
	errno = 0;
	int result = profile_write(name, debug, &m.sink);
	CHECK(result == 0 || errno == ENOMEM);
	taken += result == 0;
	sink_memory_free(&m);
}

GUEST_TEST(profile, without_memory,
	   "with memory short every profile is written, or says ENOMEM, and the next one is whole")
{
	struct short_memory s;
	taken = 0;
	short_memory_begin(&s);
	CHECK(page_short());
	each(take_short);
	short_memory_end(&s);
	guest_note("%u were written", taken);
	CHECK(taken > 0);
	each(take);
}

static struct stack_table table = STACK_TABLE_INIT(8 << 20);

/* Records of different stacks until one finds no memory. */
static uint32_t find_some(uint32_t n, uint64_t key)
{
	uint32_t lost = 0;
	uintptr_t pcs[8];
	for (uint32_t i = 0; i < n; i++) {
		for (uint32_t k = 0; k < 8; k++)
			pcs[k] = 0x1000 + 8 * i + k;
		struct stack_record *r = stack_find(&table, key, 0, pcs, 8);
		stack_count(r, 0, 1);
		lost += r == &table.lost;
	}
	return lost;
}

/* What the records of allocations and waits lie in. */
GUEST_TEST(profile, recorded_without_memory,
	   "what finds no memory while it is recorded is counted as lost, what was there is found, and the "
	   "sum is right")
{
	struct short_memory s;
	CHECK_EQ(find_some(10, 1), 0);
	short_memory_begin(&s);
	uint32_t lost = find_some(2000, 2);
	CHECK_EQ(find_some(10, 1), 0);
	short_memory_end(&s);
	CHECK(lost > 0 && lost < 2000);
	CHECK_EQ(stack_value(&table.lost, 0), lost);
	CHECK_EQ(find_some(2000, 2), 0);
	uint64_t sum = stack_value(&table.lost, 0);
	for (const struct stack_record *r = NULL; (r = stack_next(&table, r)) != NULL;)
		sum += stack_value(r, 0);
	CHECK_EQ(sum, 2 * 10 + 2 * 2000);
}

/* ---- rates that make no sense ---- */

GUEST_TEST(profile, rates, "a rate that makes no sense is refused, and the one before stays")
{
	uint64_t heap = prof_heap_rate(), block = prof_block_rate(), mutex = prof_mutex_fraction();
	errno = 0;
	CHECK(prof_heap_rate_set((UINT64_C(1) << 40) + 1) == -1 && errno == EINVAL);
	errno = 0;
	CHECK(prof_block_rate_set(UINT64_C(3600000000001)) == -1 && errno == EINVAL);
	errno = 0;
	CHECK(prof_mutex_fraction_set(1000000001) == -1 && errno == EINVAL);
	CHECK(prof_heap_rate_set(UINT64_MAX) == -1 && prof_block_rate_set(UINT64_MAX) == -1 &&
	      prof_mutex_fraction_set(UINT64_MAX) == -1);
	CHECK(prof_heap_rate() == heap && prof_block_rate() == block && prof_mutex_fraction() == mutex);
}

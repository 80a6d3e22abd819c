/* Every profile in bad times: during a panic, inside another of the same kind, without memory. */
#include "inflate.h"
#include "profiles.h"
#include "short_memory.h"
#include "suite.h"
#include "waits.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hartbeat/chan.h>
#include <hartbeat/go.h>
#include <hartbeat/panic.h>
#include <hartbeat/prof_rates.h>
#include <hartbeat/profile.h>
#include <hartbeat/sync.h>

#include "kernel/g.h"
#include "kernel/page.h"
#include "prof/builder.h"
#include "prof/stacks.h"
#include "sched/sched.h"

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

/* A sink that needs no memory when it is written to. */
struct fixed {
	struct sink sink;
	size_t n;
	char data[256 << 10];
};

static int fixed_write(struct sink *s, const void *data, size_t n)
{
	struct fixed *f = (struct fixed *)s;
	if (n >= sizeof f->data - f->n) /* a '\0' belongs behind it */
		return -ENOSPC;
	memcpy(f->data + f->n, data, n);
	f->n += n;
	f->data[f->n] = '\0';
	return 0;
}

static struct fixed got, unpacked;

/* What a profile says that it lacks, in all its forms: so much of so much. */
struct lack {
	unsigned long long said, of;
};

static const char *find(const struct fixed *f, const char *what)
{
	size_t n = strlen(what);
	for (size_t i = 0; i + n <= f->n; i++)
		if (memcmp(f->data + i, what, n) == 0)
			return f->data + i;
	return NULL;
}

static struct lack lack_of(const struct fixed *f, const char *begin, const char *name)
{
	struct lack l = {0};
	char want[128];
	snprintf(want, sizeof want, "%struncated: %s: no memory for the stacks of ", begin, name);
	const char *at = find(f, want);
	if (at != NULL && sscanf(at + strlen(want), "%llu of %llu ", &l.said, &l.of) != 2)
		guest_fail(__FILE__, __LINE__, "%s: %.80s", name, at);
	return l;
}

/* The value in front of [lost] that the profile is sorted by. It has its name, or the text says that there was no memory for names. */
static unsigned long long lost_in(const char *text, bool second)
{
	char pcs[16];
	unsigned long long v[2] = {0};
	snprintf(pcs, sizeof pcs, " @ 0x%x\n", PROF_FRAME_LOST);
	const char *at = strstr(text, pcs);
	if (at == NULL)
		return 0;
	CHECK(strncmp(at + strlen(pcs), "#\t0x0\t[lost]\n", 13) == 0 ||
	      strstr(at, "\n# truncated: no memory to ") != NULL);
	while (at > text && at[-1] != '\n')
		at--;
	CHECK(sscanf(at, second ? "%llu: %llu" : "%llu %llu", &v[0], &v[1]) >= 1);
	return v[second];
}

/* Of all goroutines' tracebacks. */
static struct lack lack_of_details(void)
{
	struct lack l = {0};
	unsigned there = strncmp(got.data, "goroutine ", 10) == 0;
	for (const char *at = got.data; (at = strstr(at, "\n\ngoroutine ")) != NULL; at++)
		there++;
	const char *more = strstr(got.data, "\n...");
	if (more != NULL)
		CHECK(sscanf(more, "\n...%llu more goroutines: no memory for their stacks\n", &l.said) == 1);
	l.of = there + l.said;
	CHECK_EQ(l.of, go_count());
	return l;
}

static struct lack lack_said(const char *name, int debug)
{
	struct lack l;
	if (debug == 2 && strcmp(name, "goroutine") == 0)
		return lack_of_details();
	if (debug == 0) {
		unpacked.n = inflate_gzip(got.data, got.n, unpacked.data, sizeof unpacked.data - 1);
		unpacked.data[unpacked.n] = '\0';
		CHECK(unpacked.n > 0);
		return lack_of(&unpacked, "", name);
	}
	l = lack_of(&got, "\n# ", name);
	bool second = strcmp(name, "heap") == 0 || strcmp(name, "allocs") == 0;
	if (l.said != lost_in(got.data, second))
		guest_fail(__FILE__, __LINE__, "%s: %llu said, %llu lost", name, l.said,
			   lost_in(got.data, second));
	return l;
}

static unsigned refused, partly;

/* With memory short: it is refused and nothing is written, or it says what it lacks. One with nothing in it lacks nothing. Whatever the shrinker gives back is used, so that may be
 * nothing; then it is tried again. */
static void take_short(const char *name, int debug)
{
	struct lack l = {0};
	if (profile_count(profile_lookup(name)) == 0)
		return;
	for (int i = 0; i < GUEST_ATTEMPTS && l.said == 0; i++) {
		got.n = 0;
		errno = 0;
		if (profile_write(name, debug, &got.sink) != 0) {
			if (errno != ENOMEM || got.n > 0)
				guest_fail(__FILE__, __LINE__, "%s, debug %d: errno %d after %lu bytes", name,
					   debug, errno, (unsigned long)got.n);
			refused++;
			return;
		}
		taken++;
		l = lack_said(name, debug);
	}
	if (l.said == 0 || l.said > l.of)
		guest_fail(__FILE__, __LINE__, "%s, debug %d: lacks %llu of %llu", name, debug, l.said, l.of);
	partly += l.said < l.of;
}

static struct mutex lock;
static struct g *_Atomic waiter;
static void *kept;

static void wait_for_lock(void *arg)
{
	(void)arg;
	atomic_store(&waiter, g_self());
	mutex_lock(&lock);
	mutex_unlock(&lock);
}

/* Something for each profile there is. */
static void something_happens(struct profile *own)
{
	uint64_t heap = prof_heap_rate(), block = prof_block_rate(), mutex = prof_mutex_fraction();
	struct guest_group one = {0};
	CHECK_EQ(prof_heap_rate_set(1), 0);
	kept = malloc(100);
	CHECK_EQ(prof_heap_rate_set(heap), 0);
	CHECK_EQ(prof_block_rate_set(1), 0);
	CHECK_EQ(prof_mutex_fraction_set(1), 0);
	atomic_store(&waiter, NULL);
	mutex_lock(&lock);
	guest_go(&one, wait_for_lock, NULL);
	until_waits(&waiter);
	mutex_unlock(&lock);
	guest_wait(&one);
	CHECK_EQ(prof_mutex_fraction_set(mutex), 0);
	CHECK_EQ(prof_block_rate_set(block), 0);
	CHECK_EQ(profile_add(own, &kept, 0), 0);
}

/* Takes what the heap has kept of objects larger than a page. */
static void **large_take(void)
{
	void **all = NULL, **one;
	for (size_t size = 64 << 10; size > 4096; size -= 1024) {
		while ((one = malloc(size)) != NULL) {
			*one = all;
			all = one;
		}
	}
	return all;
}

static void large_give(void **all)
{
	for (void **next; all != NULL; all = next) {
		next = *all;
		free(all);
	}
}

/* Takes every profile while memory is short, in pieces or not. */
static void all_short(bool pieces)
{
	static struct profile *own;
	struct short_memory s;
	if (own == NULL)
		own = profile_new("test.short");
	CHECK(own != NULL);
	something_happens(own);
	taken = refused = partly = 0;
	got.sink.write = fixed_write;
	short_memory_begin(&s);
	if (pieces)
		short_memory_pieces(&s);
	void **large = pieces ? large_take() : NULL;
	CHECK(page_short());
	each(take_short);
	large_give(large);
	short_memory_end(&s);
	guest_note("%u were written, %u of them with some of their stacks; %u refused", taken, partly,
		   refused);
	profile_remove(own, &kept);
	free(kept);
	each(take);
}

GUEST_TEST(
	profile, without_memory,
	"with memory short every profile is written in every form, and says how much it lacks; the next one "
	"is whole")
{
	all_short(false);
	CHECK(taken > 0);
	CHECK_EQ(refused, 0);
}

GUEST_TEST(
	profile, without_memory_at_all,
	"a profile that cannot even begin says ENOMEM, and nothing of it is written; the next one is whole")
{
	refused = 0;
	/* the shrinker may give back what lies side by side: again */
	for (int i = 0; i < GUEST_ATTEMPTS && refused == 0; i++)
		all_short(true);
	CHECK(refused > 0);
}

static struct stack_table table = STACK_TABLE_INIT((size_t)STACK_SPANS_MAX * STACK_SPAN);

static uint64_t values(void)
{
	uint64_t sum = stack_value(&table.lost, 0);
	for (const struct stack_record *r = NULL; (r = stack_next(&table, r)) != NULL;)
		sum += stack_value(r, 0);
	return sum;
}

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
	static uint64_t keys; /* records stay: of another run these are others */
	struct short_memory s;
	uint64_t before = values(), lost_before = stack_value(&table.lost, 0), few = ++keys, many = ++keys;
	CHECK_EQ(find_some(10, few), 0);
	short_memory_begin(&s);
	uint32_t lost = find_some(2000, many);
	CHECK_EQ(find_some(10, few), 0);
	short_memory_end(&s);
	CHECK(lost > 0 && lost < 2000);
	CHECK_EQ(stack_value(&table.lost, 0) - lost_before, lost);
	CHECK_EQ(find_some(2000, many), 0);
	CHECK_EQ(values() - before, 2 * 10 + 2 * 2000);
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

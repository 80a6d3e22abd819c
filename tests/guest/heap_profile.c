/* Sampled allocations: what is counted, against the heap's own books, and under which stacks. */
#include "profiles.h"
#include "suite.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <hartbeat/go.h>
#include <hartbeat/prof_rates.h>
#include <hartbeat/profile.h>
#include <hartbeat/time.h>

#include "kernel/heap.h"
#include "kernel/symtab.h"
#include "kernel/system.h"
#include "prof/expo.h"
#include "prof/heap.h"
#include "prof/heap_stacks.h"
#include "prof/image.h"
#include "prof/profile.h"
#include "sched/sched.h"

enum { LIVE = 200, ALLOCS_VALUE = 0 };

static size_t random_size(uint64_t *seed)
{
	uint32_t r = guest_random(seed);
	return r % 16 == 0 ? r / 16 % 100000 : r / 16 % 2000;
}

/* Allocates, frees and resizes; leaves what it kept in `kept`. */
struct churn {
	uint64_t seed;
	uint32_t rounds;
	void *kept[LIVE];
};

static void churn(void *arg)
{
	struct churn *c = arg;
	for (uint32_t k = 0; k < c->rounds; k++) {
		void **p = &c->kept[guest_random(&c->seed) % LIVE];
		if (*p == NULL) {
			*p = malloc(random_size(&c->seed));
		} else if (guest_random(&c->seed) % 4 == 0) {
			void *q = realloc(*p, random_size(&c->seed) + 1);
			*p = q != NULL ? q : *p;
		} else {
			free(*p);
			*p = NULL;
		}
		if (k % 64 == 0)
			go_yield();
	}
}

static void release(struct churn *c)
{
	for (unsigned i = 0; i < LIVE; i++) {
		free(c->kept[i]);
		c->kept[i] = NULL;
	}
}

/* The heap's books and what the profile has counted, of one moment. */
struct both {
	struct heap_stats books;
	struct heap_account profile;
};

static void look(void *arg)
{
	struct both *b = arg;
	heap_stats(&b->books);
	heap_account(&b->profile);
}

/* What has come into use since then, less what the profile says of it; of objects, and of bytes. */
struct gap {
	int64_t objects, bytes;
};

static struct gap gap_since(const struct both *a)
{
	struct both b;
	sched_stopped(look, &b);
	CHECK_EQ(b.profile.untracked, a->profile.untracked);
	uint64_t objects = (b.profile.allocs - b.profile.frees) - (a->profile.allocs - a->profile.frees);
	uint64_t bytes = (b.profile.alloc_bytes - b.profile.freed_bytes) -
			 (a->profile.alloc_bytes - a->profile.freed_bytes);
	struct gap g = {(int64_t)(b.books.used_objects - a->books.used_objects - objects),
			(int64_t)(b.books.used_bytes - a->books.used_bytes - bytes)};
	/* What was there before the profile looked may be freed meanwhile, which it cannot see; it sees all that comes. */
	CHECK(g.objects <= 0 && g.bytes <= 0);
	return g;
}

/* The kernel may free meanwhile what was allocated before the profile looked: then it is tried again, unless nobody else has a say. */
GUEST_TEST(heap_profile, conservation,
	   "at rate 1 what the profile says is in use is the heap's own books, to the byte")
{
	enum { GOROUTINES = 8 };
	static struct churn all[GOROUTINES];
	struct gap used = {1, 1}, freed = {1, 1};
	uint64_t rate = prof_heap_rate();
	guest_profile_off();
	for (int i = 0; i < guest_attempts() && (used.bytes != 0 || freed.bytes != 0); i++) {
		struct guest_group group = {0};
		struct heap_account b;
		struct both a;
		CHECK_EQ(prof_heap_rate_set(1), 0);
		sched_stopped(look, &a);
		for (unsigned k = 0; k < GOROUTINES; k++) {
			all[k].seed = k + 1;
			all[k].rounds = guest_count(2000, 50000);
			guest_go(&group, churn, &all[k]);
		}
		guest_wait(&group);
		used = gap_since(&a);
		heap_account(&b);
		CHECK(b.allocs - a.profile.allocs > GOROUTINES * 500);
		for (unsigned k = 0; k < GOROUTINES; k++)
			release(&all[k]);
		freed = gap_since(&a);
		CHECK_EQ(prof_heap_rate_set(rate), 0);
	}
	CHECK_EQ(used.objects, 0);
	CHECK_EQ(used.bytes, 0);
	CHECK_EQ(freed.objects, 0);
	CHECK_EQ(freed.bytes, 0);
}

/* ---- what the profile says ---- */

#define NOINLINE __attribute__((noipa))

/* The sums over the records whose stack has this function: what the heap profile's four values are, unscaled as in its text. */
struct values {
	unsigned long long inuse, inuse_bytes, allocs, alloc_bytes;
};

static struct values values_of(const char *text, const char *function)
{
	struct values sum = {0};
	char name[64];
	snprintf(name, sizeof name, "\t%s+0x", function);
	for (const char *at = text != NULL ? strchr(text, '\n') : NULL; at != NULL && at[1] != '\n';) {
		const char *end = strstr(at, "\n\n"), *found = strstr(at, name);
		struct values v;
		if (end == NULL)
			break;
		if (found != NULL && found < end &&
		    sscanf(at + 1, "%llu: %llu [%llu: %llu]", &v.inuse, &v.inuse_bytes, &v.allocs,
			   &v.alloc_bytes) == 4) {
			sum.inuse += v.inuse;
			sum.inuse_bytes += v.inuse_bytes;
			sum.allocs += v.allocs;
			sum.alloc_bytes += v.alloc_bytes;
		}
		at = end + 1;
	}
	return sum;
}

static void *kept[64];

static NOINLINE void allocate_transient(void)
{
	for (int i = 0; i < 1024; i++) {
		void *p = malloc(32);
		__asm__ volatile("" : "+r"(p)); /* else the compiler leaves both out */
		free(p);
	}
}

static NOINLINE void allocate_persistent(void)
{
	for (int i = 0; i < 64; i++)
		kept[i] = malloc(1024);
}

static NOINLINE void allocate_large(void)
{
	kept[0] = calloc(10, 20000);
}

static void kept_free(void)
{
	for (int i = 0; i < 64; i++) {
		free(kept[i]);
		kept[i] = NULL;
	}
}

/* Go: TestMemoryProfiler. */
GUEST_TEST(heap_profile, memory_profiler,
	   "each place that allocates is in the text, with what it allocated and what is left of it")
{
	uint64_t rate = prof_heap_rate();
	char *before = profile_text("heap", 1);
	struct values t0 = values_of(before, "allocate_transient"),
		      p0 = values_of(before, "allocate_persistent"), l0 = values_of(before, "allocate_large");
	free(before);
	CHECK_EQ(prof_heap_rate_set(1), 0);
	allocate_transient();
	allocate_large();
	free(kept[0]);
	allocate_persistent();
	CHECK_EQ(prof_heap_rate_set(rate), 0);
	char *text = profile_text("heap", 1);
	struct values t = values_of(text, "allocate_transient"), p = values_of(text, "allocate_persistent"),
		      l = values_of(text, "allocate_large");
	CHECK(text != NULL && strncmp(text, "heap profile: ", 14) == 0);
	CHECK(text != NULL && strstr(text, "\n# runtime.MemStats\n# Alloc = ") != NULL);
	t.allocs -= t0.allocs;
	t.alloc_bytes -= t0.alloc_bytes;
	l.alloc_bytes -= l0.alloc_bytes;
	CHECK(t.inuse == 0 && t.inuse_bytes == 0 && t.allocs == 1024 && t.alloc_bytes == 1024 * 32);
	CHECK(p.inuse == 64 && p.inuse_bytes == 64 * 1024 && p.allocs - p0.allocs == 64);
	CHECK(p.alloc_bytes - p0.alloc_bytes == 64 * 1024);
	CHECK(l.inuse == 0 && l.allocs - l0.allocs == 1);
	CHECK(l.alloc_bytes >= 200000 && l.alloc_bytes < 200000 + 4096);
	/* Go: TestHeapRuntimeFrames. */
	CHECK(text != NULL && strstr(text, "malloc+0x") == NULL && strstr(text, "heap_alloc") == NULL);
	free(text);
	kept_free();
	text = profile_text("allocs", 1);
	p = values_of(text, "allocate_persistent");
	CHECK(p.inuse == 0 && p.allocs - p0.allocs == 64);
	free(text);
}

enum { MANY = 20000, MANY_SIZE = 64, SCALE_RATE = 2048 };

static void *many[MANY];

static NOINLINE void allocate_many(void)
{
	for (int i = 0; i < MANY; i++)
		many[i] = malloc(MANY_SIZE);
}

static bool stack_has(const struct prof_record *r, void (*fn)(void))
{
	struct symtab_function f;
	for (uint32_t i = 0; i < r->depth; i++)
		if (symtab_function(r->pcs[i] - 1, &f) && f.start == (uintptr_t)fn)
			return true;
	return false;
}

/* One sample of the profile: the values for the stacks that have this function's pc, or for all (NULL), as they are written. */
static void scaled_of(void (*fn)(void), uint64_t values[4])
{
	struct snapshot *s = calloc(1, sizeof *s);
	CHECK(s != NULL);
	if (s == NULL)
		return;
	builder_init(&s->records, &prof_mem, SNAPSHOT_LIMIT);
	CHECK_EQ(profile_heap.collect(&profile_heap, s), 0);
	memset(values, 0, 4 * sizeof values[0]);
	for (const struct prof_record *r = builder_first(&s->records); r != NULL;
	     r = builder_next(&s->records, r))
		for (int k = 0; k < 4 && (fn == NULL || stack_has(r, fn)); k++)
			values[k] += r->values[k];
	builder_free(&s->records);
	free(s);
}

/* Go: TestConvertMemProfile, on the machine itself. */
GUEST_TEST(heap_profile, scaled,
	   "a sampled profile stands for all that was allocated, within the sampling error")
{
	uint64_t v[4], was[4], rate = prof_heap_rate();
	scaled_of(allocate_many, was);
	CHECK_EQ(prof_heap_rate_set(SCALE_RATE), 0);
	allocate_many();
	scaled_of(allocate_many, v);
	guest_note("%u objects of %u bytes at rate %u: %llu in use, %llu bytes", MANY, MANY_SIZE, SCALE_RATE,
		   (unsigned long long)v[2], (unsigned long long)v[3]);
	/* 625 samples: 4 % is one sigma */
	if (v[2] < MANY * 3 / 4 || v[2] > MANY * 5 / 4)
		guest_fail(__FILE__, __LINE__, "the heap profile says %llu objects of %u",
			   (unsigned long long)v[2], MANY);
	CHECK(v[3] / MANY_SIZE == v[2] || v[3] / MANY_SIZE == v[2] + 1);
	CHECK(v[0] - was[0] == v[2] || v[0] - was[0] == v[2] + 1); /* each is rounded by itself */
	for (int i = 0; i < MANY; i += 2)
		free(many[i]);
	uint64_t half[4];
	scaled_of(allocate_many, half);
	CHECK_EQ(half[0], v[0]);
	CHECK(half[2] > v[2] / 2 * 3 / 4 && half[2] < v[2] / 2 * 5 / 4);
	for (int i = 1; i < MANY; i += 2)
		free(many[i]);
	scaled_of(allocate_many, half);
	CHECK_EQ(half[2], 0);
	CHECK_EQ(half[3], 0);
	CHECK_EQ(prof_heap_rate_set(rate), 0);
}

/* ---- the whole profile against the books ---- */

enum { WHOLE_RATE = 4096, WHOLE_EACH = 5000, WHOLE_GOROUTINES = 4 };

struct holder {
	uint64_t seed;
	void *kept[WHOLE_EACH];
};

/* None so small that few samples stand for many: sigma is made of the samples. */
static size_t whole_size(uint64_t *seed)
{
	uint32_t r = guest_random(seed);
	return r % 256 == 0 ? 20000 + r / 256 % 80000 : 64 + r / 256 % 1200;
}

/* Keeps WHOLE_EACH objects of many sizes, after as many that it frees, from three places. */
static void hold(void *arg)
{
	struct holder *h = arg;
	for (uint32_t i = 0; i < WHOLE_EACH; i++) {
		void *p = malloc(whole_size(&h->seed));
		size_t size = whole_size(&h->seed);
		if (i % 2 == 0) {
			h->kept[i] = realloc(p, size);
			continue;
		}
		h->kept[i] = calloc(1, size);
		free(p);
	}
}

/* What is in use: by the books, by the profile, and how far sampling may lead that astray. */
struct whole {
	uint64_t objects, bytes;
	uint64_t said_objects, said_bytes;
	double var_objects, var_bytes; /* one object of size s stands for x: (x - 1) x, and s s times that */
};

/* With sampling off, so that what the profile is made in is not in it. */
static struct whole whole(void)
{
	uint64_t v[4];
	struct heap_stats books;
	CHECK_EQ(prof_heap_rate_set(0), 0);
	scaled_of(NULL, v);
	heap_stats(&books);
	struct whole w = {books.used_objects, books.used_bytes, v[2], v[3], 0, 0};
	for (const struct stack_record *r = NULL; (r = stack_next(&heap_stacks, r)) != NULL;) {
		struct heap_counts c = heap_counts(r);
		if (r->key2 != WHOLE_RATE)
			continue;
		double x = (double)expo_scale(1 << 20, r->key, WHOLE_RATE) / (1 << 20);
		double var = (double)(c.allocs - c.frees) * (x - 1) * x;
		w.var_objects += var;
		w.var_bytes += var * (double)r->key * (double)r->key;
	}
	return w;
}

/* In sigmas. */
static double whole_off(const char *what, int64_t said, int64_t books, double var)
{
	double sigma = sqrt(var), off = (double)(said - books) / sigma;
	guest_note("%s in use: %lld by the books, %lld by the profile, %+.2f sigma of %.0f", what,
		   (long long)books, (long long)said, off, sigma);
	CHECK(sigma * 20 < (double)books); /* else this would find nothing */
	return fabs(off);
}

/* One time in ten thousand chance alone leads beyond four sigma: then it is asked once more. */
GUEST_TEST(heap_profile, whole,
	   "a sampled profile of everything agrees with the heap's own books, within the sampling error")
{
	static struct holder all[WHOLE_GOROUTINES];
	uint64_t rate = prof_heap_rate();
	double objects = 5, bytes = 5;
	guest_profile_off();
	for (uint64_t seed = 1; seed <= 2 && (objects > 4 || bytes > 4); seed++) {
		struct guest_group group = {0};
		struct whole a = whole();
		CHECK_EQ(prof_heap_rate_set(WHOLE_RATE), 0);
		for (unsigned i = 0; i < WHOLE_GOROUTINES; i++) {
			all[i].seed = 100 * seed + i;
			guest_go(&group, hold, &all[i]);
		}
		guest_wait(&group);
		struct whole b = whole();
		objects = whole_off("objects", (int64_t)(b.said_objects - a.said_objects),
				    (int64_t)(b.objects - a.objects), b.var_objects - a.var_objects);
		bytes = whole_off("bytes", (int64_t)(b.said_bytes - a.said_bytes),
				  (int64_t)(b.bytes - a.bytes), b.var_bytes - a.var_bytes);
		for (unsigned i = 0; i < WHOLE_GOROUTINES; i++)
			for (unsigned k = 0; k < WHOLE_EACH; k++)
				free(all[i].kept[k]);
	}
	CHECK(objects <= 4);
	CHECK(bytes <= 4);
	CHECK_EQ(prof_heap_rate_set(rate), 0);
}

static void churn_system(void *arg)
{
	_Atomic uint64_t *sum = arg;
	void *p[4];
	for (int i = 0; i < 4; i++)
		p[i] = malloc(100 + 400 * (size_t)i);
	for (int i = 0; i < 4; i++) {
		atomic_fetch_add(sum, p[i] != NULL ? heap_usable(p[i]) : 0);
		free(p[i]);
	}
}

GUEST_TEST(heap_profile, system_stack,
	   "what is allocated on the system stack is counted, under the goroutine that it is for")
{
	struct heap_account a, b;
	_Atomic uint64_t sum = 0;
	uint64_t rate = prof_heap_rate(), v[4];
	CHECK_EQ(prof_heap_rate_set(1), 0);
	heap_account(&a);
	on_system_stack(churn_system, &sum);
	heap_account(&b);
	CHECK_EQ(prof_heap_rate_set(rate), 0);
	CHECK(b.allocs - a.allocs >= 4 && b.alloc_bytes - a.alloc_bytes >= atomic_load(&sum));
	scaled_of(guest_heap_profile_system_stack, v);
	CHECK(v[ALLOCS_VALUE] >= 4);
}

GUEST_TEST(heap_profile, rate_changes,
	   "the rate may change at any time, while everybody allocates; nothing is left behind")
{
	enum { GOROUTINES = 4 };
	static struct churn all[GOROUTINES];
	static const uint64_t rates[] = {1, 4096, 0, 64, 512 << 10, 1};
	struct guest_group group = {0};
	uint64_t rate = prof_heap_rate();
	for (unsigned i = 0; i < GOROUTINES; i++) {
		all[i].seed = 77 + i;
		all[i].rounds = guest_count(4000, 40000);
		guest_go(&group, churn, &all[i]);
	}
	for (unsigned i = 0; i < guest_count(30, 300); i++) {
		CHECK_EQ(prof_heap_rate_set(rates[i % 6]), 0);
		char *text = i % 8 == 0 ? profile_text("heap", 1) : NULL;
		free(text);
		time_sleep(100 * TIME_MICROSECOND);
	}
	CHECK_EQ(prof_heap_rate_set(0), 0);
	guest_wait(&group);
	for (unsigned i = 0; i < GOROUTINES; i++)
		release(&all[i]);
	uint64_t left[4];
	scaled_of((void (*)(void))churn, left);
	CHECK_EQ(left[2], 0);
	CHECK_EQ(left[3], 0);
	CHECK_EQ(prof_heap_rate_set(rate), 0);
}

GUEST_TEST(heap_profile, rates, "a rate that makes no sense is refused, and nothing changes")
{
	uint64_t heap = prof_heap_rate(), block = prof_block_rate(), mutex = prof_mutex_fraction();
	errno = 0;
	CHECK(prof_heap_rate_set((UINT64_C(1) << 40) + 1) == -1 && errno == EINVAL);
	errno = 0;
	CHECK(prof_block_rate_set(3600 * TIME_SECOND + 1) == -1 && errno == EINVAL);
	errno = 0;
	CHECK(prof_mutex_fraction_set(1000000001) == -1 && errno == EINVAL);
	CHECK_EQ(prof_heap_rate(), heap);
	CHECK_EQ(prof_block_rate(), block);
	CHECK_EQ(prof_mutex_fraction(), mutex);
}

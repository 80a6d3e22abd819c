/* The heap profile without memory: for the end of an object, for a stack. */
#include "inflate.h"
#include "profiles.h"
#include "short_memory.h"
#include "suite.h"
#include "waits.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hartbeat/prof_rates.h>
#include <hartbeat/profile.h>

#include "prof/heap.h"
#include "prof/heap_stacks.h"

#define NOINLINE __attribute__((noipa))

/* Whether the profile says this at the beginning of a line of its text, and in a comment for pprof. */
static bool says(const char *profile, const char *what)
{
	enum { UNPACKED_MAX = 256 << 10 };
	char line[256], *text = profile_text(profile, 1), *unpacked = malloc(UNPACKED_MAX);
	bool found = false;
	struct sink_memory m;
	snprintf(line, sizeof line, "\n# %s", what);
	sink_memory_init(&m);
	CHECK_EQ(profile_write(profile, 0, &m.sink), 0);
	size_t n = inflate_gzip(m.data, m.size, unpacked, UNPACKED_MAX), length = strlen(what);
	CHECK(n > 0);
	for (size_t i = 0; i + length <= n && !found; i++)
		found = memcmp(unpacked + i, what, length) == 0;
	if (!found || strstr(text, line) == NULL)
		guest_note("%s: '%s' is not in its %s", profile, what, found ? "text" : "protobuf");
	found = found && strstr(text, line) != NULL;
	sink_memory_free(&m);
	free(unpacked);
	free(text);
	return found;
}

/* What has been counted where fn is on the stack. */
static struct heap_counts counts_of(uintptr_t fn)
{
	struct heap_counts sum = {0};
	for (const struct stack_record *r = NULL; (r = stack_next(&heap_stacks, r)) != NULL;) {
		struct heap_counts c = heap_counts(r);
		if (!stack_has(r, fn))
			continue;
		sum.allocs += c.allocs;
		sum.frees += c.frees;
	}
	return sum;
}

/* ---- the end of an object ---- */

enum { MANY = 50000, SOME = 100 };

static void *kept[MANY];

static NOINLINE void allocate_some(unsigned at)
{
	for (unsigned i = at; i < at + SOME; i++)
		kept[i] = malloc(16);
}

static void free_all(unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		free(kept[i]);
}

GUEST_TEST(
	heap_profile, untracked,
	"objects whose end there is no memory to see count as freed at once, and the profile says how many")
{
	uint64_t rate = prof_heap_rate();
	uintptr_t fn = (uintptr_t)allocate_some;
	struct short_memory s;
	struct heap_account a, b;
	unsigned n = 0;
	/* Memory is short after the first calls: their stack is known then, which needs memory, too. volatile: all calls are from one place. */
	volatile bool begun = false;
	char what[128];
	guest_profile_off();
	CHECK_EQ(prof_heap_rate_set(1), 0);
	struct heap_counts before = counts_of(fn);
	heap_account(&a);
	for (b = a; n < MANY && b.untracked == a.untracked; n += SOME) {
		allocate_some(n);
		if (!begun)
			short_memory_begin(&s);
		begun = true;
		heap_account(&b);
	}
	CHECK_EQ(prof_heap_rate_set(0), 0);
	short_memory_end(&s);
	heap_account(&b);
	struct heap_counts after = counts_of(fn);
	uint64_t untracked = after.frees - before.frees;
	guest_note("%u objects, %llu of them untracked", n, (unsigned long long)untracked);
	CHECK_EQ(after.allocs - before.allocs, n);
	CHECK(untracked > 0 && untracked <= b.untracked - a.untracked);
	snprintf(what, sizeof what, "no memory to follow %llu sampled objects: they count as freed at once",
		 (unsigned long long)b.untracked);
	CHECK(says("heap", what));
	CHECK(says("allocs", what));
	free_all(n);
	after = counts_of(fn);
	CHECK_EQ(after.frees - before.frees, n);
	CHECK_EQ(prof_heap_rate_set(rate), 0);
}

/* ---- a stack ---- */

static NOINLINE void allocate_lost(void)
{
	for (unsigned i = 0; i < SOME; i++)
		kept[i] = malloc(1000);
}

/* What has no stack and is in use. */
static struct heap_counts lost(void)
{
	return heap_counts(&heap_stacks.lost);
}

GUEST_TEST(heap_profile, lost,
	   "objects for whose stack there is no memory are in use in [lost] until they are freed, and the "
	   "profile says how much that is")
{
	uint64_t rate = prof_heap_rate();
	char what[128];
	unsigned long long said = 0, of = 0;
	guest_profile_off();
	struct heap_counts a = lost();
	struct stacks_room room = stacks_fill(&heap_stacks);
	CHECK_EQ(prof_heap_rate_set(1), 0);
	allocate_lost();
	CHECK_EQ(prof_heap_rate_set(0), 0); /* what is lost is not scaled then */
	stacks_unfill(&heap_stacks, room);
	struct heap_counts b = lost(), c = counts_of((uintptr_t)allocate_lost);
	CHECK_EQ(c.allocs, 0);
	CHECK(b.allocs - a.allocs >= SOME && b.alloc_bytes - a.alloc_bytes >= SOME * 1000);
	char *text = profile_text("heap", 1);
	const char *at = strstr(text, "\n# truncated: heap: ");
	CHECK(at != NULL &&
	      sscanf(at, "\n# truncated: heap: no memory for the stacks of %llu of %llu inuse_space/bytes\n",
		     &said, &of) == 2);
	free(text);
	CHECK_EQ(said, b.alloc_bytes - b.freed_bytes);
	CHECK(of >= said);
	snprintf(what, sizeof what, "truncated: heap: no memory for the stacks of %llu of ",
		 (unsigned long long)said);
	CHECK(says("heap", what));
	free_all(SOME);
	c = lost();
	CHECK(c.frees - b.frees >= SOME && c.freed_bytes - b.freed_bytes >= SOME * 1000);
	CHECK_EQ(prof_heap_rate_set(rate), 0);
}

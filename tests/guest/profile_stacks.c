/* The stacks of the heap, block and mutex profiles: how deep they are, and with whom that is inlined. What has a counterpart among Go's tests
 * bears its name (docs/go-tests.md). */
#include "profiles.h"
#include "suite.h"
#include "waits.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <hartbeat/chan.h>
#include <hartbeat/go.h>
#include <hartbeat/prof_rates.h>
#include <hartbeat/sync.h>

#include "kernel/g.h"
#include "prof/builder.h"
#include "prof/heap_stacks.h"
#include "prof/wait.h"
#include "sched/sched.h"

#define NOINLINE __attribute__((noipa)) /* nor merged with one that does the same */
#define INLINE   static inline __attribute__((always_inline))

/* ---- one wait, and one unlock that somebody waits for ---- */

static struct chan *c;
static struct mutex lock;
static struct g *_Atomic waiter; /* who waits next */

static void send(void *arg)
{
	(void)arg;
	until_waits(&waiter);
	chan_send(c, NULL);
}

/* Calls wait(), which receives from c what is not there before it waits. */
static void with_sender(void (*wait)(void))
{
	struct guest_group one = {0};
	c = chan_make(0, 0);
	atomic_store(&waiter, NULL);
	guest_go(&one, send, NULL);
	wait();
	guest_wait(&one);
	chan_free(c);
}

INLINE void receive(void)
{
	atomic_store(&waiter, g_self());
	chan_recv(c, NULL);
	__asm__ volatile("");
}

static void take_and_give(void *arg)
{
	(void)arg;
	atomic_store(&waiter, g_self());
	mutex_lock(&lock);
	mutex_unlock(&lock);
}

/* Calls give(), which unlocks what one waits for. */
static void with_waiter(void (*give)(void))
{
	struct guest_group one = {0};
	atomic_store(&waiter, NULL);
	mutex_lock(&lock);
	guest_go(&one, take_and_give, NULL);
	until_waits(&waiter);
	give();
	guest_wait(&one);
}

INLINE void give_back(void)
{
	mutex_unlock(&lock);
	__asm__ volatile("");
}

/* ---- depth ---- */

static NOINLINE void deep(unsigned n, void (*last)(void))
{
	if (n > 0)
		deep(n - 1, last);
	else
		last();
	__asm__ volatile("");
}

static NOINLINE void receive_deep(void)
{
	receive();
}

static void wait_deep(void)
{
	deep(200, receive_deep);
}

static NOINLINE void unlock_deep(void)
{
	give_back();
}

static void give_deep(void)
{
	deep(200, unlock_deep);
}

static void *leaked;

static NOINLINE void allocate_deep(void)
{
	leaked = malloc(123);
	__asm__ volatile("");
}

/* The one stack of a table with this key (any, -1) and function has the most frames there may be, and the last says that there were more; so
 * does the text. */
static void cut(const struct stack_table *t, int key, void (*fn)(void), const char *profile,
		const char *function)
{
	unsigned n = 0;
	for (const struct stack_record *r = NULL; (r = stack_next(t, r)) != NULL;) {
		if ((key >= 0 && r->key != (uint64_t)key) || !stack_has(r, (uintptr_t)fn))
			continue;
		n++;
		if (r->depth != STACK_DEPTH_MAX + 1 || r->pcs[r->depth - 1] != PROF_FRAME_TRUNCATED)
			guest_fail(__FILE__, __LINE__, "%s: %s at a depth of %u", profile, function,
				   (unsigned)r->depth);
	}
	CHECK_EQ(n, 1);
	char *text = profile_text(profile, 1);
	const char *at = strstr(text, function), *end = at != NULL ? strstr(at, "\n\n") : NULL;
	const char *said = at != NULL ? strstr(at, "\t[truncated]\n") : NULL;
	if (end == NULL || said == NULL || said > end)
		guest_fail(__FILE__, __LINE__, "%s: the stack of %s does not say that it is cut", profile,
			   function);
	free(text);
}

/* Go: TestProfilerStackDepth. */
GUEST_TEST(block_profile, profiler_stack_depth,
	   "stacks have 128 frames; a deeper one is cut at the root, and says so")
{
	uint64_t rate = prof_block_rate(), heap = prof_heap_rate(), fraction = prof_mutex_fraction();
	CHECK_EQ(prof_block_rate_set(1), 0);
	CHECK_EQ(prof_mutex_fraction_set(1), 0);
	with_sender(wait_deep);
	with_waiter(give_deep);
	CHECK_EQ(prof_heap_rate_set(1), 0);
	deep(200, allocate_deep);
	CHECK_EQ(prof_heap_rate_set(heap), 0);
	CHECK_EQ(prof_mutex_fraction_set(fraction), 0);
	CHECK_EQ(prof_block_rate_set(rate), 0);
	cut(&wait_stacks, WAIT_CHAN_RECEIVE, receive_deep, "block", "\treceive_deep+0x");
	cut(&contention_stacks, -1, unlock_deep, "mutex", "\tunlock_deep+0x");
	cut(&heap_stacks, -1, allocate_deep, "heap", "\tallocate_deep+0x");
	free(leaked);
}

/* ---- inlined callers ---- */

INLINE void wait_c(void)
{
	receive();
}

INLINE void wait_b(void)
{
	wait_c();
}

static NOINLINE void wait_a(void)
{
	wait_b();
}

INLINE void give_c(void)
{
	give_back();
}

INLINE void give_b(void)
{
	give_c();
}

static NOINLINE void give_a(void)
{
	give_b();
}

/* How much more often this stack, from its innermost function on, is in the profile than before. */
static uint64_t times_more(const char *profile, const char *const *stack, uint64_t before)
{
	uint64_t ns, n;
	char *text = profile_text(profile, 1);
	profile_stack(text, stack, &ns, &n);
	free(text);
	return n - before;
}

/* Go: TestBlockMutexProfileInlineExpansion. */
GUEST_TEST(block_profile, block_mutex_profile_inline_expansion,
	   "inlined callers are shown, in order, and nothing between them")
{
	static const char *const waits[] = {"receive", "wait_c", "wait_b", "wait_a", "with_sender", NULL};
	static const char *const gives[] = {"mutex_unlock", "give_back",   "give_c", "give_b",
					    "give_a",       "with_waiter", NULL};
	uint64_t rate = prof_block_rate(), fraction = prof_mutex_fraction();
	uint64_t waited = times_more("block", waits, 0), given = times_more("mutex", gives, 0);
	CHECK_EQ(prof_block_rate_set(1), 0);
	CHECK_EQ(prof_mutex_fraction_set(1), 0);
	with_sender(wait_a);
	with_waiter(give_a);
	CHECK_EQ(prof_mutex_fraction_set(fraction), 0);
	CHECK_EQ(prof_block_rate_set(rate), 0);
	CHECK_EQ(times_more("block", waits, waited), 1);
	CHECK_EQ(times_more("mutex", gives, given), 1);
}

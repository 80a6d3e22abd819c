/* The goroutine profile in bad times: in a panic, without memory, while goroutines end. */
#include "profiles.h"
#include "short_memory.h"
#include "suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hartbeat/chan.h>
#include <hartbeat/go.h>
#include <hartbeat/panic.h>
#include <hartbeat/profile.h>
#include <hartbeat/time.h>

#include "kernel/page.h"

static struct chan *gate;
static struct guest_group waiters;

static void wait_at_gate(void *arg)
{
	(void)arg;
	chan_recv(gate, NULL);
}

static void gate_make(int n)
{
	gate = chan_make(0, 0);
	for (int i = 0; i < n; i++)
		guest_go(&waiters, wait_at_gate, NULL);
}

static void gate_open(void)
{
	chan_close(gate);
	guest_wait(&waiters);
	chan_free(gate);
}

static void profile_now(void *arg)
{
	char *text = goroutine_text(1);
	*(bool *)arg = profile_sum(text) == profile_total(text) && strstr(text, "\tfails") != NULL;
	free(text);
}

static __attribute__((noinline)) void fails(bool *fine)
{
	DEFER(profile_now, fine);
	go_panic("a panic");
}

GUEST_TEST(goroutine, in_a_panic,
	   "a deferred function takes a profile while a panic runs it, and the panicking stack is in it")
{
	static bool fine;
	fine = false;
	RECOVER_SCOPE (r) {
		fails(&fine);
	}
	CHECK(fine);
}

/* How many goroutines are counted as lost. */
static unsigned lost_in(const char *text)
{
	const char *at = strstr(text, "\t[lost]\n");
	unsigned n = 0;
	for (int lines = 0; at != NULL && at > text && lines < 2; at--)
		lines += at[-1] == '\n';
	if (at != NULL)
		CHECK(sscanf(at + 1, "%u @ ", &n) == 1);
	return n;
}

/* Returns how many stacks it lacks: not all when the shrinker gives memory back meanwhile. */
static unsigned profile_in_need(void)
{
	struct sink_memory m;
	struct short_memory taken;
	unsigned said = 0, of = 0;
	sink_memory_init(&m);
	CHECK_EQ(sink_write(&m.sink, "", 1), 0); /* its memory */
	m.size = 0;
	short_memory_begin(&taken);
	CHECK(page_short());
	CHECK_EQ(profile_write("goroutine", 1, &m.sink), 0);
	short_memory_end(&taken);
	CHECK_EQ(sink_write(&m.sink, "", 1), 0);
	CHECK_EQ(profile_total(m.data), go_count());
	CHECK_EQ(profile_sum(m.data), profile_total(m.data));
	const char *line = strstr(m.data, "# truncated: ");
	if (line != NULL)
		CHECK(sscanf(line,
			     "# truncated: goroutine: no memory for the stacks of %u of %u goroutine/count\n",
			     &said, &of) == 2);
	CHECK_EQ(of, line != NULL ? go_count() : 0);
	CHECK_EQ(said, lost_in(m.data));
	sink_memory_free(&m);
	return said;
}

GUEST_TEST(goroutine, without_memory,
	   "when memory is short the profile says what it lacks, and holds everybody all the same")
{
	unsigned lacks = 0;
	gate_make(100);
	for (int i = 0; i < GUEST_ATTEMPTS && lacks == 0; i++)
		lacks = profile_in_need();
	CHECK(lacks > 0);
	gate_open();
}

static void end_after(void *arg)
{
	(void)arg;
	time_sleep(5 * TIME_MILLISECOND);
	gate_open();
}

/* What it holds is looked at on the host (tests/e2e/test-goroutine.sh). */
GUEST_TEST(goroutine, delta, "a difference is written while goroutines end")
{
	struct guest_group all = {0};
	struct sink_memory m;
	gate_make(20);
	sink_memory_init(&m);
	guest_go(&all, end_after, NULL);
	CHECK_EQ(profile_write_delta("goroutine", 20 * TIME_MILLISECOND, &m.sink), 0);
	CHECK(m.size > 100);
	sink_memory_free(&m);
	guest_wait(&all);
}

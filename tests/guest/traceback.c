/* Tracebacks in Go's form, and reports about goroutines. */
#include "suite.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hartbeat/chan.h>
#include <hartbeat/go.h>
#include <hartbeat/panic.h>
#include <hartbeat/report.h>
#include <hartbeat/time.h>

#define SHOWN        __attribute__((noipa))
#define KEEP_FRAME() __asm__ volatile("" ::: "memory")

enum { TEXT = 32768 };
static char text[TEXT];

/* How often the line `wanted` stands in the text. */
static unsigned lines(const char *wanted)
{
	unsigned n = 0;
	size_t len = strlen(wanted);
	for (const char *p = text; *p != '\0';) {
		const char *end = strchr(p, '\n');
		if (end == NULL)
			break;
		n += (size_t)(end - p) == len && strncmp(p, wanted, len) == 0;
		p = end + 1;
	}
	return n;
}

/* The text is a first line and two lines a frame, the second with a place; returns how many frames. */
static unsigned frames(void)
{
	unsigned n = 0, number = 0;
	char elided[32];
	const char *p = strchr(text, '\n');
	CHECK(strncmp(text, "goroutine ", 10) == 0 && p != NULL && p[-1] == ':' && p[-2] == ']');
	while (p != NULL && p[1] != '\0') {
		p++;
		const char *end = strchr(p, '\n');
		if (end == NULL)
			break;
		if (sscanf(p, "...%u frames %30s", &number, elided) == 2) {
			CHECK(strcmp(elided, "elided...") == 0);
			p = end;
			continue;
		}
		const char *second = end + 1;
		CHECK(second[0] == '\t' && strncmp(p, "0x", 2) != 0);
		p = strchr(second, '\n');
		n++;
	}
	return n;
}

static inline __attribute__((always_inline)) void inlined_leaf(void)
{
	go_stack(text, TEXT);
	KEEP_FRAME();
}

static inline __attribute__((always_inline)) void inlined_middle(void)
{
	inlined_leaf();
	KEEP_FRAME();
}

SHOWN static void inlining(void)
{
	inlined_middle();
	KEEP_FRAME();
}

GUEST_TEST(traceback, inlined,
	   "inlined calls are frames of their own, innermost first (TestTracebackInlined)")
{
	inlining();
	const char *leaf = strstr(text, "inlined_leaf(...)\n\ttests/guest/traceback.c:"),
		   *middle = strstr(text, "inlined_middle(...)\n\ttests/guest/traceback.c:"),
		   *outer = strstr(text, "inlining(...)\n\ttests/guest/traceback.c:");
	CHECK(leaf != NULL && middle != NULL && outer != NULL && leaf < middle && middle < outer);
	if (leaf == NULL || outer == NULL)
		return;
	/* only what is a function of its own has an offset */
	CHECK(strstr(leaf, " +0x") > strchr(outer, '\n'));
	CHECK(strncmp(text, "goroutine 1 [running]:\n", 23) == 0 || go_id() != 1);
}

SHOWN static int deepen(int depth)
{
	int sum = 0;
	if (depth > 0)
		sum = deepen(depth - 1) + 1;
	else
		go_stack(text, TEXT);
	KEEP_FRAME();
	return sum;
}

GUEST_TEST(traceback, elision,
	   "50 innermost and 50 outermost frames are shown, and how many there are between "
	   "(TestTracebackElision)")
{
	deepen(0);
	unsigned around = frames() - 1;
	CHECK_EQ(lines("deepen(...)"), 1);
	for (unsigned n = 40; n <= 240; n += n < 90 || n > 120 ? 25 : 1) {
		char wanted[64];
		unsigned all = around + n + 1;
		deepen((int)n);
		CHECK_EQ(frames(), all < 100 ? all : 100);
		snprintf(wanted, sizeof wanted, "...%u frames elided...", all - 100);
		CHECK_EQ(lines(wanted), all > 100);
		CHECK_EQ(lines("deepen(...)"), all > 100 ? 100 - around : n + 1);
	}
}

static char name_wanted[] = "child";

SHOWN static void child(void *done)
{
	go_stack(text, TEXT);
	chan_send(done, NULL);
	KEEP_FRAME();
}

GUEST_TEST(traceback, parent_child_goroutines,
	   "who started a goroutine, and where (TestTracebackParentChildGoroutines)")
{
	char created[160], first[80];
	struct chan *done = chan_make(0, 0);
	uint64_t id = go_with(child, done, &(struct go_options){.name = name_wanted});
	CHECK(id != 0);
	chan_recv(done, NULL);
	chan_free(done);
	snprintf(created, sizeof created,
		 "created by guest_traceback_parent_child_goroutines in goroutine "
		 "%llu\n\ttests/guest/traceback.c:",
		 (unsigned long long)go_id());
	CHECK(strstr(text, created) != NULL);
	snprintf(first, sizeof first, "goroutine %llu (child) [running]:\nchild(...)\n",
		 (unsigned long long)id);
	CHECK(strncmp(text, first, strlen(first)) == 0);
}

SHOWN static void negate(volatile int *p)
{
	if (*p != 0)
		go_panic("not this one");
	KEEP_FRAME();
}

static void look(void *arg)
{
	(void)arg;
	go_stack(text, TEXT);
	KEEP_FRAME();
}

GUEST_TEST(traceback, panic_place,
	   "a deferred function that a panic runs sees the place of the panic (TestPanicInlined)")
{
	volatile int one = 1;
	RECOVER_SCOPE (r) {
		DEFER(look, NULL);
		negate(&one);
	} else {
		CHECK_EQ(lines("look(...)"), 1);
		CHECK_EQ(lines("go_panic(...)"), 1);
		CHECK_EQ(lines("negate(...)"), 1);
		CHECK_EQ(lines("guest_traceback_panic_place(...)"), 1);
	}
}

GUEST_TEST(traceback, small_buffer, "a buffer that is too small gets the beginning")
{
	char whole[150], part[100];
	memset(part, 'x', sizeof part);
	CHECK_EQ(go_stack(whole, sizeof whole), sizeof whole - 1);
	CHECK_EQ(go_stack(part, 50), 49);
	CHECK(strlen(part) == 49 && part[50] == 'x' && strncmp(part, whole, 49) == 0);
	CHECK_EQ(go_stack(part, 0), 0);
	CHECK(strlen(part) == 49);
}

/* ---- goroutines_report ---- */

static struct {
	struct chan *go_on;
	_Atomic uint32_t waiting;
} rep;

static void wait_long(void *arg)
{
	(void)arg;
	atomic_fetch_add(&rep.waiting, 1);
	chan_recv(rep.go_on, NULL);
}

static void come_and_go(void *arg)
{
	(void)arg;
	while (atomic_load(&rep.waiting) < 1000) {
		atomic_fetch_add(&rep.waiting, 1);
		time_sleep(100 * TIME_MICROSECOND);
	}
}

GUEST_TEST(traceback, report_while_running,
	   "a report walks stacks of goroutines that come, go and are woken meanwhile")
{
	struct guest_group all = {0};
	rep.go_on = chan_make(0, 0);
	atomic_store(&rep.waiting, 0);
	for (int i = 0; i < 4; i++)
		guest_go(&all, wait_long, NULL);
	for (int i = 0; i < 8; i++)
		guest_go(&all, come_and_go, NULL);
	for (uint32_t i = 0; i < guest_count(4, 50); i++)
		goroutines_report(12);
	chan_close(rep.go_on);
	guest_wait(&all);
	goroutines_report(0);
	chan_free(rep.go_on);
}

/*
 * What programs do while they are traced: the programs of Go's internal/trace. Each trace leaves as a file; tests/e2e/test-trace.sh opens them
 * with Go's reader and looks for what must be in them, in several modes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hartbeat/chan.h>
#include <hartbeat/cond.h>
#include <hartbeat/go.h>
#include <hartbeat/labels.h>
#include <hartbeat/prof.h>
#include <hartbeat/rwmutex.h>
#include <hartbeat/select.h>
#include <hartbeat/sync.h>
#include <hartbeat/time.h>
#include <hartbeat/trace.h>

#include "kernel/preempt.h"
#include "prof/impl.h"
#include "prof/prof.h"
#include "sched/sched.h"
#include "sched/stw.h"
#include "suite.h"
#include "trace/impl.h"
#include "trace/trace.h"
#include "traces.h"

/* ---- annotations ---- */

GUEST_TEST(trace_program, annotations,
	   "tasks, regions and logs are in the trace as they were said (TestTraceAnnotations)")
{
	uint32_t before = trace_misused();
	traced_begin("annotations.out");
	uint64_t task = trace_task_begin("task0", 0);
	struct trace_region *r = trace_region_begin(task, "region0");
	struct trace_region *inner = trace_region_begin(task, "region1");
	trace_log(task, "key0", "0123456789abcdef");
	trace_region_end(inner);
	trace_region_end(r);
	trace_task_end(task);
	struct trace_region *pre = trace_region_begin(0, "never ends");
	uint64_t child = trace_task_begin("child", task);
	CHECK(child != task && child != 0 && pre != NULL);
	trace_task_end(child);
	LABELS_SCOPE({"who", "annotations"});
	traced_end();
	trace_region_end(pre);
	CHECK_EQ(trace_misused(), before);
}

static void deep(uint64_t task, int depth)
{
	TRACE_REGION(task, "deep");
	uint64_t below = trace_task_begin("below", task);
	trace_logf(below, "depth", "%d", depth);
	if (depth > 0)
		deep(below, depth - 1);
	trace_task_end(below);
}

static void deep_start(void *depth)
{
	uint64_t task = trace_task_begin("deep", 0);
	for (int i = 0; i < 5; i++)
		deep(task, (int)(uintptr_t)depth);
	trace_task_end(task);
}

GUEST_TEST(trace_program, annotations_stress,
	   "tasks and regions nested deep in many goroutines (TestTraceAnnotationsStress)")
{
	struct guest_group all = {0};
	uint32_t before = trace_misused();
	traced_begin("annotations-stress.out");
	for (int i = 0; i < 20; i++)
		guest_go(&all, deep_start, (void *)(uintptr_t)(2 * i));
	guest_wait(&all);
	traced_end();
	CHECK_EQ(trace_misused(), before);
}

static struct trace_region *foreign;

static void end_foreign(void *arg)
{
	(void)arg;
	trace_region_end(foreign);
}

static void panics_inside(void)
{
	RECOVER_SCOPE (r) {
		TRACE_REGION(0, "left by a panic");
		go_panic("out");
	} else {
		CHECK(strcmp(r.message, "out") == 0);
	}
}

static void leaves_open(void *arg)
{
	(void)arg;
	(void)!trace_region_begin(0, "left open");
	(void)!trace_region_begin(0, "left open too");
}

static _Atomic int outliving;

/* Ends when the trace has. */
static void outlives(void *c)
{
	leaves_open(NULL);
	atomic_fetch_add(&outliving, 1);
	chan_recv(c, NULL);
}

/* A region that lies where another one was, which ends once more: the newer one stays open. */
static void reused(void)
{
	struct g *self = g_self();
	const struct trace_region *open = self->regions;
	struct trace_region *old = trace_region_begin(0, "an older one");
	const struct trace_region *at = self->regions;
	trace_region_end(old);
	struct trace_region *newer = trace_region_begin(0, "a newer one");
	CHECK(self->regions == at);
	trace_region_end(old);
	CHECK(self->regions == at);
	trace_region_end(newer);
	CHECK(self->regions == open);
}

GUEST_TEST(trace_program, misuse,
	   "regions that end in another order, elsewhere or never, and strings of any length: said, and the "
	   "trace is whole")
{
	static char longest[5000];
	struct guest_group all = {0};
	uint32_t before = trace_misused();
	memset(longest, 'x', sizeof longest - 1);
	traced_begin("misuse.out");
	struct trace_region *a = trace_region_begin(0, "outer"), *b = trace_region_begin(0, "inner");
	CHECK(a != NULL && b != NULL);
	trace_region_end(a); /* b ends too */
	CHECK_EQ(trace_misused(), before + 1);
	trace_region_end(b); /* late */
	trace_region_end(a); /* twice */
	CHECK_EQ(trace_misused(), before + 3);
	foreign = trace_region_begin(0, "mine");
	guest_go(&all, end_foreign, NULL);
	guest_wait(&all);
	CHECK_EQ(trace_misused(), before + 4);
	trace_region_end(foreign);
	trace_region_end(NULL);
	reused();
	CHECK_EQ(trace_misused(), before + 5);
	panics_inside();
	guest_go(&all, leaves_open, NULL);
	guest_wait(&all);
	trace_log(0, "", "");
	trace_log(0, longest, longest);
	trace_log(77777, "a task", "that nobody began");
	trace_task_end(0);
	trace_task_end(UINT64_MAX);
	trace_task_end(trace_task_begin("", 0));
	trace_task_end(trace_task_begin(longest, 0));
	trace_region_end(trace_region_begin(0, ""));
	trace_region_end(trace_region_begin(0, longest));
	traced_end();
	CHECK_EQ(trace_misused(), before + 5);
	CHECK(trace_region_begin(0, "off") == NULL);
}

GUEST_TEST(trace_program, regions_outlive,
	   "a goroutine that ends after the trace leaves none of its regions to the next one")
{
	enum { HOLDERS = 20 };
	struct guest_group all = {0};
	struct chan *c = chan_make(0, 0);
	struct taken t = {0};
	atomic_store(&outliving, 0);
	CHECK(trace_start_func(taken_write, &t) == 0);
	for (int i = 0; i < HOLDERS; i++)
		guest_go(&all, outlives, c);
	while (atomic_load(&outliving) < HOLDERS)
		time_sleep(TIME_MILLISECOND);
	CHECK(trace_stop() == 0);
	chan_close(c);
	guest_wait(&all);
	for (const struct g *g = g_all(); g != NULL; g = g->all_next)
		CHECK(g_status(g) != G_DEAD || g->regions == NULL);
	chan_free(c);
	taken_free(&t);
}

/* ---- stacks ---- */

/*
 * Each function blocks or wakes where its name says: test-trace.sh knows which transition belongs to it. None of them calls anything last, so
 * that it has a frame.
 */
#define AT __attribute__((noinline, noclone))
#define BLOCKS(name, what)             \
	AT static void name(void *arg) \
	{                              \
		(void)arg;             \
		what;                  \
		waitgroup_done(&wg);   \
		__asm__ volatile("");  \
	}                              \
	_Static_assert(1, "")
#define FOREVER(name, what)            \
	AT static void name(void *arg) \
	{                              \
		(void)arg;             \
		what;                  \
		__asm__ volatile("");  \
	}                              \
	_Static_assert(1, "")
#define WAKES(name, what)             \
	AT static void name(void)     \
	{                             \
		what;                 \
		__asm__ volatile(""); \
	}                             \
	_Static_assert(1, "")

static struct chan *c0, *c1, *c2, *nobody;
static struct mutex m;
static struct rwmutex rw;
static struct waitgroup wg, go_on;
static struct cond cond;
static bool cond_waits; /* under m */
static uint32_t spinners;
static _Atomic uint32_t spinning;

BLOCKS(at_recv, chan_recv(c0, NULL));
BLOCKS(at_send, chan_send(c1, NULL));
BLOCKS(at_select,
       chan_select(((struct chan_case[]){CHAN_CASE_RECV(c2, NULL), CHAN_CASE_RECV(nobody, NULL)}), 2, false));
BLOCKS(at_mutex, (mutex_lock(&m), mutex_unlock(&m)));
BLOCKS(at_rlock, (rwmutex_rlock(&rw), rwmutex_runlock(&rw)));
BLOCKS(at_wlock, (rwmutex_lock(&rw), rwmutex_unlock(&rw)));
BLOCKS(at_waitgroup, waitgroup_wait(&go_on));
BLOCKS(at_cond, (mutex_lock(&m), cond_waits = true, cond_wait(&cond, &m), mutex_unlock(&m)));
BLOCKS(at_sleep, time_sleep(TIME_MILLISECOND));
BLOCKS(at_yield, go_yield());
FOREVER(at_recv_nil, chan_recv(NULL, NULL));
FOREVER(at_send_nil, chan_send(NULL, NULL));
FOREVER(at_select_none, chan_select(NULL, 0, false));
/* More of them than harts: until the last one spins, one that did must have been preempted here. */
BLOCKS(at_spin, for (atomic_fetch_add(&spinning, 1); atomic_load(&spinning) < spinners;));

static int yields(const void *a, const void *b)
{
	go_yield();
	return *(const int *)a - *(const int *)b;
}

static int to_sort[4] = {4, 3, 2, 1};
BLOCKS(at_qsort, qsort(to_sort, 4, sizeof to_sort[0], yields)); /* through a function of the C library */

AT static void at_exit(void *arg)
{
	(void)arg;
	waitgroup_done(&wg);
	go_exit();
}

AT static void start_one(void (*fn)(void *))
{
	waitgroup_add(&wg, 1);
	CHECK(go(fn, NULL) != 0);
}

WAKES(wake_recv, chan_send(c0, NULL));
WAKES(wake_send, chan_recv(c1, NULL));
WAKES(wake_select, chan_send(c2, NULL));
WAKES(wake_close, chan_close(c0));
WAKES(wake_mutex, mutex_unlock(&m));
WAKES(wake_rwmutex, rwmutex_unlock(&rw));
WAKES(wake_waitgroup, waitgroup_done(&go_on));
WAKES(wake_cond, (mutex_lock(&m), cond_signal(&cond), mutex_unlock(&m)));

static uint32_t waiting(void (*fn)(void *))
{
	uint32_t n = 0;
	for (const struct g *g = g_all(); g != NULL; g = g->all_next)
		n += (atomic_load(&g->status) & G_STATUS_MASK) == G_WAITING && g->fn == fn;
	return n;
}

/* Whoever wakes a goroutine that does not wait yet makes no transition. */
static void until_waits(void (*fn)(void *))
{
	while (waiting(fn) == 0)
		time_sleep(TIME_MILLISECOND);
}

/* Not a goroutine of the program, which this test would leave behind. */
static void start_forever(void (*fn)(void *), const char *name)
{
	uint32_t before = waiting(fn);
	CHECK(go_system(fn, NULL, name) != 0);
	while (waiting(fn) == before)
		time_sleep(TIME_MILLISECOND);
}

GUEST_TEST(trace_program, stacks, "each transition has the stack of who made it (TestTraceStacks)")
{
	c0 = chan_make(0, 0);
	c1 = chan_make(0, 0);
	c2 = chan_make(0, 0);
	nobody = chan_make(0, 0);
	cond_waits = false;
	spinners = go_harts() + 1;
	atomic_store(&spinning, 0);
	waitgroup_add(&go_on, 1);
	traced_begin("stacks.out");
	mutex_lock(&m);
	rwmutex_lock(&rw);
	static void (*const woken[])(void *) = {at_recv,  at_send,  at_select,   at_mutex,
						at_rlock, at_wlock, at_waitgroup};
	static void (*const others[])(void *) = {at_sleep, at_yield, at_exit, at_qsort};
	for (size_t i = 0; i < sizeof woken / sizeof woken[0]; i++)
		start_one(woken[i]);
	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
		start_one(others[i]);
	for (uint32_t i = 0; i < spinners; i++)
		start_one(at_spin);
	for (size_t i = 0; i < sizeof woken / sizeof woken[0]; i++)
		until_waits(woken[i]);
	wake_recv();
	wake_send();
	wake_select();
	start_one(at_recv);
	until_waits(at_recv);
	wake_close();
	wake_mutex();
	wake_rwmutex();
	wake_waitgroup();
	start_one(at_cond);
	for (bool waits = false; !waits;) {
		time_sleep(TIME_MILLISECOND);
		mutex_lock(&m);
		waits = cond_waits;
		mutex_unlock(&m);
	}
	wake_cond();
	start_forever(at_recv_nil, "receives_for_ever");
	start_forever(at_send_nil, "sends_for_ever");
	start_forever(at_select_none, "selects_for_ever");
	waitgroup_wait(&wg);
	traced_end();
	chan_free(c0);
	chan_free(c1);
	chan_free(c2);
	chan_free(nobody);
}

/* ---- many events ---- */

static void rounds(void *arg)
{
	struct chan *c = chan_make(sizeof(int), 1);
	int v = 0;
	for (int i = 0; i < (int)(uintptr_t)arg; i++) {
		chan_send(c, &v);
		chan_recv(c, &v);
		mutex_lock(&m);
		if (i % 16 == 0)
			go_yield();
		mutex_unlock(&m);
		free(malloc(100 + (size_t)i));
		if (i % 50 == 0)
			time_sleep(1000);
	}
	chan_free(c);
}

static void ponger(void *arg)
{
	struct chan **c = arg;
	while (chan_recv(c[0], NULL))
		chan_send(c[1], NULL);
}

static void everything(struct guest_group *all)
{
	struct chan *c[2] = {chan_make(0, 0), chan_make(0, 0)};
	uint32_t n = guest_count(100, 1000);
	guest_go(all, ponger, c);
	for (int i = 0; i < 10; i++)
		guest_go(all, rounds, (void *)(uintptr_t)n);
	for (uint32_t i = 0; i < n; i++) {
		chan_send(c[0], NULL);
		chan_recv(c[1], NULL);
	}
	chan_close(c[0]);
	guest_wait(all);
	chan_free(c[0]);
	chan_free(c[1]);
}

GUEST_TEST(trace_program, stress, "everything at once (TestTraceStress)")
{
	struct guest_group all = {0};
	traced_begin("stress.out");
	everything(&all);
	traced_end();
}

GUEST_TEST(trace_program, stress_start_stop,
	   "traces that begin and end amid everything (TestTraceStressStartStop)")
{
	struct guest_group all = {0}, more = {0};
	for (int i = 0; i < 5; i++)
		guest_go(&more, rounds, (void *)(uintptr_t)guest_count(300, 3000));
	for (int i = 0; i < 3; i++) {
		char name[32];
		snprintf(name, sizeof name, "start-stop-%d.out", i);
		traced_begin(name);
		if (i == 1)
			everything(&all);
		traced_end();
	}
	guest_wait(&more);
}

GUEST_TEST(trace_program, blocked_over_generations,
	   "who waits all through a generation is in it (TestTraceWaitOnPipe)")
{
	uint64_t period = traced_period(10 * TIME_MILLISECOND);
	struct chan *c[2] = {chan_make(0, 0), chan_make(0, 0)};
	struct guest_group all = {0};
	guest_go(&all, ponger, c);
	traced_begin("blocked.out");
	time_sleep(100 * TIME_MILLISECOND);
	chan_send(c[0], NULL);
	chan_recv(c[1], NULL);
	time_sleep(100 * TIME_MILLISECOND);
	chan_close(c[0]);
	guest_wait(&all);
	traced_end();
	chan_free(c[0]);
	chan_free(c[1]);
	trace_period_ns = period;
}

GUEST_TEST(trace_program, sequences, "sequence numbers begin anew in each generation")
{
	uint64_t period = traced_period(5 * TIME_MILLISECOND);
	struct chan *c[2] = {chan_make(0, 0), chan_make(0, 0)};
	struct guest_group all = {0};
	struct taken t = {0};
	CHECK(trace_start_func(taken_write, &t) == 0);
	guest_go(&all, ponger, c);
	(void)trace_advanced();
	for (int i = 0, advances = 0; i < 50 || advances < 2; i++) {
		chan_send(c[0], NULL);
		chan_recv(c[1], NULL);
		time_sleep(TIME_MILLISECOND);
		advances += trace_advanced();
	}
	chan_close(c[0]);
	guest_wait(&all);
	CHECK(trace_stop() == 0);
	struct trace_facts f = taken_facts(&t);
	CHECK(f.gens >= 3);
	CHECK(f.events[TRACE_GO_START] >= 100);
	chan_free(c[0]);
	chan_free(c[1]);
	trace_period_ns = period;
	taken_free(&t);
}

static void parked(void *c)
{
	chan_recv(c, NULL);
}

GUEST_TEST(trace_program, generations_of_many,
	   "a generation ends and begins with 10,000 goroutines, and the world stops only shortly")
{
	struct chan *c = chan_make(0, 0);
	struct guest_group all = {0};
	struct taken t = {0};
	uint64_t period = traced_period(5 * TIME_MILLISECOND), stopped = 0, standing;
	uint32_t n = guest_count(guest_exact() ? 10000 : 2000, 10000);
	for (uint32_t i = 0; i < n; i++)
		guest_go(&all, parked, c);
	(void)stw_longest(STW_TRACE_ADVANCE, &standing);
	CHECK(trace_start_func(taken_write, &t) == 0);
	while (stopped == 0) {
		time_sleep(20 * TIME_MILLISECOND);
		stopped = stw_longest(STW_TRACE_ADVANCE, &standing);
	}
	CHECK(trace_stop() == 0);
	struct trace_facts f = taken_facts(&t);
	CHECK(f.gens >= 2);
	/* each has a status once in each generation, or came in it */
	CHECK(f.events[TRACE_GO_STATUS] + f.events[TRACE_GO_CREATE] >= n * f.gens);
	guest_note("the longest stop took %llu ns, %llu of them while the world stood",
		   (unsigned long long)stopped, (unsigned long long)standing);
	/* A nanosecond is an instruction, of whichever hart has its turn: on several, the wait for the others depends on the turns. */
	if (guest_exact())
		CHECK((go_harts() == 1 ? stopped : standing) < 200 * TIME_MICROSECOND);
	trace_period_ns = period;
	chan_close(c);
	guest_wait(&all);
	chan_free(c);
	taken_free(&t);
}

/* What is stepped (see corpus.h). Random sizes and values, so that the same code meets ever other stacks. */
#include "corpus.h"

#include "step.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hartbeat/chan.h>
#include <hartbeat/cond.h>
#include <hartbeat/context.h>
#include <hartbeat/go.h>
#include <hartbeat/panic.h>
#include <hartbeat/rwmutex.h>
#include <hartbeat/select.h>
#include <hartbeat/sync.h>
#include <hartbeat/time.h>

#include "arch/arch.h"
#include "kernel/hart.h"
#include "kernel/preempt.h"

static uint64_t state;
static struct chan *unbuffered, *buffered;
static struct mutex mutex;
static struct rwmutex rwmutex;
static struct cond cond;
static volatile uint64_t sink = 1;

static uint32_t draw(uint32_t below)
{
	state = state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(state >> 33) % below;
}

/* ---- goroutines and what they wait for */

static void run_two(void (*a)(void *), void (*b)(void *), void *arg)
{
	struct waitgroup all = {0};
	if (waitgroup_go(&all, a, arg) == 0 || waitgroup_go(&all, b, arg) == 0)
		abort();
	waitgroup_wait(&all);
}

static void sender(void *c)
{
	for (int i = 0; i < 6; i++)
		chan_send(c, &i);
}

static void receiver(void *c)
{
	for (int i = 0, v; i < 6; i++)
		chan_recv(c, &v);
}

static void channels(void)
{
	run_two(sender, receiver, unbuffered);
	run_two(receiver, sender, buffered);
	int v = 7;
	bool ok;
	chan_try_send(buffered, &v);
	chan_try_recv(buffered, &v, &ok);
	sink += chan_recv_timeout(unbuffered, &v, &ok, 1000);
}

static void select_one(void *arg)
{
	(void)arg;
	int v = 1, w = 2;
	for (int i = 0; i < 4; i++) {
		struct chan_case cases[] = {CHAN_CASE_RECV(unbuffered, &v), CHAN_CASE_SEND(buffered, &w)};
		chan_select(cases, 2, false);
	}
}

static void select_other(void *arg)
{
	(void)arg;
	int v = 1, w = 2;
	for (int i = 0; i < 4; i++) {
		struct chan_case cases[] = {CHAN_CASE_SEND(unbuffered, &v), CHAN_CASE_RECV(buffered, &w)};
		sink += chan_select_timeout(cases, 2, 20000) < 0;
	}
}

static void selects(void)
{
	run_two(select_one, select_other, NULL);
	int v;
	bool ok;
	while (chan_try_recv(buffered, &v, &ok))
		;
}

static void locks_one(void *arg)
{
	(void)arg;
	for (int i = 0; i < 3; i++) {
		mutex_lock(&mutex);
		go_yield();
		mutex_unlock(&mutex);
		rwmutex_lock(&rwmutex);
		rwmutex_unlock(&rwmutex);
	}
	mutex_lock(&mutex);
	cond_broadcast(&cond);
	mutex_unlock(&mutex);
}

static void locks_other(void *arg)
{
	(void)arg;
	for (int i = 0; i < 3; i++) {
		rwmutex_rlock(&rwmutex);
		mutex_lock(&mutex);
		mutex_unlock(&mutex);
		go_yield();
		rwmutex_runlock(&rwmutex);
	}
}

static void locks(void)
{
	run_two(locks_one, locks_other, NULL);
}

static void nothing(void *arg)
{
	(void)arg;
	sink++;
}

static void times(void)
{
	run_two(nothing, nothing, NULL); /* one that begins where another ends */
	time_sleep(1000 * draw(20));
	struct timer *t = time_after_func(500, nothing, NULL);
	go_yield();
	if (t != NULL) {
		timer_stop(t);
		timer_free(t);
	}
	struct context *c = context_with_timeout(context_background(), 1000);
	if (c != NULL) {
		chan_recv(context_done(c), NULL);
		context_release(c);
	}
}

/* ---- panics */

static void deferred(void *arg)
{
	sink += (uintptr_t)arg;
}

static __attribute__((noinline)) void panics_at(unsigned depth)
{
	DEFER(deferred, (void *)(uintptr_t)depth);
	if (depth == 0 && sink != 0)
		go_panic("number %u", draw(100));
	if (depth > 0)
		panics_at(depth - 1);
	sink++;
}

static void panics(void)
{
	RECOVER_SCOPE (r) {
		panics_at(draw(6));
	} else {
		sink += strlen(r.message);
	}
}

/* ---- memory and stacks */

static void allocations(void)
{
	void *all[6];
	for (int i = 0; i < 6; i++)
		all[i] = malloc(1 + draw(i == 0 ? 20000 : 600));
	all[2] = realloc(all[2], 1 + draw(2000));
	for (int i = 0; i < 6; i++)
		free(all[i]);
	free(calloc(1 + draw(8), 24));
}

static __attribute__((noinline)) uint64_t deep(unsigned depth)
{
	volatile char room[200];
	room[draw(200)] = (char)depth;
	return depth == 0 ? (uint64_t)room[0] : deep(depth - 1) + (uint64_t)room[draw(200)];
}

/* A fresh stack: page faults. */
static void deep_run(void *arg)
{
	(void)arg;
	sink += deep(22);
}

static void stacks(void)
{
	run_two(deep_run, nothing, NULL);
	sink += deep(draw(30));
}

/* Large and odd frames, arguments on the stack, alignment: what makes prologues of other kinds. */
static __attribute__((noinline)) uint64_t many(uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e,
					       uint64_t f, uint64_t g, uint64_t h, uint64_t i, uint64_t j)
{
	_Alignas(64) volatile uint64_t all[16] = {a, b, c, d, e, f, g, h, i, j};
	return all[draw(10)];
}

static __attribute__((noinline)) uint64_t large(void)
{
	volatile char room[9000];
	room[draw(9000)] = 1;
	return (uint64_t)room[draw(9000)];
}

static __attribute__((noinline)) uint64_t plus(uint64_t a)
{
	return a + 3;
}

static uint64_t (*volatile indirect)(uint64_t) = plus;

static __attribute__((noinline)) uint64_t tail(uint64_t a)
{
	return indirect(a * 5); /* a jump */
}

static void frames(void)
{
	sink += many(draw(9), 2, 3, 4, 5, 6, 7, 8, 9, draw(9)) + large() + tail(draw(10));
}

/* ---- the C library */

static int by_value(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;
	return *x < *y ? -1 : *x > *y;
}

static void sorts(void)
{
	uint32_t all[24];
	unsigned n = 2 + draw(22);
	for (unsigned i = 0; i < n; i++)
		all[i] = draw(1000);
	qsort(all, n, sizeof all[0], by_value);
	sink += bsearch(&all[n / 2], all, n, sizeof all[0], by_value) != NULL;
}

static void prints(void)
{
	char text[120];
	snprintf(text, sizeof text, "%d %s %08x %lld", (int)draw(100000), "word", draw(UINT32_MAX),
		 (long long)draw(1000000) * 1000003);
	sink += strlen(text);
	snprintf(text, sizeof text, "%.*f %g", (int)draw(12), draw(1000000) / 7.0, draw(1000) * 1e-20);
	sink += (uint64_t)strtod(text, NULL) + strtoul("123456789", NULL, 10) + (uint64_t)atoi(text);
	int a = 0;
	char word[20] = "";
	sscanf("17 horses", "%d %19s", &a, word);
	sink += (uint64_t)a + strlen(word);
}

static void memories(void)
{
	char a[300], b[300];
	unsigned n = 1 + draw(280);
	memset(a, (int)draw(256), sizeof a);
	memcpy(b, a, n);
	memmove(b + 3, b, n);
	a[n] = 0;
	sink += (uint64_t)memcmp(a, b, n) + strlen(a) + (memchr(b, 9, n) != NULL);
	strncpy(b, "some words of text", sizeof b);
	sink += (uint64_t)(strstr(b, "text") - b) + (uint64_t)strcmp(a, b);
	char *save = NULL;
	for (char *w = strtok_r(b, " ", &save); w != NULL; w = strtok_r(NULL, " ", &save))
		sink += (unsigned char)*w;
}

static void yields(void *arg)
{
	(void)arg;
	for (int i = 0; i < 5; i++)
		go_yield();
}

static void floats_run(void *arg)
{
	(void)arg;
	go_yield();
	double x = draw(1000) / 100.0;
	go_yield();
	sink += (uint64_t)(x * 100);
}

static void yields_twice(void *arg)
{
	(void)arg;
	go_yield();
	go_yield();
}

static void floats_short(void *arg)
{
	(void)arg;
	sink += (uint64_t)(draw(1000) / 100.0);
}

/* Values that are kept over a switch by turns, by an end of another, and dropped where a goroutine begins. */
static void floats(void)
{
	run_two(floats_run, yields, NULL);
	run_two(floats_run, yields_twice, NULL);
	for (int i = 0; i < 3; i++) /* a slice may end between */
		run_two(floats_short, floats_short, NULL);
	double x = draw(1000) / 100.0;
	sink += (uint64_t)(sqrt(x) + exp(x / 10) + sin(x) * 100 + pow(x, 1.5));
	panics(); /* with floating-point values to keep */
}

/* ---- interrupts and preemption */

static void spinner(void *end)
{
	while (time_now() < *(uint64_t *)end)
		sink += plus(sink);
}

/* Until the slice is over: preempted, and resumed from its save area. */
static void slices(void)
{
	uint64_t end = time_now() + 11 * TIME_MILLISECOND;
	run_two(spinner, spinner, &end);
}

/* Interrupts of each kind, of our own making. */
static void interrupts(void)
{
	preempt_disable();
	arch_ipi_send(arch_hart());
	preempt_enable();
	step_traps();
	for (int i = 0; i < 20; i++)
		sink += plus(sink);
}

static void (*const kinds[])(void) = {channels, interrupts, panics, locks,    frames,      times,  floats,
				      selects,  slices,     sorts,  memories, allocations, stacks, prints};
enum { KINDS = sizeof kinds / sizeof kinds[0] };

void corpus_start(uint64_t seed)
{
	state = seed * 0x9e3779b97f4a7c15;
	unbuffered = chan_make(sizeof(int), 0);
	buffered = chan_make(sizeof(int), 3);
	if (unbuffered == NULL || buffered == NULL)
		abort();
}

void corpus_round(unsigned round)
{
	step_variant(round);
	kinds[round % KINDS]();
}

void corpus_end(void)
{
	chan_free(unbuffered);
	chan_free(buffered);
}

/*
 * Goroutines that keep their own account, by the scheduler's clock: how long each ran, waited for a hart, and waited for each reason. Harts
 * keep one, too: how long each had nothing to run. tests/e2e/test-trace-times.sh holds a trace of the same run against all of it. Prints
 *
 *	times GOROUTINE running|runnable - NS
 *	times GOROUTINE waiting REASON NS           REASON in the words of a trace
 *	waits REASON NS                             of all goroutines of the program, by the profile of waits
 *	idle HART NS SLEPT_NS                       nothing to run; of it by the metrics
 */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include <hartbeat/chan.h>
#include <hartbeat/go.h>
#include <hartbeat/sync.h>
#include <hartbeat/time.h>
#include <hartbeat/trace.h>

#include "kernel/clock.h"
#include "kernel/preempt.h"
#include "prof/wait.h"
#include "sched/impl.h"
#include "sched/metrics.h"

enum { WORKERS = 8, ROUNDS = 10, BURN_NS = 1500000 };

/* Times in arch_ticks(). */
struct account {
	uint64_t id, ran, late, waited[WAIT_REASON_COUNT];
};

static struct account accounts[WORKERS];
static struct chan *ping;
static struct mutex lock;
static struct waitgroup done;
static sched_wait_fn *profile;

static struct nothing {
	uint64_t since; /* 0: it has something to run, as far as is known */
	uint64_t sum;
} nothing[HART_MAX]; /* each by its hart */

static _Atomic uint32_t busy; /* harts that are kept busy */
static _Atomic bool go_on;

/* On-CPU time of the running goroutine so far. */
static uint64_t ran(void)
{
	preempt_disable();
	const struct g *g = g_self();
	uint64_t t = g->run_ticks + arch_ticks() - g->run_since;
	preempt_enable();
	return t;
}

static void burn(uint64_t ns)
{
	for (uint64_t end = ran() + clock_to_ticks(ns); ran() < end;)
		__asm__ volatile("" ::: "memory");
}

static void work(void *arg)
{
	struct account *a = arg;
	int v = 0;
	for (int i = 0; i < ROUNDS; i++) {
		burn(BURN_NS);
		if (i % 3 == 0)
			time_sleep(TIME_MILLISECOND);
		else if (i % 3 == 1)
			go_yield();
		mutex_lock(&lock);
		burn(BURN_NS / 10);
		mutex_unlock(&lock);
		if ((a - accounts) % 2 == 0)
			chan_send(ping, &v);
		else
			chan_recv(ping, &v);
	}
	a->id = g_self()->id;
	a->ran = ran();
	waitgroup_done(&done);
}

static void no_work(struct hart *h)
{
	if (nothing[h->index].since == 0)
		nothing[h->index].since = arch_ticks();
}

/* Somebody runs on this hart since `now`. Preemption off. */
static void has_work(uint64_t now)
{
	struct nothing *n = &nothing[hart_index()];
	if (n->since != 0)
		n->sum += now - n->since;
	n->since = 0;
}

/* g has waited and runs again; its three times are those that the profile of waits gets, too. */
static void waited(struct g *g, uintptr_t pc, uintptr_t fp)
{
	if (g->fn == work) {
		struct account *a = g->arg;
		uint64_t ready = g->woken_at > g->wait_since ? g->woken_at : g->wait_since;
		a->waited[g->wait_reason] += ready - g->wait_since;
		a->late += g->run_since > ready ? g->run_since - ready : 0;
	}
	has_work(g->run_since);
	profile(g, pc, fp);
}

/* g has waited for a hart since it was started, yielded or was preempted. */
static void was_late(struct g *g, uint32_t why, uint64_t ticks)
{
	(void)why;
	if (g->fn == work)
		((struct account *)g->arg)->late += ticks;
	has_work(g->woken_at + ticks);
}

static void waits_add(uint64_t *total, uint64_t sign)
{
	for (const struct stack_record *r = NULL; (r = stack_next(&wait_stacks, r)) != NULL;)
		if (r->key != WAIT_SYSTEM)
			total[r->key] += sign * stack_value(r, WAIT_PARKED);
}

static uint64_t slept(unsigned hart)
{
	uint64_t since, ticks;
	metrics_hart_times(hart, &since, &ticks);
	return ticks;
}

static void keep_busy(void *arg)
{
	(void)arg;
	atomic_fetch_add(&busy, 1);
	while (!atomic_load(&go_on))
		__asm__ volatile("" ::: "memory");
	atomic_fetch_sub(&busy, 1);
}

/* From here on no hart has nothing to run, until go_on: main is on one, and these are on the others. */
static void all_busy(void)
{
	while (go_count() > 1)
		time_sleep(TIME_MILLISECOND);
	atomic_store(&go_on, false);
	for (uint32_t i = 0; i < hart_count; i++) {
		struct go_options there = {.name = "busy", .pinned = true, .hart = i};
		if (i != hart_index() && go_with(keep_busy, NULL, &there) == 0)
			abort();
	}
	while (atomic_load(&busy) < hart_count - 1)
		__asm__ volatile("" ::: "memory");
}

/* As one word, as hbdump --rows has it. */
static void reason_print(const char *text)
{
	for (; *text != '\0'; text++)
		putchar(*text == ' ' ? '_' : *text);
}

static void print(const uint64_t *total, const uint64_t *asleep)
{
	for (int i = 0; i < WORKERS; i++) {
		const struct account *a = &accounts[i];
		unsigned long long id = a->id;
		printf("times %llu running - %llu\n", id, (unsigned long long)clock_from_ticks(a->ran));
		printf("times %llu runnable - %llu\n", id, (unsigned long long)clock_from_ticks(a->late));
		for (unsigned r = 0; r < WAIT_REASON_COUNT; r++) {
			if (a->waited[r] == 0)
				continue;
			printf("times %llu waiting ", id);
			reason_print(wait_reason_text[r].trace);
			printf(" %llu\n", (unsigned long long)clock_from_ticks(a->waited[r]));
		}
	}
	for (unsigned r = 0; r < WAIT_REASON_COUNT; r++) {
		if (total[r] == 0)
			continue;
		printf("waits ");
		reason_print(wait_reason_text[r].trace);
		printf(" %llu\n", (unsigned long long)clock_from_ticks(total[r]));
	}
	for (unsigned i = 0; i < hart_count; i++)
		printf("idle %u %llu %llu\n", i, (unsigned long long)clock_from_ticks(nothing[i].sum),
		       (unsigned long long)clock_from_ticks(asleep[i]));
}

int main(void)
{
	static uint64_t asleep[HART_MAX], total[WAIT_KEYS];
	ping = chan_make(sizeof(int), 0);
	go_pin();
	all_busy();
	wait_rate_set(1);
	profile = sched_wait_hook;
	sched_waits(waited, was_late);
	sched_no_work_hook = no_work;
	if (trace_start("times.out") != 0)
		abort();
	for (unsigned i = 0; i < hart_count; i++)
		asleep[i] = slept(i);
	waits_add(total, (uint64_t)-1);
	atomic_store(&go_on, true);
	waitgroup_add(&done, WORKERS);
	for (int i = 0; i < WORKERS; i++)
		if (go_with(work, &accounts[i], &(struct go_options){.name = "worker"}) == 0)
			abort();
	waitgroup_wait(&done);
	all_busy();
	for (unsigned i = 0; i < hart_count; i++)
		asleep[i] = slept(i) - asleep[i];
	waits_add(total, 1);
	if (trace_stop() != 0)
		abort();
	sched_no_work_hook = NULL;
	wait_rate_set(0);
	atomic_store(&go_on, true);
	print(total, asleep);
	return 0;
}

/*
 * Goroutines that keep their own account: how long each ran, by the scheduler's clock, and how long it did not. tests/e2e/test-trace-times.sh
 * holds a trace of the same run against it. Prints for each
 *
 *	times GOROUTINE RAN_NS NOT_RAN_NS
 */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include <hartbeat/chan.h>
#include <hartbeat/go.h>
#include <hartbeat/sync.h>
#include <hartbeat/time.h>

#include "kernel/clock.h"
#include "kernel/preempt.h"
#include "sched/sched.h"

enum { WORKERS = 8, ROUNDS = 10, BURN_NS = 1500000 };

struct account {
	uint64_t id, created, ended, ran; /* arch_ticks() */
};

static struct account accounts[WORKERS];
static struct chan *ping;
static struct mutex lock;
static struct waitgroup done;

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
	a->ended = arch_ticks();
	waitgroup_done(&done);
}

int main(void)
{
	ping = chan_make(sizeof(int), 0);
	waitgroup_add(&done, WORKERS);
	for (int i = 0; i < WORKERS; i++) {
		accounts[i].created = arch_ticks();
		if (go_with(work, &accounts[i], &(struct go_options){.name = "worker"}) == 0)
			abort();
	}
	waitgroup_wait(&done);
	for (int i = 0; i < WORKERS; i++) {
		const struct account *a = &accounts[i];
		printf("times %llu %llu %llu\n", (unsigned long long)a->id,
		       (unsigned long long)clock_from_ticks(a->ran),
		       (unsigned long long)clock_from_ticks(a->ended - a->created - a->ran));
	}
	return 0;
}

/*
 * Harts for host tests of kernel modules: each hart is a mutex, held by the thread that runs on it with
 * preemption off, so that two threads on one hart at once are impossible and TSan sees per-hart data as
 * owned. Locks check their rank, and the page lock that it is taken on the system stack.
 */
#include "tests/host/host_lock.h"

#include <stddef.h>

#include "kernel/assert.h"
#include "kernel/lock.h"
#include "kernel/preempt.h"
#include "kernel/system.h"

enum { HELD_MAX = 4, HOST_HARTS_MAX = 8 };

unsigned host_harts = 1;
_Thread_local bool host_interrupt;

static void hook_count(void)
{
	host_hooks++;
}

void (*preempt_hook)(void) = hook_count;
_Thread_local unsigned host_hooks;

static pthread_mutex_t harts[HOST_HARTS_MAX] = {[0 ... HOST_HARTS_MAX - 1] = PTHREAD_MUTEX_INITIALIZER};
static _Thread_local unsigned hart, next_hart, preempt_off, system_depth, n_held;
static _Thread_local struct spinlock *held[HELD_MAX];

void preempt_disable(void)
{
	if (preempt_off++ == 0) {
		hart = next_hart++ % host_harts;
		pthread_mutex_lock(&harts[hart]);
	}
}

void preempt_enable(void)
{
	ASSERT(preempt_off > 0 && n_held == 0,
	       "preemption is enabled after it was disabled, with no lock held");
	if (--preempt_off == 0)
		pthread_mutex_unlock(&harts[hart]);
}

unsigned hart_index(void)
{
	ASSERT(preempt_off > 0, "the hart is known only with preemption off");
	return hart;
}

struct hart *arch_hart(void)
{
	static _Thread_local struct hart h;
	h = (struct hart){hart_index(), host_interrupt};
	return &h;
}

/* Every seventh time somebody wants the hart. */
bool preempt_enable_due(void)
{
	static _Thread_local unsigned n;
	preempt_enable();
	return ++n % 7 == 0;
}

void on_system_stack(void (*fn)(void *), void *arg)
{
	preempt_disable();
	system_depth++;
	fn(arg);
	system_depth--;
	preempt_enable();
}

void host_enter(unsigned to)
{
	ASSERT(preempt_off == 0 && to < HOST_HARTS_MAX, "a thread enters one hart");
	hart = to;
	pthread_mutex_lock(&harts[hart]);
	preempt_off++;
	system_depth++;
}

void host_leave(void)
{
	system_depth--;
	preempt_enable();
}

void host_reset(void)
{
	while (n_held > 0)
		pthread_mutex_unlock(&held[--n_held]->mutex);
	if (preempt_off > 0)
		pthread_mutex_unlock(&harts[hart]);
	preempt_off = system_depth = 0;
}

void spin_lock(struct spinlock *l)
{
	ASSERT(l->rank != RANK_PAGE || system_depth > 0, "the page lock is taken on the system stack");
	ASSERT(n_held == 0 || held[n_held - 1]->rank < l->rank, "locks are taken in rank order");
	pthread_mutex_lock(&l->mutex);
	held[n_held++] = l;
}

void spin_unlock(struct spinlock *l)
{
	ASSERT(n_held > 0 && held[n_held - 1] == l, "the last lock is released first");
	n_held--;
	pthread_mutex_unlock(&l->mutex);
}

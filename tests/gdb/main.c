/*
 * What tools/gdb is tested with: goroutines in every state, until the machine has been looked at. More goroutines compute than there are harts, so
 * that some are preempted.
 */
#include <stdlib.h>

#include <hartbeat/chan.h>
#include <hartbeat/go.h>
#include <hartbeat/sync.h>
#include <hartbeat/time.h>

enum { SPINNERS = 6 };

static struct mutex held;
static volatile uint64_t turns[SPINNERS];
static volatile bool ready;

__attribute__((noinline)) static uint64_t spin_inner(int me)
{
	uint64_t turn = 0;
	for (;;) {
		turn++;
		turns[me] = turn;
	}
	return turn;
}

__attribute__((noinline)) static void spin_outer(void *me)
{
	turns[0] = spin_inner((int)(intptr_t)me);
}

__attribute__((noinline)) static void wait_inner(struct chan *c, int depth)
{
	if (depth > 0)
		wait_inner(c, depth - 1);
	else
		chan_recv(c, NULL);
	turns[0]++;
}

static void wait_outer(void *c)
{
	wait_inner(c, 3);
}

static void hold(void *c)
{
	mutex_lock(&held);
	chan_recv(c, NULL);
	mutex_unlock(&held);
}

static void want(void *arg)
{
	(void)arg;
	mutex_lock(&held);
	mutex_unlock(&held);
}

/* Where gdb stops first. */
__attribute__((noinline)) static void here(void)
{
	__asm__ volatile("" ::: "memory");
}

/* Asks for pages, again and again. */
static void keep(void *arg)
{
	(void)arg;
	for (;;) {
		time_sleep(TIME_MILLISECOND);
		free(malloc(1 << 20));
		if (ready)
			here();
	}
}

int main(void)
{
	struct chan *never = chan_make(0, 0);
	bool all = go(wait_outer, never) != 0 && go(hold, never) != 0 && go(keep, NULL) != 0;
	time_sleep(10 * TIME_MILLISECOND);
	all = all && go(want, NULL) != 0;
	for (intptr_t i = 0; i < SPINNERS; i++)
		all = all && go(spin_outer, (void *)i) != 0;
	if (!all)
		return 1;
	time_sleep(50 * TIME_MILLISECOND);
	ready = true;
	time_sleep(100 * TIME_MILLISECOND);
	return 0;
}

/* What the live port is tested with: goroutines that compute, wait and come and go, until the machine is ended from outside. */
#include <stdio.h>

#include <hartbeat/chan.h>
#include <hartbeat/go.h>
#include <hartbeat/time.h>

static volatile uint64_t sink;

__attribute__((noinline)) static void live_spin(void *arg)
{
	(void)arg;
	for (;;) {
		for (uint64_t i = 0; i < 1000000; i++)
			sink = i;
		time_sleep(TIME_MILLISECOND);
	}
}

static void live_wait(void *c)
{
	chan_recv(c, NULL);
}

int main(void)
{
	struct chan *never = chan_make(0, 0);
	for (int i = 0; i < 20; i++)
		if (go(live_wait, never) == 0)
			return 1;
	if (go(live_spin, NULL) == 0)
		return 1;
	puts("live: ready");
	fflush(stdout);
	for (;;)
		time_sleep(TIME_SECOND);
}

/* What the pages of the live port are tested with: goroutines that compute and wait, and a profile whose name is hard to write.
 *	goroutines=N	how many wait (20) */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hartbeat/chan.h>
#include <hartbeat/go.h>
#include <hartbeat/profile.h>
#include <hartbeat/serve.h>
#include <hartbeat/time.h>

static volatile uint64_t sink;

__attribute__((noinline)) static void web_spin(void *arg)
{
	(void)arg;
	for (;;) {
		for (uint64_t i = 0; i < 300000; i++)
			sink = i;
		time_sleep(TIME_MILLISECOND);
	}
}

static void web_wait(void *c)
{
	chan_recv(c, NULL);
}

static bool held_make(void)
{
	static char things[3];
	struct profile *held = profile_new("web<b>&\"'/%");
	for (int i = 0; held != NULL && i < 3; i++)
		if (profile_add(held, &things[i], 0) != 0)
			return false;
	return held != NULL;
}

int main(int argc, char **argv)
{
	struct chan *never = chan_make(0, 0);
	int n = 20;
	for (int i = 1; i < argc; i++)
		if (strncmp(argv[i], "goroutines=", 11) == 0)
			n = atoi(argv[i] + 11);
	for (int i = 0; i < n; i++)
		if (go(web_wait, never) == 0)
			return 1;
	if (!held_make() || go(web_spin, NULL) == 0)
		return 1;
	puts("live: ready");
	fflush(stdout);
	for (;;)
		time_sleep(TIME_SECOND);
}

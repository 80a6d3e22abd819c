/*
 * What the live port and the console are tested with: goroutines that compute, wait, hold a mutex and come and go, until the machine is ended
 * from outside. With the argument print=N one prints numbered lines, N a second; 0: as fast as it can; with dump=N there are N files dump-I.txt
 * of I * 3000 numbered lines first; with deaf=MS a machine of one hart takes no interrupt for so long when a CPU profile has run for a second.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hartbeat/chan.h>
#include <hartbeat/dump.h>
#include <hartbeat/go.h>
#include <hartbeat/mutex.h>
#include <hartbeat/serve.h>
#include <hartbeat/time.h>

#include "arch/arch.h"

bool prof_running(void); /* of prof/prof.h, by which an image would not ask for the live port any more */

static volatile uint64_t sink;
static struct mutex held;

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

static void live_hold(void *has_it)
{
	mutex_lock(&held);
	chan_send(has_it, NULL);
	chan_recv(has_it, NULL);
	mutex_unlock(&held);
}

static void live_want(void *arg)
{
	(void)arg;
	mutex_lock(&held);
	mutex_unlock(&held);
}

static void live_print(void *arg)
{
	unsigned long n = (unsigned long)arg;
	for (unsigned long i = 0;; i++) {
		printf("line %lu of %lu\n", i, i + 1);
		if (n > 0)
			time_sleep(TIME_SECOND / n);
	}
}

static void live_deaf(void *arg)
{
	for (;;) {
		int looks = 0; /* at a profile that runs, a tenth of a second apart */
		while (looks < 10) {
			time_sleep(TIME_SECOND / 10);
			looks = prof_running() ? looks + 1 : 0;
		}
		bool on = arch_irq_save();
		uint64_t end = time_now() + (uintptr_t)arg * TIME_MILLISECOND;
		while (time_now() < end)
			;
		arch_irq_restore(on);
		while (prof_running())
			time_sleep(TIME_SECOND / 10);
	}
}

static bool dump(unsigned long i)
{
	char name[32];
	snprintf(name, sizeof name, "dump-%lu.txt", i);
	struct dump *d = dump_open(name);
	if (d == NULL)
		return false;
	for (unsigned long k = 0; k < i * 3000; k++)
		dump_printf(d, "%lu %lu\n", i, k);
	dump_close(d);
	return true;
}

int main(int argc, char **argv)
{
	struct chan *never = chan_make(0, 0), *has_it = chan_make(0, 0);
	bool ok = go(live_spin, NULL) != 0 && go(live_hold, has_it) != 0;
	for (int i = 0; i < 20; i++)
		ok &= go(live_wait, never) != 0;
	chan_recv(has_it, NULL);
	ok &= go(live_want, NULL) != 0;
	for (int i = 1; i < argc; i++)
		if (strncmp(argv[i], "print=", 6) == 0)
			ok &= go(live_print, (void *)strtoul(argv[i] + 6, NULL, 10)) != 0;
	for (int i = 1; i < argc; i++)
		if (strncmp(argv[i], "deaf=", 5) == 0)
			ok &= go(live_deaf, (void *)strtoul(argv[i] + 5, NULL, 10)) != 0;
	for (int i = 1; i < argc; i++)
		for (unsigned long k = 0;
		     strncmp(argv[i], "dump=", 5) == 0 && k < strtoul(argv[i] + 5, NULL, 10); k++)
			ok &= dump(k);
	if (!ok)
		return 1;
	puts("live: ready");
	fflush(stdout);
	for (;;)
		time_sleep(TIME_SECOND);
}

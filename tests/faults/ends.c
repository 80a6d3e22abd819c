/* Ends of the program while others are busy. */
#include "tests/faults/cases.h"

#include <stdlib.h>

#include <hartbeat/go.h>
#include <hartbeat/profile.h>
#include <hartbeat/time.h>

static int count_bytes(struct sink *to, const void *data, size_t n)
{
	(void)to;
	(void)data;
	(void)n;
	return 0;
}

SHOWN void profile_for_ever(void *name)
{
	struct sink to = {count_bytes};
	for (int i = 0;; i++)
		if (profile_write(name, i % 3, &to) != 0)
			abort();
}

/* Profiles of each kind are under way all the time when the program ends. */
SHOWN void exit_amid_profiles(void)
{
	static const char *const names[] = {"goroutine", "heap",   "allocs",  "block",
					    "mutex",     "parked", "runnable"};
	for (int i = 0; i < 14; i++)
		if (go(profile_for_ever, (void *)(uintptr_t)names[i % 7]) == 0)
			abort();
	time_sleep(20 * TIME_MILLISECOND);
	exit(5);
	KEEP_FRAME();
}

static void exit_five(void *arg)
{
	(void)arg;
	exit(5);
}

SHOWN void exit_everywhere(void)
{
	for (int i = 0; i < 8; i++)
		if (go(exit_five, NULL) == 0)
			abort();
	exit(5);
	KEEP_FRAME();
}

/* The console's commands and the live port, while nobody asks anything (boot options console=1 and live=1): they cost nothing. */
#include "suite.h"

#include <string.h>

#include <hartbeat/serve.h>
#include <hartbeat/time.h>

#include "kernel/device.h"
#include "sched/sched.h"

/* On-CPU time of the goroutines that wait for people and programs, and how many they are. */
static uint64_t listeners(unsigned *n)
{
	uint64_t ticks = 0;
	*n = 0;
	for (const struct g *g = g_all(); g != NULL; g = g->all_next) {
		if (!g_alive(g_status(g)) || g->name == NULL)
			continue;
		if (strcmp(g->name, "runtime.console") == 0 || strcmp(g->name, "runtime.serve") == 0) {
			ticks += g_cpu_ticks(g);
			++*n;
		}
	}
	return ticks;
}

GUEST_TEST(console, idle, "a console and a port that nobody asks run no instruction and take no interrupt")
{
	unsigned n, after;
	time_sleep(100 * TIME_MILLISECOND); /* until they wait */
	uint64_t ticks = listeners(&n), irqs = atomic_load_explicit(&device_irqs, memory_order_relaxed);
	if (n == 0) {
		guest_skip("without console=1 or live=1 nobody listens");
		return;
	}
	time_sleep(TIME_SECOND);
	CHECK(listeners(&after) == ticks);
	CHECK(after == n);
	CHECK(atomic_load_explicit(&device_irqs, memory_order_relaxed) == irqs);
}

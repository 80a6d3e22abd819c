/* What happens while a report is under way. */
#include "tests/faults/cases.h"

#include <stdlib.h>
#include <string.h>

#include <hartbeat/chan.h>
#include <hartbeat/go.h>
#include <hartbeat/prof.h>
#include <hartbeat/time.h>

#include "kernel/clock.h"
#include "kernel/hart.h"
#include "kernel/panic.h"
#include "sched/sched.h"

/* Waits without a clock interrupt: they are off. */
static void wait_ms(uint64_t ms)
{
	for (uint64_t end = arch_ticks() + clock_to_ticks(ms * 1000000); arch_ticks() < end;)
		arch_pause();
}

/* ---- an NMI to the hart that reports ---- */

static void (*goroutines_hook)(void);

static void nmi_to_self(void)
{
	if (!arch_nmi_enter())
		panic_line("no NMI here");
	arch_nmi_send(arch_hart());
	wait_ms(2);
	panic_line("the NMI came and went");
	goroutines_hook();
}

SHOWN void nmi_to_reporter(void)
{
	goroutines_hook = panic_goroutines_hook;
	panic_goroutines_hook = nmi_to_self;
	panic("an NMI is on its way");
	KEEP_FRAME();
}

/* ---- a dump that dies ---- */

static bool (*dump_hook)(unsigned n);

static bool dump_fails(unsigned n)
{
	if (n == 0)
		panic("inside a dump");
	return dump_hook(n - 1);
}

SHOWN void panic_in_dump(void)
{
	dump_hook = panic_dump_hook;
	panic_dump_hook = dump_fails;
	panic("before the dumps");
	KEEP_FRAME();
}

/* ---- goroutines in groups ---- */

SHOWN static void wait_here(void *c)
{
	chan_recv(c, NULL);
	KEEP_FRAME();
}

static int crowd_waits(void)
{
	int n = 0;
	for (const struct g *g = g_all(); g != NULL; g = g->all_next)
		n += g_status(g) == G_WAITING && g->name != NULL && strcmp(g->name, "crowd") == 0;
	return n;
}

SHOWN void panic_crowd(void)
{
	enum { CROWD = 1000 };
	struct chan *c = chan_make(1, 0);
	for (int i = 0; i < CROWD; i++)
		if (go_with(wait_here, c, &(struct go_options){.name = "crowd"}) == 0)
			abort();
	while (crowd_waits() < CROWD)
		time_sleep(TIME_MILLISECOND);
	panic("with a crowd");
	KEEP_FRAME();
}

/* ---- samples ---- */

SHOWN static void burn(uint64_t ms)
{
	for (uint64_t end = time_now() + ms * TIME_MILLISECOND; time_now() < end;)
		KEEP_FRAME();
}

SHOWN void panic_profiled(void)
{
	burn(500);
	panic("while a profile runs");
	KEEP_FRAME();
}

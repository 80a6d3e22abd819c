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
#include "kernel/preempt.h"
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

/* ---- harts that come up during a report ---- */

static void (*goroutines_hook)(void);

/* While `wants` is true of a hart, but not for ever. */
static void look_while(bool (*wants)(const struct hart *), const struct hart *h)
{
	for (int i = 0; i < 3000 && wants(h); i++) {
		arch_timer_arm(
			arch_ticks() +
			clock_to_ticks(1000000)); /* a machine that runs one hart at a time gets to it */
		wait_ms(1);
		arch_pause();
	}
}

static bool is_not_up(const struct hart *h)
{
	return !atomic_load(&h->online);
}

static bool runs_on(const struct hart *h)
{
	return !atomic_load(&h->stopped);
}

static void late_harts(void)
{
	unsigned n = 0, late = 0, stopped = 0;
	for (uint32_t i = 0; i < hart_count; i++) {
		if (harts[i] == arch_hart())
			continue;
		n++;
		late += is_not_up(harts[i]);
		look_while(is_not_up, harts[i]);
		look_while(runs_on, harts[i]);
		stopped += !is_not_up(harts[i]) && !runs_on(harts[i]);
	}
	panic_line("of %u other harts %u came late, %u have stopped", n, late, stopped);
	goroutines_hook();
}

SHOWN void panic_at_start(void)
{
	goroutines_hook = panic_goroutines_hook;
	panic_goroutines_hook = late_harts;
	panic("before all harts are up");
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

/* Many wait, so that a walk over all takes its time. */
static void crowd_start(void)
{
	enum { CROWD = 1000 };
	struct chan *c = chan_make(1, 0);
	for (int i = 0; i < CROWD; i++)
		if (go_with(wait_here, c, &(struct go_options){.name = "crowd"}) == 0)
			abort();
	while (crowd_waits() < CROWD)
		time_sleep(TIME_MILLISECOND);
}

SHOWN void panic_crowd(void)
{
	crowd_start();
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
	burn(525); /* some samples are in the rings: those are read each 50 ms */
	panic("while a profile runs");
	KEEP_FRAME();
}

/* ---- profiles ---- */

/* Those of each kind are being written, and some goroutines have not passed the barrier of one. */
SHOWN void panic_amid_profiles(void)
{
	static const char *const names[] = {"goroutine", "heap", "block", "mutex", "goroutine"};
	crowd_start();
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (go(profile_for_ever, (void *)(uintptr_t)names[i]) == 0)
			abort();
	time_sleep(10 * TIME_MILLISECOND);
	preempt_disable();
	while (atomic_load(&arch_hart()->aside) == 0) {
		preempt_enable();
		go_yield();
		preempt_disable();
	}
	panic("while a barrier is up");
	KEEP_FRAME();
}

/*
 * The panic report. The first hart to panic owns the console; the others stop where they are. A panic inside the report is one line, and
 * ends the part of the report that it came in: the parts that follow are tried, each once.
 *
 *	panic: <message>                          or  fatal error: <message>
 *	<blank>
 *	goroutine 17 (worker) [running]:          or  hart 2, in the scheduler:
 *	function(...)
 *		file:line +0x24
 *	...
 *	<blank>
 *	hart 2
 *	<registers, when there is a frame>
 *	held: ...
 *	hart 3 did not stop
 *	hart 1, meanwhile: panic: <message>
 *	<blank, and the same for other goroutines>
 *	<dumps, in frame lines>
 *	hb: exit 2
 */
#include "kernel/panic.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>

#include "kernel/clock.h"
#include "kernel/console.h"
#include "kernel/exit.h"
#include "kernel/g.h"
#include "kernel/hart.h"
#include "kernel/lock.h"
#include "kernel/print.h"
#include "kernel/traceback.h"

enum {
	STOP_WAIT_NS = 1000000000, /* how long the others may take to stop: an emulator's host may be busy */
	STOP_STEP_NS = 10000000,   /* of it between two looks at most: or has it stopped all of the machine */
};

static _Atomic uint32_t panic_owner; /* hart index + 1; relaxed */
static bool missing[HART_MAX];       /* did not stop in time */
static uint32_t
	part; /* of the report: the number of the one that is under way, or of the next. Only the owner's */
static char message[2048];
static const char *title;
/* Of harts that panicked when the report was another's: their own, before they say that they have stopped. */
static char late_message[HART_MAX][200];
static const char *late_title[HART_MAX];
static struct arch_frame *panic_frame;
static struct arch_unwind panic_regs;
static bool panic_somewhere = true;    /* panic_regs is a place to report */
static const struct hart *panic_about; /* another hart that the report is about, or NULL */

void (*panic_goroutines_hook)(void);
bool (*panic_dump_hook)(unsigned n);

bool panic_in_progress(void)
{
	return atomic_load_explicit(&panic_owner, memory_order_relaxed) != 0;
}

bool panic_elsewhere(void)
{
	uint32_t owner = atomic_load_explicit(&panic_owner, memory_order_relaxed);
	return owner != 0 && owner != arch_hart()->index + 1;
}

static void panic_print(struct report *r, const char *text, size_t n)
{
	(void)r;
	console_panic_text(text, n);
}

struct report report_panic = {panic_print};

static void line_print(const char *fmt, va_list ap)
{
	char line[256];
	size_t n = print_format(line, sizeof line - 1, fmt, ap);
	line[n++] = '\n';
	console_panic_text(line, n);
}

void panic_line(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	line_print(fmt, ap);
	va_end(ap);
}

void upcall_print_line(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	line_print(fmt, ap);
	va_end(ap);
}

static bool runs(const struct hart *h)
{
	return h != NULL && atomic_load(&h->online) && !atomic_load(&h->stopped);
}

/* Asks the other harts to stop, and waits a bounded time in which this one runs. A timer is armed meanwhile, so that an emulator that runs one
 * hart at a time gets to them. A hart that has not come up yet stops when it does (sched_loop()). */
static void stop_others(const struct hart *me)
{
	if (hart_count <= 1)
		return;
	for (uint32_t i = 0; i < hart_count; i++)
#ifndef MUTANT_nmi_stops_reporter
		if (harts[i] != NULL &&
		    harts[i] != me) /* an NMI on its way to this one must not stop the report */
#else
		if (harts[i] != NULL)
#endif
			atomic_fetch_or(&harts[i]->ipi, IPI_STOP);
	arch_stop_others();
	uint64_t left = clock_to_ticks(STOP_WAIT_NS), longest = clock_to_ticks(STOP_STEP_NS);
	uint64_t last = arch_ticks();
	for (;;) {
		bool all = true;
		for (uint32_t i = 0; i < hart_count; i++)
			all &= !(missing[i] = harts[i] != me && runs(harts[i]));
		uint64_t now = arch_ticks(), step = now - last < longest ? now - last : longest;
		if (all || step >= left)
			return;
		left -= step;
		last = now;
		arch_timer_arm(now + clock_to_ticks(1000000));
		arch_pause();
	}
}

bool panic_place(struct arch_unwind *u, bool *called)
{
	*u = panic_regs;
	*called = panic_frame == NULL;
	return panic_somewhere;
}

const struct hart *panic_subject(void)
{
	return panic_about != NULL ? panic_about : arch_hart();
}

/* The goroutine or hart that died, and where; u NULL: not known. */
static void place_print(const struct hart *h, const struct arch_unwind *u, struct arch_frame *f)
{
	const struct g *g = h->cur;
	panic_line("%s", "");
	if (g == NULL)
		panic_line("hart %u, at boot:", h->index);
	else if (g == h->g0)
		panic_line("hart %u, in the scheduler:", h->index);
	else
		traceback_header(&report_panic, g, "running", 0);
	/* panic() itself says nothing */
	if (u != NULL)
		traceback_frames(&report_panic, u, h, g, f == NULL ? 1 : 0);
	else
		panic_line("\tstack unavailable: hart %u cannot be stopped", h->index);
	if (g != NULL && g->id != 0)
		traceback_created_by(&report_panic, g);
	panic_line("%s", "");
	panic_line("hart %u", h->index);
	if (f != NULL)
		arch_frame_print(f);
}

static void here_print(const struct hart *h)
{
	place_print(h, &panic_regs, panic_frame);
	locks_print(h, panic_somewhere ? &panic_regs : NULL);
}

/* The same of another hart, where it was stopped, or stopped by itself. */
static void about_print(const struct hart *h)
{
	struct arch_frame *f = NULL;
	struct arch_unwind u, *at = NULL;
	if (atomic_load(&h->stopped)) {
		f = h->stop_frame;
		at = &u;
		if (f != NULL)
			arch_frame_unwind(f, at);
		else
			u = h->stop_place;
	}
	place_print(h, at, f);
	locks_print(h, at);
}

static void title_print(const struct hart *h)
{
	stop_others(h);
	console_panic_text(title, strlen(title));
	console_panic_text(message, strlen(message)); /* may be longer than panic_line() can */
	panic_line("%s", "");
}

static void harts_print(void)
{
	for (uint32_t i = 0; i < hart_count; i++)
		if (missing[i] && runs(harts[i]))
			panic_line("hart %u did not stop", i);
		else if (harts[i] != NULL && atomic_load(&harts[i]->stopped) && late_title[i] != NULL)
			panic_line("hart %u, meanwhile: %s%s", i, late_title[i], late_message[i]);
}

/* The parts of the report from the next one on. */
static void report(void *arg)
{
	const struct hart *h = arg;
	enum { TITLE, PLACE, HARTS, GOROUTINES, DUMPS, DUMPS_MAX = 16 };
	for (;;) {
		uint32_t now = part++;
		if (now == TITLE)
			title_print(h);
		else if (now == PLACE && panic_about != NULL)
			about_print(panic_about);
		else if (now == PLACE && panic_somewhere)
			here_print(h);
		else if (now == HARTS)
			harts_print();
		else if (now == GOROUTINES && panic_goroutines_hook != NULL)
			panic_goroutines_hook();
		else if (now >= DUMPS && (now == DUMPS + DUMPS_MAX || panic_dump_hook == NULL ||
					  !panic_dump_hook(now - DUMPS)))
			break;
	}
	if (console_dropped != 0)
		panic_line("console: %lu bytes dropped", (unsigned long)console_dropped);
	panic_line("hb: exit %d", EXIT_STATUS_PANIC);
	arch_exit(exit_code(EXIT_STATUS_PANIC));
}

/* For good. u: a place in the function that says so, or one that it called; where there is a frame it does not matter. */
_Noreturn static void stop(struct hart *h, struct arch_frame *f, const struct arch_unwind *u)
{
	h->stop_frame = f;
	h->stop_place = *u;
	atomic_store(&h->stopped, true);
	arch_halt();
}

_Noreturn static void panic_start(const char *kind, struct arch_frame *f, const struct arch_unwind *u,
				  const char *fmt, va_list ap)
{
	arch_irq_disable();
	struct hart *h = arch_hart();
	uint32_t free = 0;
	/* relaxed: says who reports, and nothing hangs on it */
	if (!atomic_compare_exchange_strong_explicit(&panic_owner, &free, h->index + 1, memory_order_relaxed,
						     memory_order_relaxed)) {
		if (free != h->index + 1) {
			late_title[h->index] = kind;
			print_format(late_message[h->index], sizeof late_message[0], fmt, ap);
			struct arch_unwind here;
			traceback_here(&here);
			stop(h, f, u->pc != 0 ? u : &here);
		}
		char again[256];
		print_format(again, sizeof again, fmt, ap);
		console_panic_line_end();
		panic_line("panic inside panic: %s", again);
		if (h->panic_stack_top != 0) /* what stood there is over */
			arch_call_on(h->panic_stack_top, report, h);
		report(h);
	}
	locks_panic(h);
	title = kind;
	panic_frame = f;
	panic_regs = *u;
	panic_somewhere = f != NULL || u->pc != 0;
	print_format(message, sizeof message, fmt, ap);
	/* A double fault is there already, and its frame lies at the top. */
	bool there = arch_sp() > h->stack_lo[STACK_PANIC] && arch_sp() <= h->panic_stack_top;
	if (h->panic_stack_top != 0 && !there)
		arch_call_on(h->panic_stack_top, report, h);
	else
		report(h);
	arch_halt();
}

void panic(const char *fmt, ...)
{
	struct arch_unwind u;
	traceback_here(&u);
	va_list ap;
	va_start(ap, fmt);
	panic_start("panic: ", NULL, &u, fmt, ap);
}

void fatal_error(const char *fmt, ...)
{
	struct arch_unwind u;
	traceback_here(&u);
	va_list ap;
	va_start(ap, fmt);
	panic_start("fatal error: ", NULL, &u, fmt, ap);
}

void fatal_goroutines(const char *fmt, ...)
{
	static const struct arch_unwind nowhere;
	va_list ap;
	va_start(ap, fmt);
	panic_start("fatal error: ", NULL, &nowhere, fmt, ap);
}

void panic_text(const struct arch_unwind *u, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	panic_start("", NULL, u, fmt, ap);
}

void panic_hart(const struct hart *about, const char *fmt, ...)
{
	static const struct arch_unwind nowhere;
	va_list ap;
	va_start(ap, fmt);
	if (!panic_in_progress())
		panic_about = about;
	panic_start("panic: ", NULL, &nowhere, fmt, ap);
}

void panic_at(struct arch_frame *f, const char *fmt, ...)
{
	struct arch_unwind u;
	arch_frame_unwind(f, &u);
	va_list ap;
	va_start(ap, fmt);
	panic_start("panic: ", f, &u, fmt, ap);
}

void upcall_stop(struct arch_frame *f)
{
	struct hart *h = arch_hart();
	struct arch_unwind u;
	if (atomic_load_explicit(&h->stopped, memory_order_relaxed))
		arch_halt(); /* an NMI found it where it had stopped: rule 3 of kernel/hart.h */
	traceback_here(&u);
	stop(h, f, &u);
}

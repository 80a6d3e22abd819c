/*
 * Reports about goroutines when the program asks: those that have waited longest. In a panic: sched/crash.c.
 *
 * 1. Outside of a panic the stack of another goroutine is walked under its ownership bit, into a buffer. Otherwise it would change under
 *    the walk, or be held while the console is waited for.
 * 2. A goroutine that was noted is looked at again, id and all, when it is owned. Otherwise a descriptor that was used again would be
 *    reported under the old goroutine's reason.
 */
#include <hartbeat/report.h>

#include <string.h>

#include "kernel/clock.h"
#include "kernel/heap.h"
#include "kernel/panic.h"
#include "kernel/preempt.h"
#include "kernel/print.h"
#include "kernel/traceback.h"
#include "sched/impl.h"
#include "sched/own.h"

enum { LONGEST_MAX = 64, STACK_TEXT = 16384 };

void goroutine_report(struct report *r, const struct g *g)
{
	bool waits = g_status(g) == G_WAITING;
	uint64_t ns = waits ? clock_from_ticks(arch_ticks() - g->wait_since) : 0;
	traceback_header(r, g, waits ? wait_reason_text[g->wait_reason].text : "runnable", ns / 60000000000u);
	traceback_parked(r, g);
	traceback_created_by(r, g);
}

/* ---- on request ---- */

size_t go_stack(char *buf, size_t size)
{
	struct report_text t;
	struct arch_unwind u;
	if (size == 0)
		return 0;
	traceback_here(&u);
	report_text_init(&t, buf, size);
	traceback_header(&t.report, g_self(), "running", 0);
	traceback_frames(&t.report, &u, NULL, g_self(), 1);
	traceback_created_by(&t.report, g_self());
	return t.n;
}

struct noted {
	struct g *g;
	uint64_t id, since;
};

struct survey {
	uint64_t now; /* ticks: what ages count from */
	uint32_t running, runnable, waiting;
	uint32_t n, max;
	struct noted longest[LONGEST_MAX]; /* by since */
};

static void survey_one(struct survey *s, struct g *g)
{
	uint32_t status = g_status(g);
	if (g->system || !g_alive(status))
		return;
	if (status == G_RUNNABLE || status == G_READIED)
		s->runnable++;
	else if (status != G_WAITING)
		s->running++;
	if (status != G_WAITING)
		return;
	s->waiting++;
	struct noted new = {g, g->id, g->wait_since};
	if (s->n == s->max && (s->max == 0 || new.since >= s->longest[s->n - 1].since))
		return;
	uint32_t i = s->n < s->max ? s->n++ : s->n - 1;
	for (; i > 0 && s->longest[i - 1].since > new.since; i--)
		s->longest[i] = s->longest[i - 1];
	s->longest[i] = new;
}

/* Its age and stack into t, if it still waits as it did. */
static void noted_print(struct report_text *t, const struct noted *noted, uint64_t now)
{
	struct g *g = noted->g;
	preempt_disable();
	if (g_own(g)) {
		if (g->id == noted->id && g_status(g) == G_WAITING && g->wait_since == noted->since) {
			uint64_t ms = clock_from_ticks(now > noted->since ? now - noted->since : 0) / 1000000;
			report_line(&t->report, "%s", "");
			report_line(&t->report, "for %lu.%03lu s:", (unsigned long)(ms / 1000),
				    (unsigned long)(ms % 1000));
			goroutine_report(&t->report, g);
		}
		g_disown(g);
	}
	preempt_enable();
}

void goroutines_report_to(struct report *to, unsigned max)
{
	struct survey s = {.now = arch_ticks(), .max = max < LONGEST_MAX ? max : LONGEST_MAX};
	char *buf = heap_alloc(STACK_TEXT);
	for (struct g *g = g_all(); g != NULL; g = g->all_next)
		survey_one(&s, g);
	report_line(to, "goroutines: %u running, %u runnable, %u waiting", s.running, s.runnable, s.waiting);
	for (uint32_t i = 0; i < s.n && buf != NULL; i++) {
		struct report_text t;
		report_text_init(&t, buf, STACK_TEXT);
		noted_print(&t, &s.longest[i], s.now);
		to->line(to, t.buf, t.n);
	}
	if (buf == NULL)
		report_line(to, "goroutines: no memory for their stacks");
	else
		heap_free(buf);
}

void goroutines_report(unsigned max)
{
	goroutines_report_to(&report_console, max);
}

/*
 * Boot options sched.trace=MS and sched.trace.detail=1: a goroutine of the kernel prints a line about the scheduler every MS milliseconds, in
 * the words of Go's GODEBUG=schedtrace. A hart is Go's P and M in one. The numbers are read while everything goes on.
 *
 *	SCHED 1009ms: gomaxprocs=2 idleprocs=1 threads=2 spinningthreads=0 needspinning=0 idlethreads=1 runqueue=0 [ 0 3 ] schedticks=[ 31 25 ]
 */
#include "sched/schedtrace.h"

#include <hartbeat/go.h>
#include <hartbeat/time.h>

#include "kernel/clock.h"
#include "kernel/ktimer.h"
#include "kernel/print.h"
#include "kernel/report.h"
#include "sched/impl.h"

uint64_t sched_trace_ms;
bool sched_trace_detail;

enum { LINE = 1024 };

struct line {
	struct report *to;
	char text[LINE];
	size_t n;
};

static void __attribute__((format(printf, 2, 3))) add(struct line *l, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	l->n += print_format(l->text + l->n, sizeof l->text - 1 - l->n, fmt, ap);
	va_end(ap);
}

static void line_end(struct line *l)
{
	l->text[l->n] = '\n';
	l->to->line(l->to, l->text, l->n + 1);
	l->n = 0;
}

static uint32_t queued(const struct hart *h)
{
	const struct runq *q = &h->sched->q;
	uint32_t n = (uint32_t)(atomic_load_explicit(&q->tail, memory_order_relaxed) -
				atomic_load_explicit(&q->head, memory_order_relaxed));
	return n + (atomic_load_explicit(&q->next, memory_order_relaxed) != NULL);
}

static void harts_print(struct line *l, const struct sched_counts *c)
{
	for (uint32_t i = 0; i < hart_count; i++) {
		const struct hart *h = harts[i];
		bool idle = (c->idle_mask >> i & 1) != 0;
		add(l,
		    "  P%u: status=%d schedtick=%u syscalltick=0 m=%u runqsize=%u gfreecnt=%u timerslen=%u",
		    i, !idle, sched_ticks(h->sched), i, queued(h), h->sched->gs.n, timers_in_heap(i));
		line_end(l);
	}
	for (uint32_t i = 0; i < hart_count; i++) {
		const struct hart *h = harts[i];
		const struct g *cur = h->cur;
		add(l, "  M%u: p=%u curg=", i, i);
		if (cur != NULL && cur != h->g0)
			add(l, "%lu", (unsigned long)cur->id);
		else
			add(l, "nil");
		add(l,
		    " mallocing=0 throwing=0 preemptoff= locks=%u dying=0 spinning=%s blocked=%s lockedg=nil",
		    h->irq_depth, h->sched->spinning ? "true" : "false",
		    (c->idle_mask >> i & 1) != 0 ? "true" : "false");
		line_end(l);
	}
}

static void goroutines_lines(struct line *l)
{
	for (const struct g *g = g_all(); g != NULL; g = g->all_next) {
		uint32_t s = atomic_load_explicit(&g->status, memory_order_relaxed) & G_STATUS_MASK;
		if (s == G_IDLE || s == G_DEAD)
			continue;
		bool waits = s == G_WAITING, runnable = s == G_RUNNABLE || s == G_READIED;
		int number = waits ? 4 : runnable ? 1 : 2; /* Go's */
		add(l, "  G%lu: status=%d(%s) m=", (unsigned long)g->id, number,
		    waits ? wait_reason_text[g->wait_reason].text : "");
		const struct hart *on = NULL;
		for (uint32_t i = 0; i < hart_count && on == NULL; i++)
			on = harts[i]->cur == g ? harts[i] : NULL;
		if (on != NULL)
			add(l, "%u", on->index);
		else
			add(l, "nil");
		const struct hart *pinned = g->pinned;
		if (pinned != NULL)
			add(l, " lockedm=%u", pinned->index);
		else
			add(l, " lockedm=nil");
		line_end(l);
	}
}

void sched_trace_report(struct report *to, bool detail)
{
	struct line l = {.to = to};
	struct sched_counts c;
	sched_counts(&c);
	uint32_t idle = (uint32_t)__builtin_popcountll(c.idle_mask);
	add(&l,
	    "SCHED %lums: gomaxprocs=%u idleprocs=%u threads=%u spinningthreads=%u needspinning=0 "
	    "idlethreads=%u "
	    "runqueue=%u",
	    (unsigned long)(clock_ns() / 1000000), go_harts(), idle, go_harts(), c.spinning, idle, c.global);
	if (detail) {
		add(&l, " gcwaiting=false nmidlelocked=0 stopwait=0 sysmonwait=false");
		line_end(&l);
		harts_print(&l, &c);
		goroutines_lines(&l);
		return;
	}
	for (uint32_t i = 0; i < hart_count; i++)
		add(&l, "%s %u%s", i == 0 ? " [" : "", queued(harts[i]), i + 1 == hart_count ? " ]" : "");
	for (uint32_t i = 0; i < hart_count; i++)
		add(&l, "%s %u%s", i == 0 ? " schedticks=[" : "", sched_ticks(harts[i]->sched),
		    i + 1 == hart_count ? " ]" : "");
	line_end(&l);
}

static void trace(void *arg)
{
	(void)arg;
	for (;;) {
		time_sleep(sched_trace_ms * TIME_MILLISECOND);
		sched_trace_report(&report_console, sched_trace_detail);
	}
}

void sched_trace_start(void)
{
	if (sched_trace_ms != 0 && go_system(trace, NULL, "schedtrace") == 0)
		print_line("hb: no memory for sched.trace");
}

/* Commands that show how things are: goroutines, stacks, harts, locks, memory, metrics. */
#include "prof/serve/commands.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hartbeat/go.h>
#include <hartbeat/metrics.h>
#include <hartbeat/time.h>

#include "kernel/clock.h"
#include "kernel/console.h"
#include "kernel/heap.h"
#include "kernel/page.h"
#include "kernel/stack.h"
#include "kernel/symtab.h"
#include "kernel/system.h"
#include "kernel/traceback.h"
#include "kernel/uart.h"
#include "prof/image.h"
#include "sched/sched.h"

enum { KEPT_MAX = 4096, SHOWN_MAX = 100, DEPTH = 64, STACK_TEXT = 16384 };

const char *show_time(char text[24], uint64_t ns)
{
	if (ns < TIME_MILLISECOND)
		snprintf(text, 24, "%u us", (unsigned)(ns / 1000));
	else if (ns < TIME_SECOND)
		snprintf(text, 24, "%u.%u ms", (unsigned)(ns / 1000000), (unsigned)(ns / 100000 % 10));
	else if (ns < 600 * TIME_SECOND)
		snprintf(text, 24, "%u.%u s", (unsigned)(ns / TIME_SECOND), (unsigned)(ns / 100000000 % 10));
	else
		snprintf(text, 24, "%u:%02u h", (unsigned)(ns / TIME_SECOND / 3600),
			 (unsigned)(ns / TIME_SECOND / 60 % 60));
	return text;
}

const char *show_where(struct g *g, char *text, unsigned size)
{
	struct g_look look;
	uintptr_t pcs[DEPTH];
	text[0] = '\0';
	if (!g_look(g, &look, pcs, DEPTH))
		return text;
	for (uint32_t i = 0; i < look.depth; i++) {
		struct symtab_frame f[SYMTAB_FRAMES_MAX];
		unsigned n = symtab_frames(pcs[i] - (i > 0), f, SYMTAB_FRAMES_MAX);
		for (unsigned k = 0; k < n && k < SYMTAB_FRAMES_MAX; k++) {
			const struct pprof_frame frame = {.function = f[k].function, .file = f[k].file};
			if (prof_image_hides(&frame) || strstr(f[k].file, "include/hartbeat/") != NULL)
				continue; /* the kernel's part of a call, inlined or not */
			const char *base = strrchr(f[k].file, '/');
			snprintf(text, size, "%s %s:%u", f[k].function, base != NULL ? base + 1 : f[k].file,
				 f[k].line);
			return text;
		}
	}
	return text;
}

/* ---- goroutines ---- */

enum { RUNNING, RUNNABLE, WAITING, STATES };

static const char *const state_name[STATES] = {"running", "runnable", "waiting"};

struct kept {
	struct g *g;
	uint64_t id;
};

/* What is asked for. */
struct filter {
	int state;  /* -1: any */
	int reason; /* -1: any */
	bool system, all;
};

unsigned show_states(const char *const **words)
{
	static const char *list[STATES + WAIT_REASON_COUNT + 2];
	unsigned n = 0;
	list[n++] = "all";
	list[n++] = "system";
	for (unsigned i = 0; i < STATES; i++)
		list[n++] = state_name[i];
	for (unsigned i = 1; i < WAIT_REASON_COUNT; i++)
		list[n++] = wait_reason_text[i].text;
	*words = list;
	return n;
}

static int state_of(uint32_t status)
{
	return status == G_WAITING                           ? WAITING
	       : status == G_RUNNABLE || status == G_READIED ? RUNNABLE
							     : RUNNING;
}

static bool filter_read(struct filter *f, int argc, char **argv)
{
	char text[64] = "";
	*f = (struct filter){-1, -1, false, false};
	for (int i = 1; i < argc; i++) {
		size_t n = strlen(text);
		snprintf(text + n, sizeof text - n, "%s%s", i > 1 ? " " : "", argv[i]);
	}
	if (argc == 1)
		return true;
	f->all = strcmp(text, "all") == 0;
	f->system = strcmp(text, "system") == 0;
	for (int i = 0; i < STATES; i++)
		if (strcmp(text, state_name[i]) == 0)
			f->state = i;
	for (int i = 1; i < WAIT_REASON_COUNT; i++)
		if (strcmp(text, wait_reason_text[i].text) == 0)
			f->reason = i;
	if (f->all || f->system || f->state >= 0 || f->reason >= 0)
		return true;
	say("goroutines: %s: expected all, system, running, runnable, waiting, or why one waits, as chan "
	    "receive\n",
	    text);
	return false;
}

static bool fits(const struct filter *f, const struct g *g, uint32_t status)
{
	if (!g_alive(status) || (!f->all && g->system != f->system))
		return false;
	if (f->state >= 0 && state_of(status) != f->state)
		return false;
	return f->reason < 0 || (status == G_WAITING && (int)g->wait_reason == f->reason);
}

static int by_id(const void *a, const void *b)
{
	const struct kept *x = a, *y = b;
	return x->id < y->id ? -1 : x->id > y->id;
}

static void goroutine_line(struct g *g)
{
	uint32_t status = g_status(g);
	char waited[24] = "", cpu[24], where[160];
	uint64_t since = g->wait_since, now = arch_ticks();
	if (status == G_WAITING)
		show_time(waited, clock_from_ticks(now > since ? now - since : 0));
	show_time(cpu, clock_from_ticks(g_cpu_ticks(g)));
	say("%8llu  %-21s %10s %10s  %s%s %s\n", (unsigned long long)g->id,
	    status == G_WAITING ? wait_reason_text[g->wait_reason].text : state_name[state_of(status)],
	    waited, cpu, g->system ? "*" : "", g_name(g), show_where(g, where, sizeof where));
}

void show_goroutines(int argc, char **argv)
{
	struct filter f;
	uint32_t n = 0, in_state[STATES] = {0};
	if (!filter_read(&f, argc, argv))
		return;
	struct kept *kept = heap_alloc(KEPT_MAX * sizeof *kept);
	if (kept == NULL) {
		say("goroutines: out of memory\n");
		return;
	}
	for (struct g *g = g_all(); g != NULL; g = g->all_next) {
		uint32_t status = g_status(g);
		if (!fits(&f, g, status))
			continue;
		in_state[state_of(status)]++;
		if (n < KEPT_MAX)
			kept[n] = (struct kept){g, g->id};
		n++;
	}
	say("%u goroutines: %u running, %u runnable, %u waiting\n", n, in_state[RUNNING], in_state[RUNNABLE],
	    in_state[WAITING]);
	uint32_t have = n < KEPT_MAX ? n : KEPT_MAX, shown = have < SHOWN_MAX ? have : SHOWN_MAX;
	qsort(kept, have, sizeof *kept, by_id);
	if (shown > 0)
		say("      id  state                        for        cpu  name and place\n");
	for (uint32_t i = 0; i < shown; i++)
		if (kept[i].g->id == kept[i].id && g_alive(g_status(kept[i].g)))
			goroutine_line(kept[i].g);
	if (n > shown)
		say("... and %u more\n", n - shown);
	heap_free(kept);
}

/* ---- the stack of one ---- */

struct search {
	struct barrier barrier; /* first */
	uint64_t id;
	struct report_text text;
	_Atomic bool found;
};

static void visit(struct barrier *b, struct g *g)
{
	struct search *s = (struct search *)b;
	if (g->id != s->id)
		return;
	if (g == g_self()) {
		struct arch_unwind u;
		traceback_here(&u);
		traceback_header(&s->text.report, g, "running", 0);
		traceback_frames(&s->text.report, &u, NULL, g, 0);
		traceback_created_by(&s->text.report, g);
	} else {
		goroutine_report(&s->text.report, g);
	}
	atomic_store_explicit(&s->found, true, memory_order_relaxed); /* barrier_run() orders it */
}

void show_bt(int argc, char **argv)
{
	uint64_t id;
	(void)argc;
	if (!command_number("bt", argv[1], 1, UINT64_MAX - 1, &id))
		return;
	struct search *s = heap_alloc_zero(sizeof *s + STACK_TEXT);
	if (s == NULL) {
		say("bt: out of memory\n");
		return;
	}
	s->barrier.visit = visit;
	s->id = id;
	report_text_init(&s->text, (char *)(s + 1), STACK_TEXT);
	barrier_run(&s->barrier, STW_ALL_GOROUTINES_STACK);
	if (atomic_load_explicit(&s->found, memory_order_relaxed))
		console_text(s->text.buf, s->text.n);
	else
		say("bt: %llu: there is no such goroutine\n", (unsigned long long)id);
	heap_free(s);
}

/* ---- harts, locks, memory ---- */

void show_harts(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	say("hart  id    busy  queue  timers      picks  runs\n");
	for (unsigned i = 0; i < hart_count; i++) {
		struct hart_look h;
		hart_look(i, &h);
		uint64_t now = arch_ticks(), passed = h.since != 0 && now > h.since ? now - h.since : 1;
		unsigned busy = 1000 - (unsigned)(h.slept >= passed ? 1000 : h.slept * 1000 / passed);
		char what[64] = "";
		if (h.cur != NULL)
			snprintf(what, sizeof what, "%llu %s", (unsigned long long)h.cur->id, g_name(h.cur));
		say("%4u %3u  %3u.%u %%  %5u  %6u %10u  %s\n", i, (unsigned)harts[i]->hwid, busy / 10,
		    busy % 10, h.queued, h.timers, (unsigned)h.picks,
		    h.cur != NULL ? what
		    : h.idle      ? "asleep"
		    : h.spinning  ? "looks for work"
				  : "its scheduler");
	}
	uint32_t overruns = atomic_load_explicit(&uart_overruns, memory_order_relaxed);
	if (overruns > 0)
		say("serial lines: a UART had no room for what came and lost some of it, %u times\n",
		    (unsigned)overruns);
}

void show_locks(int argc, char **argv)
{
	unsigned n = 0;
	(void)argc;
	(void)argv;
	for (struct g *g = g_all(); g != NULL; g = g->all_next) {
		uint64_t owner;
		char waited[24], where[160];
		const void *m = g_wants(g, &owner);
		if (m == NULL || n++ >= SHOWN_MAX)
			continue;
		uint64_t since = g->wait_since, now = arch_ticks();
		say("mutex %p: held by goroutine %llu, goroutine %llu %s waits for %s, %s\n", m,
		    (unsigned long long)owner, (unsigned long long)g->id, g_name(g),
		    show_time(waited, clock_from_ticks(now > since ? now - since : 0)),
		    show_where(g, where, sizeof where));
	}
	if (n > SHOWN_MAX)
		say("... and %u more\n", n - SHOWN_MAX);
	struct metric_value v;
	char text[24];
	say("%u goroutines wait for mutexes; all waits so far: %s\n", n,
	    metrics_read("/sync/mutex/wait/total:seconds", &v) ? show_time(text, v.value) : "?");
}

static void pages_read(void *arg)
{
	page_stats(arg);
}

void show_mem(int argc, char **argv)
{
	struct page_stats p;
	struct heap_stats h;
	(void)argc;
	(void)argv;
	on_system_stack(pages_read, &p);
	heap_stats(&h);
	enum { KB = PAGE_SIZE / 1024 };
	say("pages   %10zu kB, %zu kB free, at most %zu kB were in use, %zu requests failed\n", p.total * KB,
	    p.unused * KB, p.peak * KB, p.failed);
	say("heap    %10zu kB in %zu objects, %zu kB of that in %zu large ones; it holds %zu kB, %zu "
	    "requests failed\n",
	    h.used_bytes / 1024, h.used_objects, h.large_bytes / 1024, h.large_objects, h.held_bytes / 1024,
	    h.failed);
	say("stacks  %10zu kB of %u goroutines of the program and those of the kernel\n", stack_pages() * KB,
	    (unsigned)go_count());
	say("  size    objects     cached      slabs\n");
	struct heap_class_stats c;
	for (unsigned i = 0; heap_class_stats(i, &c); i++)
		if (c.slabs > 0)
			say("%6zu %10zu %10zu %10zu\n", c.size, c.objects, c.cached, c.slabs);
}

static void text_out(void *ctx, const char *text, size_t n)
{
	(void)ctx;
	console_text(text, n);
}

void show_metrics(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	metrics_print(text_out, NULL);
}

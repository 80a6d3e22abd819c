/*
 * The paths of Go's net/http/pprof, some more, and /metrics.
 *
 *	/debug/pprof/			a page that lists the rest				index.c
 *	/debug/pprof/profile		?seconds=30 &hz=100: a CPU profile			profiles.c
 *	/debug/pprof/wall		?seconds=5 &hz=100: a wall-clock profile
 *	/debug/pprof/NAME		?debug=0|1|2, ?seconds=N: a profile of the registry, or what changes in it during N seconds
 *	/debug/pprof/flame		?profile=NAME (cpu), and its parameters: a flame graph	flame.c
 *	/debug/pprof/trace		?seconds=1: an execution trace, while it is made	traces.c
 *	/debug/pprof/flight		what the flight recorder has
 *	/debug/pprof/sched		?n=10: the scheduler, and who has waited longest
 *	/debug/pprof/lockgraph		?debug=0|1: the order of locks in DOT, or as text
 *	/debug/pprof/cmdline		arguments, each ended by NUL but the last
 *	/debug/pprof/symbol		?0xADDRESS+0xADDRESS...
 *	/metrics			Prometheus text
 */
#include "prof/serve/pages.h"

#include <stdlib.h>
#include <string.h>

#include <hartbeat/metrics.h>
#include <hartbeat/time.h>

#include "kernel/lock.h"
#include "kernel/report.h"
#include "kernel/symtab.h"
#include "prof/prof.h"
#include "sched/sched.h"

enum { WAITERS_MAX = 64 };

static int program_argc;
static char *const *program_argv;

void pages_init(int argc, char *const *argv)
{
	program_argc = argc;
	program_argv = argv;
}

/* ---- parameters ---- */

bool page_number(const struct http_request *r, struct answer *a, const char *name, unsigned none,
		 unsigned min, unsigned max, unsigned *out)
{
	const char *text = http_get(r, name);
	*out = none;
	if (text == NULL)
		return true;
	char *end;
	unsigned long v = strtoul(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end != '\0' || v < min || v > max) {
		answer_refuse(a, 400, "%s: a number from %u to %u expected", name, min, max);
		return false;
	}
	*out = (unsigned)v;
	return true;
}

bool page_seconds(const struct http_request *r, struct answer *a, uint64_t none, uint64_t *ns)
{
	const char *text = http_get(r, "seconds");
	*ns = none;
	if (text == NULL)
		return true;
	uint64_t part = TIME_SECOND, v = 0;
	bool digits = false, point = false;
	for (; (*text >= '0' && *text <= '9') || (*text == '.' && !point); text++) {
		if (*text == '.') {
			point = true;
			continue;
		}
		digits = true;
		if (!point)
			v = v > SERVE_SECONDS_MAX * TIME_SECOND
				    ? v
				    : v * 10 + (uint64_t)(*text - '0') * TIME_SECOND;
		else
			v += (uint64_t)(*text - '0') * (part /= 10);
	}
	if (!digits || *text != '\0' || v == 0 || v > SERVE_SECONDS_MAX * TIME_SECOND) {
		answer_refuse(a, 400, "seconds: a number above 0, up to %u expected", SERVE_SECONDS_MAX);
		return false;
	}
	*ns = v;
	return true;
}

/* ---- what is not a profile ---- */

static void cmdline(struct answer *a)
{
	for (int i = 0; i < program_argc; i++) {
		const char *arg = program_argv[i];
		/* all arguments but the last with their NUL */
		(void)!sink_write(&a->sink, arg, strlen(arg) + (i + 1 < program_argc));
	}
}

static void symbol(const struct http_request *r, struct answer *a)
{
	const char *at = r->query;
	answer_text(a, "num_symbols: %d\n", 1);
	while (*at != '\0') {
		char *end;
		unsigned long pc = strtoul(at, &end, 0);
		struct symtab_frame f[SYMTAB_FRAMES_MAX];
		unsigned n = end != at && pc != 0 ? symtab_frames(pc, f, SYMTAB_FRAMES_MAX) : 0;
		if (n > 0)
			answer_text(a, "%#lx %s\n", pc, f[n - 1].function);
		at = end + strcspn(end, "+");
		at += *at == '+';
	}
}

static void metrics_put(void *ctx, const char *text, size_t n)
{
	struct answer *a = ctx;
	(void)!sink_write(&a->sink, text, n);
}

static void metrics(struct answer *a)
{
	a->type = "text/plain; version=0.0.4; charset=utf-8";
	metrics_print(metrics_put, a);
}

struct report_answer {
	struct report report; /* first */
	struct answer *a;
};

static void report_put(struct report *r, const char *text, size_t n)
{
	(void)!sink_write(&((struct report_answer *)r)->a->sink, text, n);
}

static void sched(const struct http_request *r, struct answer *a)
{
	struct report_answer to = {{report_put}, a};
	unsigned n;
	if (!page_number(r, a, "n", 10, 0, WAITERS_MAX, &n))
		return;
	sched_trace_report(&to.report, true);
	report_line(&to.report, "%s", "");
	goroutines_report_to(&to.report, n);
}

/* Which locks may be held when one of each rank is taken. */
static void lock_text(struct answer *a)
{
	for (unsigned i = 1; i < RANK_COUNT; i++) {
		answer_text(a, "%s:", rank_name[i]);
		for (unsigned j = 1; j < RANK_COUNT; j++)
			if ((rank_before[i] >> j & 1) != 0)
				answer_text(a, " %s", rank_name[j]);
		answer_text(a, "\n");
	}
}

static void lock_graph(const struct http_request *r, struct answer *a)
{
	unsigned debug;
	if (!page_number(r, a, "debug", 0, 0, 1, &debug))
		return;
	if (debug == 1) {
		lock_text(a);
		return;
	}
	a->type = "text/vnd.graphviz; charset=utf-8";
	(void)!sink_write(&a->sink, rank_graph, strlen(rank_graph));
}

/* ---- paths ---- */

/* Whether all of it is there. */
static bool page(const struct http_request *r, struct answer *a, const char *name)
{
	if (name[0] == '\0')
		page_index(a);
	else if (strcmp(name, "profile") == 0)
		return page_cpu(r, a, 30, &a->sink);
	else if (strcmp(name, "wall") == 0)
		return page_wall(r, a, &a->sink);
	else if (strcmp(name, "flame") == 0)
		page_flame(r, a);
	else if (strcmp(name, "trace") == 0)
		return page_trace(r, a);
	else if (strcmp(name, "flight") == 0)
		return page_flight(a);
	else if (strcmp(name, "sched") == 0)
		sched(r, a);
	else if (strcmp(name, "lockgraph") == 0)
		lock_graph(r, a);
	else if (strcmp(name, "cmdline") == 0)
		cmdline(a);
	else if (strcmp(name, "symbol") == 0)
		symbol(r, a);
	else
		return page_named(r, a, name, &a->sink);
	return true;
}

void pages_answer(const struct http_request *r, struct answer *a)
{
	bool good = true;
	if (strcmp(r->path, "/metrics") == 0) {
		metrics(a);
	} else if (strcmp(r->path, "/") == 0 || strcmp(r->path, "/debug/pprof") == 0) {
		answer_refuse(a, 301, PPROF);
		a->location = PPROF;
	} else if (strncmp(r->path, PPROF, sizeof PPROF - 1) != 0) {
		answer_refuse(a, 404, "404 page not found");
	} else {
		good = page(r, a, r->path + sizeof PPROF - 1);
	}
	if (a->error != 0)
		answer_refuse(a, 500, "the answer is too large");
	answer_send(a, good);
}

/*
 * The paths of Go's net/http/pprof, and /metrics.
 *
 *	/debug/pprof/			a page that lists the rest
 *	/debug/pprof/profile		?seconds=30 &hz=100: a CPU profile
 *	/debug/pprof/NAME		?debug=0|1|2, ?seconds=N: a profile of the registry, or what changes in it during N seconds
 *	/debug/pprof/cmdline		arguments, each ended by NUL but the last
 *	/debug/pprof/symbol		?0xADDRESS+0xADDRESS...
 *	/metrics			Prometheus text
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hartbeat/metrics.h>
#include <hartbeat/prof.h>
#include <hartbeat/profile.h>
#include <hartbeat/time.h>

#include "kernel/hart.h"
#include "kernel/symtab.h"
#include "prof/prof.h"
#include "prof/serve/answer.h"

#define PPROF "/debug/pprof/"

enum { SECONDS_MAX = 3600, PROFILES_MAX = 64 };

static int program_argc;
static char *const *program_argv;

void pages_init(int argc, char *const *argv)
{
	program_argc = argc;
	program_argv = argv;
}

/* A whole number from min to max, or `none` when the parameter is not there. False: refused. */
static bool number(const struct http_request *r, struct answer *a, const char *name, unsigned none,
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

/* ---- profiles ---- */

static void cpu(const struct http_request *r, struct answer *a)
{
	unsigned seconds, hz;
	if (!number(r, a, "seconds", 30, 1, SECONDS_MAX, &seconds) || !number(r, a, "hz", 100, 1, 10000, &hz))
		return;
	if (prof_start(hz) != 0) {
		answer_refuse(a, 500, "Could not enable CPU profiling: %s", prof_error(errno));
		return;
	}
	time_sleep(seconds * TIME_SECOND);
	a->type = "application/octet-stream";
	a->file = "profile";
	if (prof_stop_to(&a->sink) != 0)
		answer_refuse(a, 500, "cpu profile: it could not be written whole");
}

static void named(const struct http_request *r, struct answer *a, const char *name)
{
	unsigned debug, seconds;
	if (!number(r, a, "debug", 0, 0, 2, &debug) || !number(r, a, "seconds", 0, 1, SECONDS_MAX, &seconds))
		return;
	struct profile *p = profile_lookup(name);
	if (p == NULL) {
		answer_refuse(a, 404, "Unknown profile");
		return;
	}
	if (debug != 0 && seconds != 0) {
		answer_refuse(a, 400, "seconds: only with debug=0");
		return;
	}
	if (debug == 0) {
		a->type = "application/octet-stream";
		a->file = profile_name(p);
	}
	int error = seconds != 0 ? profile_write_delta(name, seconds * TIME_SECOND, &a->sink)
				 : profile_write(name, (int)debug, &a->sink);
	if (error != 0)
		answer_refuse(a, 500, "%s: it could not be written: %s", name, strerror(errno));
}

static void cmdline(struct answer *a)
{
	for (int i = 0; i < program_argc; i++) {
		const char *arg = program_argv[i];
		/* all arguments but the last with their NUL */
		if (sink_write(&a->sink, arg, strlen(arg) + (i + 1 < program_argc)) != 0)
			a->status = 500;
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

/* ---- pages ---- */

static const char *purpose(const char *name)
{
	static const char *const known[][2] = {
		{"allocs", "all memory that was ever allocated, by stack"},
		{"block", "where goroutines waited"},
		{"goroutine", "every goroutine's stack"},
		{"heap", "memory that is allocated now, by stack"},
		{"mutex", "who held up others"},
	};
	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
		if (strcmp(known[i][0], name) == 0)
			return known[i][1];
	return "";
}

static void page_head(struct answer *a)
{
	a->type = "text/html; charset=utf-8";
	answer_text(a, "<!doctype html><html lang=en><meta charset=utf-8><title>" PPROF "</title>"
		       "<meta name=viewport content='width=device-width'>");
	answer_text(a, "<style>body{font:16px/1.5 sans-serif;margin:2em auto;max-width:48em;padding:0 1em}"
		       "td{padding:.1em 1em .1em 0}td:first-child{text-align:right}</style>");
	answer_text(a,
		    "<h1>" PPROF "</h1><p>%u harts. <code>go tool pprof http://HOST:PORT" PPROF
		    "profile?seconds=5</code></p><table>",
		    (unsigned)hart_count);
}

static void index_page(struct answer *a)
{
	struct profile *list[PROFILES_MAX];
	size_t n = profile_list(list, PROFILES_MAX);
	page_head(a);
	for (size_t i = 0; i < n && i < PROFILES_MAX; i++) {
		const char *name = profile_name(list[i]);
		answer_text(a, "<tr><td>%zu<td><a href='%s?debug=1'>%s</a><td>%s", profile_count(list[i]),
			    name, name, purpose(name));
	}
	answer_text(a, "</table><ul><li><a href='profile?seconds=5'>profile?seconds=5</a>: CPU time"
		       "<li><a href='goroutine?debug=2'>goroutine?debug=2</a>: every goroutine, as text");
	answer_text(
		a,
		"<li><a href=cmdline>cmdline</a><li><a href='/metrics'>/metrics</a>: for Prometheus</ul>\n");
}

static void metrics_put(void *ctx, const char *text, size_t n)
{
	struct answer *a = ctx;
	if (sink_write(&a->sink, text, n) != 0)
		a->status = 500;
}

void pages_answer(const struct http_request *r, struct answer *a)
{
	if (strcmp(r->path, "/metrics") == 0) {
		a->type = "text/plain; version=0.0.4; charset=utf-8";
		metrics_print(metrics_put, a);
	} else if (strcmp(r->path, "/") == 0 || strcmp(r->path, "/debug/pprof") == 0) {
		answer_refuse(a, 301, PPROF);
		a->location = PPROF;
	} else if (strncmp(r->path, PPROF, sizeof PPROF - 1) != 0) {
		answer_refuse(a, 404, "404 page not found");
	} else {
		const char *name = r->path + sizeof PPROF - 1;
		if (name[0] == '\0')
			index_page(a);
		else if (strcmp(name, "profile") == 0)
			cpu(r, a);
		else if (strcmp(name, "cmdline") == 0)
			cmdline(a);
		else if (strcmp(name, "symbol") == 0)
			symbol(r, a);
		else
			named(r, a, name);
	}
}

/* The page that lists the others. */
#include <stdio.h>
#include <string.h>

#include <hartbeat/metrics.h>
#include <hartbeat/profile.h>

#include "arch/arch.h"
#include "kernel/clock.h"
#include "kernel/hart.h"
#include "prof/prof.h"
#include "prof/serve/pages.h"

enum { PROFILES_MAX = 64 };

static const char *purpose(const char *name)
{
	static const char *const known[][2] = {
		{"allocs", "all memory that was ever allocated, by stack"},
		{"block", "where goroutines waited for each other, and how long"},
		{"goroutine", "every goroutine's stack"},
		{"heap", "memory that is allocated now, by stack"},
		{"mutex", "who held a lock while others waited for it"},
		{"parked", "where goroutines were off the harts, sleep too"},
		{"runnable", "where goroutines waited for a hart"},
	};
	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
		if (strcmp(known[i][0], name) == 0)
			return known[i][1];
	return "of the program";
}

/* Rows of the second table: path, and what it is. */
static const struct {
	const char *path, *what;
} others[] = {
	{"flame?seconds=5", "flame graph of the next five seconds of CPU time"},
	{"flame?profile=wall&seconds=5",
	 "the same of wall-clock time: goroutines that wait, harts that idle"},
	{"profile?seconds=5", "CPU profile for go tool pprof"},
	{"wall?seconds=5", "wall-clock profile"},
	{"trace?seconds=1", "execution trace for go tool trace"},
	{"flight", "what the flight recorder has, when it is on"},
	{"goroutine?debug=2", "every goroutine, as text"},
	{"sched", "the scheduler's state, and who has waited longest"},
	{"lockgraph?debug=1", "the order of the kernel's locks"},
	{"cmdline", "the program's arguments"},
	{"/metrics", "for Prometheus"},
};

static const char style[] =
	"body{font:16px/1.5 system-ui,sans-serif;margin:2em auto;max-width:54em;padding:0 1em;color:#1c2733}"
	"h1{font-size:1.4em;margin:0}p{margin:.3em 0 "
	"1.2em;color:#51606f}table{border-collapse:collapse;margin:0 0 1.5em}"
	"th{text-align:left;font-weight:600;color:#51606f}td,th{padding:.15em 1.2em .15em "
	"0;vertical-align:top}"
	".n{text-align:right;font-variant-numeric:tabular-nums}code{background:#eef1f4;padding:.1em "
	".3em;border-radius:3px}"
	"a{color:#0b62b8;text-decoration:none}a:hover{text-decoration:underline}";

static uint64_t metric(const char *name)
{
	struct metric_value v;
	return metrics_read(name, &v) ? v.value : 0;
}

static void head(struct answer *a)
{
	uint64_t seconds = clock_ns() / 1000000000;
	a->type = "text/html; charset=utf-8";
	answer_text(a, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>" PPROF
		       "</title>"
		       "<meta name=\"viewport\" content=\"width=device-width\"><link rel=\"icon\" "
		       "href=\"data:,\"><style>");
	(void)!sink_write(&a->sink, style, sizeof style - 1);
	answer_text(a, "</style></head><body>\n<h1>");
	answer_escaped(a, prof_image_name);
	answer_text(a, "</h1>\n<p>%s, %u harts, up %llu:%02u:%02u, %llu goroutines</p>\n", arch_name(),
		    (unsigned)hart_count, (unsigned long long)(seconds / 3600), (unsigned)(seconds / 60 % 60),
		    (unsigned)(seconds % 60), (unsigned long long)metric("/sched/goroutines:goroutines"));
}

/* A profile's name as part of a path. */
static void encoded(struct answer *a, const char *name)
{
	for (; *name != '\0'; name++) {
		if (strchr("\"#%&'+/<>?\\^`{|}", *name) != NULL)
			answer_text(a, "%%%02X", (unsigned char)*name);
		else
			answer_text(a, "%c", *name);
	}
}

static void profile_row(struct answer *a, struct profile *p)
{
	const char *name = profile_name(p);
	answer_text(a, "<tr><td class=\"n\">%zu</td><td><a href=\"", profile_count(p));
	encoded(a, name);
	answer_text(a, "?debug=1\">");
	answer_escaped(a, name);
	answer_text(a, "</a></td><td><a href=\"flame?profile=");
	encoded(a, name);
	answer_text(a, "\">flame</a></td><td><a href=\"");
	encoded(a, name);
	answer_text(a, "\">pprof</a></td><td>%s</td></tr>\n", purpose(name));
}

void page_index(struct answer *a)
{
	struct profile *list[PROFILES_MAX];
	size_t n = profile_list(list, PROFILES_MAX);
	head(a);
	answer_text(
		a,
		"<table>\n<tr><th class=\"n\">count</th><th>profile</th><th></th><th></th><th></th></tr>\n");
	for (size_t i = 0; i < n && i < PROFILES_MAX; i++)
		profile_row(a, list[i]);
	answer_text(a, "</table>\n<table>\n");
	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
		answer_text(a, "<tr><td><a href=\"");
		answer_escaped(a, others[i].path);
		answer_text(a, "\">");
		answer_escaped(a, others[i].path);
		answer_text(a, "</a></td><td>%s</td></tr>\n", others[i].what);
	}
	answer_text(
		a,
		"</table>\n<p>Each profile takes <code>seconds=</code>: what changes in it during so many. "
		"<code>go tool pprof http://HOST:PORT" PPROF
		"profile?seconds=5</code></p>\n</body></html>\n");
}

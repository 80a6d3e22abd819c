/* Where the time of goroutines and p went (see trace_check.h for what is printed). */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tools/hbdump/trace_check.h"
#include "tools/hbdump/trace_order.h"
#include "tools/hbdump/vector.h"

enum { ROWS_MAX = 50 }; /* goroutines for people */

static const char *const states[GO_STATUSES] = {"", "runnable", "running", "syscall", "waiting"};

void trace_g_account(struct trace_order *o, struct trace_g *g, uint64_t time)
{
	(void)o;
	uint64_t ran = time > g->since ? time - g->since : 0;
	size_t i = 0;
	if (g->status != GO_NONE) {
		while (i < g->n_buckets &&
		       (g->buckets[i].status != g->status || g->buckets[i].reason != g->reason))
			i++;
		if (i == g->n_buckets)
			*VECTOR_ADD(g->buckets, g->n_buckets) =
				(struct trace_bucket){(uint8_t)g->status, g->reason, 0, 0};
		g->buckets[i].time += ran;
		g->buckets[i].count++;
	}
	g->since = time;
}

void trace_p_account(struct trace_p *p, uint64_t time)
{
	if (time > p->since && p->since != 0)
		p->time[p->status] += time - p->since;
	p->since = time;
}

static uint64_t ns(const struct trace_order *o, uint64_t units)
{
	double v = o->hz == 0 ? 0 : (double)units * (1e9 / (double)o->hz);
	return v < 1e19 ? (uint64_t)v : (uint64_t)1e19;
}

static uint64_t time_in(const struct trace_g *g, enum go_status status)
{
	uint64_t sum = 0;
	for (size_t i = 0; i < g->n_buckets; i++)
		if (g->buckets[i].status == status)
			sum += g->buckets[i].time;
	return sum;
}

/* A name as one word of printable text: what is not is a question mark. */
static void word_print(FILE *to, const struct trace_order *o, uint32_t name, char space)
{
	if (name == 0 || name >= o->names.n) {
		fputc('-', to);
		return;
	}
	const struct trace_string *s = &o->names.list[name];
	for (uint32_t i = 0; i < s->n; i++)
		fputc(s->text[i] == ' '                       ? space
		      : s->text[i] > ' ' && s->text[i] < 0x7f ? s->text[i]
							      : '?',
		      to);
}

static void rows_print(FILE *to, const struct trace_order *o)
{
	fprintf(to, "trace\tgenerations\t%" PRIu64 "\ntrace\tduration_ns\t%" PRIu64 "\n",
		o->gen == NULL ? 0 : o->file->last - o->first_gen + 1, ns(o, o->last - o->first));
	fprintf(to, "trace\tsamples\t%" PRIu64 "\ntrace\tregions_open\t%" PRIu64 "\n", o->n_samples_all,
		o->regions_open);
	for (unsigned i = 0; i < EV_COUNT; i++)
		if (o->events[i] > 0)
			fprintf(to, "event\t%s\t%" PRIu64 "\n", trace_spec(i)->name, o->events[i]);
	for (size_t i = 0; i < o->n_ps; i++)
		fprintf(to, "p\t%" PRIu64 "\trunning\t%" PRIu64 "\np\t%" PRIu64 "\tidle\t%" PRIu64 "\n",
			o->ps[i].id, ns(o, o->ps[i].time[PROC_RUNNING]), o->ps[i].id,
			ns(o, o->ps[i].time[PROC_IDLE]));
	for (size_t i = 0; i < o->n_gs; i++) {
		const struct trace_g *g = &o->gs[i];
		for (size_t k = 0; k < g->n_buckets; k++) {
			const struct trace_bucket *b = &g->buckets[k];
			fprintf(to, "goroutine\t%" PRIu64 "\t", g->id);
			word_print(to, o, g->name, '_');
			fprintf(to, "\t%s\t", states[b->status]);
			word_print(to, o, b->reason, '_');
			fprintf(to, "\t%" PRIu64 "\t%" PRIu64 "\n", ns(o, b->time), b->count);
		}
	}
}

static const struct trace_order *sort_order;

static int by_running(const void *a, const void *b)
{
	const struct trace_g *x = &sort_order->gs[*(const uint32_t *)a],
			     *y = &sort_order->gs[*(const uint32_t *)b];
	uint64_t s = time_in(x, GO_RUNNING), t = time_in(y, GO_RUNNING);
	if (s != t)
		return s < t ? 1 : -1;
	return (x->id > y->id) - (x->id < y->id);
}

static void text_print(FILE *to, const struct trace_order *o)
{
	uint64_t events = 0;
	uint32_t *order = vector_resize(NULL, o->n_gs + 1, sizeof *order);
	for (unsigned i = 0; i < EV_COUNT; i++)
		events += o->events[i];
	fprintf(to,
		"%" PRIu64 " generations, %.6f s, %" PRIu64 " events, %" PRIu64
		" samples, %zu p, %zu goroutines\n\n",
		o->gen == NULL ? 0 : o->file->last - o->first_gen + 1,
		(double)ns(o, o->last - o->first) / 1e9, events, o->n_samples_all, o->n_ps, o->n_gs);
	for (size_t i = 0; i < o->n_ps; i++)
		fprintf(to, "p %-6" PRIu64 " running %12.6f s, idle %12.6f s\n", o->ps[i].id,
			(double)ns(o, o->ps[i].time[PROC_RUNNING]) / 1e9,
			(double)ns(o, o->ps[i].time[PROC_IDLE]) / 1e9);
	fprintf(to, "\n%10s %12s %12s %12s  %s\n", "goroutine", "running, s", "runnable, s", "waiting, s",
		"name; what it waited for, s");
	for (uint32_t i = 0; i < o->n_gs; i++)
		order[i] = i;
	sort_order = o;
	qsort(order, o->n_gs, sizeof *order, by_running);
	for (size_t i = 0; i < o->n_gs && i < ROWS_MAX; i++) {
		const struct trace_g *g = &o->gs[order[i]];
		const char *before = "; ";
		fprintf(to, "%10" PRIu64 " %12.6f %12.6f %12.6f  ", g->id,
			(double)ns(o, time_in(g, GO_RUNNING)) / 1e9,
			(double)ns(o, time_in(g, GO_RUNNABLE)) / 1e9,
			(double)ns(o, time_in(g, GO_WAITING)) / 1e9);
		word_print(to, o, g->name, ' ');
		for (size_t k = 0; k < g->n_buckets; k++) {
			if (g->buckets[k].status != GO_WAITING)
				continue;
			fputs(before, to);
			word_print(to, o, g->buckets[k].reason, ' ');
			fprintf(to, " %.6f", (double)ns(o, g->buckets[k].time) / 1e9);
			before = ", ";
		}
		fputc('\n', to);
	}
	if (o->n_gs > ROWS_MAX)
		fprintf(to, "and %zu goroutines that ran less\n", o->n_gs - ROWS_MAX);
	free(order);
}

void trace_summary_print(const struct trace_order *o, enum trace_summary_form form, FILE *to)
{
	if (form == SUMMARY_ROWS)
		rows_print(to, o);
	else if (form == SUMMARY_TEXT)
		text_print(to, o);
}

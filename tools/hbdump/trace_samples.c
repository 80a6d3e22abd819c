/*
 * Samples against states. A sample says that at a time an m had a p and a goroutine. The m's own events say what it had when. The two are
 * not written at one instant: the event of a change comes just before or just after it; so a sample may also agree with what its m had one
 * change before or after. A sample of no p or no goroutine says nothing.
 *
 * The samples of a generation are looked at when the next one has been read, since the change after may be there.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tools/hbdump/trace_order.h"
#include "tools/hbdump/vector.h"

void trace_m_change(struct trace_order *o, uint32_t i, uint64_t time)
{
	struct trace_m *m = &o->ms[i];
	*VECTOR_ADD(m->line, m->n_line) = (struct trace_change){
		time,
		m->p != TRACE_NO ? o->ps[m->p].id : TRACE_NONE,
		m->g != TRACE_NO ? o->gs[m->g].id : 0,
	};
}

/* The last change not after a time; -1 if all are. */
static long change_at(const struct trace_m *m, uint64_t time)
{
	size_t lo = 0, hi = m->n_line;
	while (lo < hi) {
		size_t mid = (lo + hi) / 2;
		if (m->line[mid].time <= time)
			lo = mid + 1;
		else
			hi = mid;
	}
	return (long)lo - 1;
}

static void sample_check(struct trace_order *o, const struct trace_sample *s)
{
	uint32_t i;
	bool p = s->p == TRACE_NONE, g = s->g == 0;
	if (!pairs_find(&o->m_ids, s->m, 0, &i)) {
		i = TRACE_NO;
	} else {
		const struct trace_m *m = &o->ms[i];
		long at = change_at(m, s->time);
		if (at < 0) /* before anything is known of it */
			return;
		/* Of equal times, all. */
		long from = at - 1, to = at + 1;
		while (from > 0 && m->line[from].time == m->line[from + 1].time)
			from--;
		while (to + 1 < (long)m->n_line && m->line[to].time == m->line[to + 1].time)
			to++;
		/* A switch is two changes: out, and in. */
		for (long k = from - 1; k <= to + 1; k++) {
			if (k < 0 || k >= (long)m->n_line)
				continue;
			p |= m->line[k].p == s->p;
			g |= m->line[k].g == s->g;
		}
	}
	if (p && g)
		return;
	trace_violation(o->report,
			&(struct trace_place){TRACE_NONE, s->m, TRACE_NONE, TRACE_NONE, "CPUSample", s->at},
			"it names %s %" PRIu64 ", which m did not have at time %" PRIu64,
			g ? "p" : "goroutine", g ? s->p : s->g, s->time);
}

static void samples_check(struct trace_order *o)
{
	for (size_t i = 0; i < o->n_samples; i++)
		sample_check(o, &o->samples[i]);
	free(o->samples);
	o->samples = NULL;
	o->n_samples = 0;
}

/* Forgets what m had before the generation before. */
static void line_trim(struct trace_m *m)
{
	size_t cut = m->previous > 4 ? m->previous - 4 : 0;
	memmove(m->line, m->line + cut, (m->n_line - cut) * sizeof *m->line);
	m->n_line -= cut;
	m->previous -= cut;
	m->current -= cut;
}

void trace_samples_take(struct trace_order *o)
{
	samples_check(o);
	for (size_t i = 0; i < o->n_ms; i++)
		if (o->ms[i].previous > o->ms[i].n_line / 2)
			line_trim(&o->ms[i]);
	o->samples = o->gen->samples;
	o->n_samples = o->gen->n_samples;
	o->n_samples_all += o->n_samples;
	for (size_t i = 0; i < o->n_samples; i++)
		if (trace_stack_find(o->gen, o->samples[i].stack) == NULL)
			trace_violation(o->report,
					&(struct trace_place){o->gen->number, o->samples[i].m, TRACE_NONE,
							      TRACE_NONE, "CPUSample", o->samples[i].at},
					"stack %" PRIu64 " is not defined in this generation",
					o->samples[i].stack);
	o->gen->samples = NULL;
	o->gen->n_samples = 0;
}

void trace_samples_end(struct trace_order *o)
{
	samples_check(o);
}

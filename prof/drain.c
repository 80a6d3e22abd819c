/*
 * From the rings to the builders: the one reader of every ring. Who calls does not matter; a CPU profile has a goroutine for it, the goroutine
 * of the wall-clock profile does it too.
 *
 *	ring of each hart --SAMPLE_WALL--> builder of the wall-clock profile
 *	                  \--------------> builder of the CPU profile
 *
 * 1. Rings are read, and builders attached, changed and detached, under drain_mutex. Otherwise a ring would have two readers.
 */
#include "prof/impl.h"

#include <string.h>

#include <hartbeat/sync.h>

#include "kernel/clock.h"
#include "prof/builder.h"
#include "prof/wall.h"
#include "sched/sched.h"
#include "trace/trace.h"

bool prof_label_hart, prof_label_irq = true;

static struct mutex drain_mutex; /* protects the rings' reading end and what follows */
static struct builder *into[DRAIN_PROFILES];

static uint32_t labels_automatic(uint32_t hart, uint8_t flags)
{
	uint32_t l = prof_label_hart ? (hart + 1) << PROF_LABEL_HART_SHIFT : 0;
	return prof_label_irq && (flags & SAMPLE_IRQ_OFF) != 0 ? l | PROF_LABEL_IRQ_OFF : l;
}

static const char *synthetic(uintptr_t pc)
{
	return pc < PROF_FRAME_MAX ? prof_frame_name(pc) : NULL;
}

/* pcs: those of s, in the ring or in s. */
static void add(uint32_t hart, struct sample *s, const uintptr_t *pcs, struct builder *b, bool crashed)
{
	bool wall = (s->flags & SAMPLE_WALL) != 0;
	if ((s->flags & SAMPLE_MASKED) != 0) {
		if (pcs != s->pcs)
			memcpy(s->pcs, pcs, s->depth * sizeof *pcs);
		pcs = s->pcs;
		sample_masked_resolve(s);
	}
	if (!crashed && s->labels != 0)
		labels_sampled(s->labels);
	struct prof_sample p = {.count = s->count,
				.weight_ns = clock_from_ticks(s->ticks),
				.depth = s->depth,
				.pcs = pcs,
				.labels = s->labels};
	p.labels |= wall ? wall_label(s->g != 0 ? WALL_RUNNING : WALL_SCHEDULING)
			 : labels_automatic(hart, s->flags);
	builder_add(b, &p);
	if (wall || !trace_cpu_wanted())
		return;
	struct trace_cpu c = {
		.at = s->at, .hart = hart, .depth = s->depth, .g = s->g, .pcs = pcs, .text = synthetic};
	if (crashed)
		trace_cpu_sample_crash(&c);
	else
		trace_cpu_sample(&c);
}

/* Moves what is in the rings to the builders (NULL: nowhere), by way of *s. crashed: nothing that takes a lock. */
static void rings_read(struct builder *const to[DRAIN_PROFILES], struct sample *s, bool crashed)
{
	for (uint32_t i = 0; i < hart_count; i++) {
		struct sampler_hart *h = harts[i] != NULL ? harts[i]->sampler : NULL;
		const uintptr_t *pcs;
		while (h != NULL && (pcs = sample_ring_peek(&h->ring, s)) != NULL) {
			struct builder *b = to[(s->flags & SAMPLE_WALL) != 0 ? DRAIN_WALL : DRAIN_CPU];
			uint32_t depth = s->depth; /* add() may change it */
			if (b != NULL)
				add(i, s, pcs, b, crashed);
			sample_ring_pop(&h->ring, depth);
		}
	}
}

static void turn_locked(void (*more)(void *), void *arg)
{
	static struct sample s; /* under drain_mutex */
	labels_drain_begin();
	rings_read(into, &s, false);
	if (more != NULL)
		more(arg);
	labels_drain_end();
}

void sampler_drain_crash(struct builder *b)
{
	static struct sample s; /* the reader that was stopped has its own */
	struct builder *const to[DRAIN_PROFILES] = {[DRAIN_CPU] = b};
	rings_read(to, &s, true);
}

void drain_turn(void (*more)(void *), void *arg)
{
	mutex_lock(&drain_mutex);
	turn_locked(more, arg);
	mutex_unlock(&drain_mutex);
}

void drain_begin(enum drain_profile p, struct builder *b)
{
	mutex_lock(&drain_mutex);
	into[p] = b;
	labels_profile_begin();
	mutex_unlock(&drain_mutex);
}

void drain_end(enum drain_profile p)
{
	mutex_lock(&drain_mutex);
	turn_locked(NULL, NULL);
	into[p] = NULL;
	mutex_unlock(&drain_mutex);
}

void drain_done(enum drain_profile p)
{
	(void)p;
	mutex_lock(&drain_mutex);
	labels_profile_end();
	mutex_unlock(&drain_mutex);
}

/*
 * A hart's part of a wall-clock profile: now and then a sample of what it runs, by its own timer, and its idle time to the tick.
 *
 *	accounted           due, now
 *	   |<-- weight -------->|      idle time is cut out by moving both forward, as in prof/sampler.c
 *
 * It is the interrupt that looks at the running goroutine, not the goroutine that looks at all others (prof/wall.c): that one is running
 * itself when it looks. Interrupts that are off make a sample late, and it is charged to where they come on: at rates this low that is rare.
 */
#include "prof/impl.h"

#include "kernel/random.h"
#include "prof/builder.h"

static _Atomic uint64_t period; /* mean distance, arch_ticks() */

void wall_hart_prepare(uint64_t ticks)
{
	atomic_store_explicit(&period, ticks > 0 ? ticks : 1, memory_order_relaxed);
}

static uint64_t period_ticks(void)
{
	return atomic_load_explicit(&period, memory_order_relaxed);
}

/* Charges the time up to `until` to what f interrupted; f NULL: the hart sleeps, and its last busy time has no place any more. */
static void put(struct hart *h, struct sampler_hart *s, const struct arch_frame *f, uint64_t until)
{
	struct wall_hart *w = &s->wall;
	struct sample *out = &s->sample;
	uint64_t weight = until - w->accounted;
	w->accounted = until;
	if (weight == 0)
		return;
	out->ticks = weight;
	out->at = until;
	out->count = 1;
	out->flags = SAMPLE_WALL;
	if (f != NULL) {
		sample_stack_irq(h, f, out);
	} else {
		out->g = out->labels = 0;
		out->depth = 1;
		out->pcs[0] = PROF_FRAME_UNKNOWN;
	}
	if (sample_ring_put_irq(&s->ring, out))
		w->account.recorded += weight;
	else
		w->account.lost += weight;
}

void wall_tick_irq(struct hart *h, const struct arch_frame *f, uint64_t now)
{
	struct sampler_hart *s = h->sampler;
	uint64_t p = period_ticks();
	put(h, s, f, now);
	s->wall.due = now + p / 2 + random_step(&s->rng) % p + 1;
}

void wall_idle_irq(struct hart *h, bool idle, uint64_t now)
{
	struct wall_hart *w = &h->sampler->wall;
	if (idle) {
		w->idle_since = now;
		w->left = w->due > now ? w->due - now : 1;
		w->due = UINT64_MAX;
	} else {
		uint64_t slept = now - w->idle_since;
		w->account.idle += slept;
		w->accounted += slept;
		w->due = now + w->left;
	}
}

void wall_open_irq(struct hart *h, uint64_t now)
{
	struct sampler_hart *s = h->sampler;
	struct wall_hart *w = &s->wall;
	w->account = (struct wall_account){0};
	w->on = true;
	w->started = w->accounted = w->idle_since = now;
	w->left = 1 + random_step(&s->rng) % period_ticks();
	w->due = s->idle ? UINT64_MAX : now + w->left;
}

void wall_close_irq(struct hart *h, const struct arch_frame *f, uint64_t now)
{
	struct sampler_hart *s = h->sampler;
	struct wall_hart *w = &s->wall;
	put(h, s, s->idle ? NULL : f, s->idle ? w->idle_since : now);
	if (s->idle)
		w->account.idle += now - w->idle_since;
	w->account.elapsed = now - w->started;
	w->on = false;
	w->due = UINT64_MAX;
}

/*
 * The sampler: a tick of each hart's timer, at random distances around the period, takes pc and stack of what it interrupted.
 *
 * A hart's time is accounted for without gaps: each sample weighs the busy time since the one before (however late the tick came, so
 * merged and masked ticks count what they swallowed); idle time is taken out; what the ring had no room for is lost and counted. The
 * sampling clock stands still while the hart is idle, so that short busy spells are sampled as often as long ones.
 *
 *	accounted                       now
 *	   |<--- weight of this sample --->|
 *	   |----busy----| idle |---busy----|      idle is cut out by moving `accounted` forward
 *
 * 1. A stack is walked only if the thread pointer's g is hart->cur, sp lies in that g's or the hart's system stack, and pc is outside the
 *    switch code. Otherwise the walk could mix two goroutines; such a sample is counted with pc and [switch] or [system].
 * 2. The system stack is continued into the goroutine only while hart->serving is set. Otherwise that stack may be somebody else's by now.
 * 3. Everything here is the hart's own, written with interrupts off. Otherwise a tick could need a lock.
 */
#include "prof/prof.h"

#include <stdatomic.h>
#include <string.h>

#include "kernel/assert.h"
#include "kernel/clock.h"
#include "kernel/g.h"
#include "kernel/hart.h"
#include "kernel/heap.h"
#include "kernel/preempt.h"
#include "kernel/random.h"
#include "kernel/timer.h"
#include "kernel/trap.h"
#include "kernel/walk.h"
#include "prof/builder.h"
#include "sched/sched.h"
#include "trace/sample_ring.h"

#include <hartbeat/time.h>

struct sampler_hart {
	/* owned by this hart, interrupts off */
	bool on;
	bool idle;
	uint64_t accounted; /* up to here this hart's time has an owner */
	uint64_t idle_since;
	uint64_t left; /* while idle: busy time until the next sample */
	uint64_t rng;
	struct sampler_account account;
	uint64_t started;
	struct sample sample; /* scratch: too large for the interrupt stack */

	/* atomic */
	_Atomic uint32_t
		seen; /* generation of `command` this hart has acted on; the starter and stopper wait for it */

	struct sample_ring ring; /* last: its words are not cleared */
};

/* Odd: sampling is on; even: off. Raised by sampler_start() and sampler_stop(), which exclude each other (prof/cpu.c). */
static _Atomic uint32_t command;
static _Atomic uint64_t period;

/* NULL before the first profile, as this hart sees it. */
static struct sampler_hart *sampler_of(struct hart *h)
{
	return __atomic_load_n(&h->sampler, __ATOMIC_ACQUIRE);
}

/* Half to one and a half periods: loops in step with the tick are not sampled at one place for ever. */
static uint64_t next_distance(struct sampler_hart *s)
{
	uint64_t p = atomic_load_explicit(&period, memory_order_relaxed);
	return p / 2 + random_step(&s->rng) % p + 1;
}

/* Whether the walk may look at more than pc (rule 1). */
static bool consistent(const struct hart *h, const struct arch_frame *f, const struct arch_unwind *u)
{
	const struct g *g = h->cur;
	struct walk_bounds b;
	if (g == NULL || arch_frame_tls(f) != g->tls)
		return false;
#ifndef MUTANT_switch_pc
	if (walk_in_switch(u->pc))
		return false;
#endif
	if (u->sp >= g->stack_lo && u->sp <= g->stack_hi)
		return true;
	return walk_find(u->sp, h, NULL, &b) && b.lo == h->stack_lo[STACK_SYS];
}

static void stack_take(const struct hart *h, const struct arch_frame *f, struct sample *s)
{
	struct arch_unwind u;
	unsigned flags;
	arch_frame_unwind(f, &u);
	s->labels = 0;
	s->g = h->cur != NULL ? h->cur->id : 0;
	if (!consistent(h, f, &u)) {
		s->pcs[0] = u.pc;
		s->pcs[1] = walk_in_switch(u.pc) ? PROF_FRAME_SWITCH : PROF_FRAME_SYSTEM;
		s->depth = 2;
		return;
	}
	/* On a goroutine's own stack, or on the system stack while it serves one. */
	const struct g *g = h->cur == h->g0 ? NULL : h->cur;
	bool own = g != NULL && u.sp >= g->stack_lo && u.sp <= g->stack_hi;
	if (!own && h->serving == NULL)
		g = NULL;
	s->depth = walk_frames(&u, h, g, s->pcs, SAMPLE_DEPTH_MAX, &flags);
	if ((flags & WALK_TRUNCATED) && s->depth == SAMPLE_DEPTH_MAX)
		s->pcs[s->depth - 1] = PROF_FRAME_TRUNCATED;
}

/* Charges the time up to now to the interrupted place; f NULL: to none, because the hart sleeps and it is not known any more. */
static void sample_take(struct hart *h, struct sampler_hart *s, const struct arch_frame *f, uint64_t now)
{
	uint64_t weight = now - s->accounted, p = atomic_load_explicit(&period, memory_order_relaxed);
	s->accounted = now;
	if (weight == 0)
		return;
	struct sample *out = &s->sample;
	uint64_t count = (weight + p / 2) / p;
	out->ticks = weight;
	out->count = count > 0xffffff ? 0xffffff : (uint32_t)count;
	if (f != NULL) {
		stack_take(h, f, out);
	} else {
		out->labels = 0;
		out->g = 0;
		out->depth = 1;
		out->pcs[0] = PROF_FRAME_UNKNOWN;
	}
	if (sample_ring_put_irq(&s->ring, out)) {
		s->account.recorded += weight;
		s->account.samples += count;
	} else {
		s->account.lost += weight;
		s->account.lost_samples += count;
	}
}

static void tick(struct hart *h, struct arch_frame *f, uint64_t now)
{
	struct sampler_hart *s = h->sampler;
	h->sample_due = UINT64_MAX;
	if (!s->on || s->idle)
		return;
	sample_take(h, s, f, now);
	h->sample_due = now + next_distance(s);
}

/* The command has changed: this hart starts, or closes its account. */
static void obey(struct hart *h, const struct arch_frame *f)
{
	struct sampler_hart *s = sampler_of(h);
	uint32_t c = atomic_load_explicit(&command, memory_order_acquire);
	if (s == NULL || c == atomic_load_explicit(&s->seen, memory_order_relaxed))
		return;
	uint64_t now = arch_ticks();
	if (s->on) {
		if (s->idle) {
			s->account.idle += now - s->idle_since;
			sample_take(h, s, NULL, s->idle_since); /* the busy time since the last sample */
		} else {
			sample_take(h, s, f, now);
		}
		s->account.elapsed = now - s->started;
		s->on = false;
		h->sample_due = UINT64_MAX;
	}
	if (c & 1) {
		s->account = (struct sampler_account){0};
		s->on = true;
		s->started = s->accounted = s->idle_since = now;
		s->left = 1 + random_step(&s->rng) % atomic_load_explicit(&period, memory_order_relaxed);
		if (!s->idle)
			h->sample_due = now + s->left;
	}
	timer_rearm_irq(h);
	/* pairs with the acquire in command_give() */
	atomic_store_explicit(&s->seen, c, memory_order_release);
}

static void ipi(struct hart *h, struct arch_frame *f)
{
	obey(h, f);
}

static void idle_change(struct hart *h, bool idle)
{
	struct sampler_hart *s = sampler_of(h);
	/* A hart that slept when it got its sampler wakes without having said that it sleeps. */
	if (s == NULL || s->idle == idle)
		return;
	uint64_t now = arch_ticks();
	s->idle = idle;
	if (!s->on)
		return;
	if (idle) {
		s->idle_since = now;
		s->left = h->sample_due > now ? h->sample_due - now : 1;
		h->sample_due = UINT64_MAX;
	} else {
		uint64_t slept = now - s->idle_since;
		s->account.idle += slept;
		s->accounted += slept;
		h->sample_due = now + s->left;
	}
}

/* Tells every hart, this one included, and waits until each has obeyed. */
static void command_give(uint32_t c)
{
	atomic_store(&command, c);
	for (uint32_t i = 0; i < hart_count; i++) {
		if (!atomic_load(&harts[i]->online))
			continue; /* sends itself an IPI when it comes, and obeys then */
		while (atomic_load_explicit(&harts[i]->sampler->seen, memory_order_acquire) != c) {
			arch_ipi_send(harts[i]);
			time_sleep(200 * TIME_MICROSECOND);
		}
	}
}

void sampler_start(uint64_t period_ticks)
{
	ASSERT((atomic_load(&command) & 1) == 0, "one CPU profile at a time");
	atomic_store(&period, period_ticks > 0 ? period_ticks : 1);
	command_give(atomic_load(&command) + 1);
}

void sampler_stop(void)
{
	ASSERT((atomic_load(&command) & 1) == 1, "a stop follows a start");
	command_give(atomic_load(&command) + 1);
}

void sampler_account(unsigned hart, struct sampler_account *a)
{
	*a = harts[hart]->sampler->account;
}

void sampler_drain(struct builder *b)
{
	static struct sample s; /* one reader */
	for (uint32_t i = 0; i < hart_count; i++) {
		if (harts[i]->sampler == NULL)
			continue;
		while (sample_ring_get(&harts[i]->sampler->ring, &s)) {
			struct prof_sample p = {.count = s.count,
						.weight_ns = clock_from_ticks(s.ticks),
						.depth = s.depth,
						.pcs = s.pcs,
						.labels = s.labels};
			builder_add(b, &p);
		}
	}
}

static bool sampler_make(struct hart *h)
{
	struct sampler_hart *s = heap_alloc(sizeof *s);
	if (s == NULL)
		return false;
	memset(s, 0,
	       offsetof(struct sampler_hart,
			ring.words)); /* the ring's words are written before they are read */
	s->rng = arch_ticks() * 0x9e3779b97f4a7c15u + h->index * 0xd1342543de82ef95u + 1;
	/* pairs with the acquire in sampler_of() */
	__atomic_store_n(&h->sampler, s, __ATOMIC_RELEASE);
	return true;
}

bool sampler_prepare(void)
{
	for (uint32_t i = 0; i < hart_count; i++)
		if (harts[i]->sampler == NULL && !sampler_make(harts[i]))
			return false;
	timer_sample_hook = tick;
	/* pairs with the load in sched_loop(): the hook, then (in command_give()) who is online */
	__atomic_store_n(&trap_ipi_hook, ipi, __ATOMIC_RELAXED);
	sched_idle_hook = idle_change;
	return true;
}

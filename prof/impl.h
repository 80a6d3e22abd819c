/* What the sampler's files share. */
#ifndef PROF_IMPL_H
#define PROF_IMPL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "arch/arch.h"
#include "kernel/hart.h"
#include "prof/pprof.h"
#include "prof/prof.h"
#include "trace/sample_ring.h"

/* A hart's part of a wall-clock profile (prof/wall_hart.c). Guarded by its sampler's `claimed`, but for seen. */
struct wall_hart {
	bool on;
	uint64_t accounted; /* arch_ticks(): up to here the time has an owner */
	uint64_t due;       /* arch_ticks() of the next sample; UINT64_MAX: none */
	uint64_t left;      /* while idle: busy time until the next sample */
	uint64_t started, idle_since;
	struct wall_account account;
	_Atomic uint32_t seen; /* as the sampler's */
};

/* One hart's sampler. */
struct sampler_hart {
	/* guarded by `claimed`, which this hart takes in its tick, its NMI, or with interrupts off */
	bool on;
	bool idle;
	uint64_t accounted; /* arch_ticks(): up to here this hart's time has an owner */
	uint64_t idle_since;
	uint64_t left; /* while idle: busy time until the next sample */
	uint64_t rng;
	struct sampler_account account;
	uint64_t started;
	struct sample sample; /* scratch: too large for the interrupt stack */
	struct wall_hart wall;

	/* owned by this hart, interrupts off: whom it watches (prof/watch.c) */
	uint64_t watch_asked; /* the due time an NMI was last sent for, and when it is sent for it again */
	uint64_t watch_again;
	uint32_t watch_quiet; /* looks in a row that found nobody to watch */
	struct hart *
		suspect; /* has not ticked for too long, NULL: nobody; what was its last tick, and when that was noticed */
	uint64_t suspect_ticked, suspect_since;

	/* guarded by `claimed`: the only hart's own NMI (prof/alarm.c) */
	bool alarms; /* it can have one */
	uint64_t
		alarm_look; /* arch_ticks() from which on a tick has to call alarm_irq(); UINT64_MAX: never */
	uint64_t alarm_eager; /* arch_ticks(): until then each due time gets one */

	/* atomic */
	_Atomic uint32_t claimed; /* 0 or 1: a word, because riscv64 has no atomic exchange of a byte */
	_Atomic bool
		alarm_amid; /* the NMI came while it was claimed; the NMI sets it, the claimer takes it back */
	_Atomic uint64_t
		due; /* arch_ticks() of the next sample; UINT64_MAX: none. The claimer writes, watchers read */
	_Atomic uint64_t
		alarm; /* arch_ticks() for which this hart's own NMI is armed; 0: none is. The claimer writes, and each NMI */
	_Atomic uint64_t ticked; /* arch_ticks() when this hart last served its tick, or got busy */
	_Atomic uint32_t
		seen; /* generation of `command` this hart has acted on; the starter and stopper wait for it */

	struct sample_ring ring; /* last: its words are not cleared */
};

/* Distance of two samples on average, arch_ticks(); of the running or last profile. prof/sampler.c */
extern _Atomic uint64_t sampler_period; /* relaxed: read behind a command, or as a guess */

/* h's sampler, NULL before the first profile. Any context. */
static inline struct sampler_hart *sampler_of(struct hart *h)
{
	/* pairs with the release in sampler_make() */
	return __atomic_load_n(&h->sampler, __ATOMIC_ACQUIRE);
}

/* prof/sample_stack.c */

/* Fills g, labels, depth and pcs of s from what f interrupted; flags are set. Interrupt or NMI context. */
void sample_stack_irq(const struct hart *h, const struct arch_frame *f, struct sample *s);
/* A late tick (SAMPLE_MASKED): charges it to the place where interrupts went off, with the callers if they are still there. Goroutine
 * context. */
void sample_masked_resolve(struct sample *s);

/* prof/wall_hart.c; the caller has claimed h's sampler */

void wall_tick_irq(struct hart *h, const struct arch_frame *f, uint64_t now);
/* idle: what h's sampler says too. */
void wall_idle_irq(struct hart *h, bool idle, uint64_t now);
void wall_open_irq(struct hart *h, uint64_t now);
void wall_close_irq(struct hart *h, const struct arch_frame *f, uint64_t now);
/* A wall-clock profile with this mean distance of samples, arch_ticks(), is about to start. Goroutine context. */
void wall_hart_prepare(uint64_t ticks);

/* prof/drain.c */

enum drain_profile { DRAIN_CPU, DRAIN_WALL, DRAIN_PROFILES };

/* Samples of this profile go to b from here on. Goroutine context, for all of drain.c. */
void drain_begin(enum drain_profile p, struct builder *b);
/* Reads the rings; more, if not NULL, is called meanwhile and may add to the builders and call labels_sampled(). */
void drain_turn(void (*more)(void *), void *arg);
/* Reads the rings a last time; nobody adds to the builder any more. Its labels stay until drain_done(). */
void drain_end(enum drain_profile p);
void drain_done(enum drain_profile p);

/* prof/write.c */

struct pprof_options;
/* Writes b to a sink, compressed; fills in of o what is the same for every profile. 0, or a negative error number. Goroutine context. */
int prof_write_to(struct sink *to, struct pprof_options *o, const struct builder *b);
/* The same, sent as the profile `name`. */
int prof_write(const char *name, struct pprof_options *o, const struct builder *b);

/* prof/watch.c */

/* This hart's part in noticing that another one's tick is overdue: sends it an NMI. Returns when to look again, UINT64_MAX for never.
 * Interrupt context. */
uint64_t watch_irq(struct hart *h, uint64_t now);
/* h, this hart, has gone idle (its timer is armed after this) or got busy, or its sampler has started. Returns as watch_irq(). Interrupts
 * off. */
uint64_t watch_begin(struct hart *h, uint64_t now);
/* This hart watches nobody any more. Interrupts off. */
void watch_end(struct hart *h);
/* A profile with this period, arch_ticks(), is about to start. Goroutine context. */
void watch_prepare(uint64_t period);

/* How late a tick may be before an NMI takes its sample, and for how long the watchdog lets a hart not tick (0: for ever), arch_ticks(). */
uint64_t watch_slack(void);
uint64_t watch_lockup(void);

/* prof/alarm.c: for a hart that can have an NMI by itself; the caller has claimed s, but for alarm_came() */

/* Arms the alarm for s's next sample, if it is not armed already. Interrupt or NMI context. */
void alarm_irq(struct sampler_hart *s, uint64_t now);
/* A sample was kept waiting by code with interrupts off. */
void alarm_masked(struct sampler_hart *s, uint64_t now);
/* The NMI has come. */
void alarm_came(struct sampler_hart *s);
/* In the NMI: ends everything if this hart is locked up where f says. */
void alarm_lockup(struct sampler_hart *s, struct arch_frame *f, uint64_t now);
void alarm_end(struct sampler_hart *s);
/* A profile is about to start. Goroutine context. */
void alarm_prepare(void);

/* For prof/crash.c, panic context. What is in the rings, added to b, by a reader that takes no lock. */
void sampler_drain_crash(struct builder *b);

/* The CPU profile that is running; false: none is. prof/cpu.c */
struct prof_crash_cpu {
	const struct builder *builder; /* maybe in the middle of a change */
	uint64_t period_ns, start_wall, duration_ns;
	pprof_label_fn *label;
};
bool prof_crash_cpu(struct prof_crash_cpu *c);

#endif

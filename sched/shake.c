/*
 * Shaking the schedule: picks, steals and the ends of slices drawn from one seeded generator for each hart, and preemption where a spinlock
 * was released, so that an order of events that hardly ever happens is met, and met again with the same seed. For tests; the boot options
 * sched.seed and debug.preempt.
 *
 * Every lock goes the long way while this is on, and every switch over the scheduler (kernel/lock.h, sched/switch.h): nothing is paid else.
 */
#include "kernel/random.h"
#include "sched/impl.h"
#include "sched/stw.h"

enum { EVERY_SEEDED = 64 };

/* The last spinlock was released and interrupts are on. */
static void released(void)
{
	struct g *g = g_self();
	if (g == NULL || g->id == 0)
		return;
	preempt_disable();
	struct hart *h = arch_hart();
	struct sched_hart *s = h->sched;
	if (h->serving == NULL && --s->releases_left == 0) {
		s->releases_left = s->shake_every;
		if (s->shaken)
			s->releases_left = 1 + (uint32_t)(random_step(&s->rng) >> 32) % (2 * s->shake_every);
		h->slice_over = true;
		hart_ask_irq(h);
	}
	preempt_enable();
}

void sched_shake(uint64_t seed, uint32_t every)
{
	if (seed == 0 && every == 0)
		return;
	stw_begin(STW_UNKNOWN);
	for (uint32_t i = 0; i < hart_count; i++) {
		struct sched_hart *s = harts[i]->sched;
		s->shake_every = s->releases_left = every > 0 ? every : EVERY_SEEDED;
		s->shaken = seed != 0;
		if (seed != 0)
			s->rng = (seed + i) * 0x9e3779b97f4a7c15u | 1;
	}
	locks_watch(released);
	stw_end();
}

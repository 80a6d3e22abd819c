/*
 * Nothing in the dark on a machine of one hart: nobody can send it an NMI (prof/watch.c), so it has one come by itself, where the platform has
 * a timer for that (arch_alarm_arm()): some time after the next sample is due.
 *
 *	due         due + slack
 *	 | tick         NMI          in time: the alarm has nothing to do but to arm the next one
 *	 |------------- NMI ------   interrupts are off: the alarm takes the sample where it is
 *
 * 1. An alarm costs more than a sample, and one that is armed cannot be moved back (arch/riscv64/alarm.c). So each due time gets one only while
 *    code with interrupts off has kept a tick waiting within EAGER_NS; else one comes in QUIET_NS. Otherwise a profile at 10 kHz would cost
 *    several times as much.
 * 2. An alarm is never armed for a time nearer than the slack. Otherwise one that finds a tick under way (prof/sampler.c, rule 4), which has
 *    not moved the due time on yet, would be followed by the next at once, and the tick would get nowhere.
 * 3. A tick that finds an alarm long overdue arms another. Otherwise, as alarms get lost, there might be none any more. Not at once: the one
 *    that is on its way would come in the middle, and on riscv64 take the new one with it.
 * 4. A hart that sleeps arms none, and one as soon as it wakes. Otherwise an idle machine would not be idle, or an alarm that came meanwhile
 *    have been the last.
 * 5. A hart that has not ticked for as long as the watchdog allows is suspected, and one that has not some time later is locked up. Otherwise a
 *    machine that its host had stopped as a whole would look like that.
 */
#include "prof/impl.h"

#include "kernel/clock.h"
#include "kernel/panic.h"

enum {
	QUIET_NS = 50000000,
	EAGER_NS = 1000000000,
	OVERDUE_NS = 5000000, /* later than a host that is busy delivers most of them */
};

static uint64_t quiet, eager, overdue; /* arch_ticks(); written before a profile starts */

void alarm_prepare(void)
{
	quiet = clock_to_ticks(QUIET_NS);
	eager = clock_to_ticks(EAGER_NS);
	overdue = clock_to_ticks(OVERDUE_NS);
}

void alarm_irq(struct sampler_hart *s, uint64_t now)
{
	uint64_t due = atomic_load_explicit(&s->due, memory_order_relaxed);
	uint64_t armed = atomic_load_explicit(&s->alarm, memory_order_relaxed);
	if (!s->alarms || !s->on)
		return;
	if (due == UINT64_MAX) {
#ifndef MUTANT_alarm_slept
		s->alarm_look = 0; /* rule 4 */
#endif
		return;
	}
	bool soon = now < s->alarm_eager;
	uint64_t least = now + (soon ? watch_slack() : quiet), at = due + watch_slack();
	if (at < least)
		at = least;
	if (armed == 0 || armed + overdue <= now || armed > at) {
#ifndef MUTANT_alarm_never
		arch_alarm_arm(at);
#endif
		atomic_store_explicit(&s->alarm, at, memory_order_relaxed);
		armed = at;
	}
	s->alarm_look = soon ? 0 : armed + overdue;
}

void alarm_masked(struct sampler_hart *s, uint64_t now)
{
	s->alarm_eager = now + eager;
	if (s->alarms)
		s->alarm_look = 0;
}

void alarm_came(struct sampler_hart *s)
{
	atomic_store_explicit(&s->alarm, 0, memory_order_relaxed);
}

void alarm_end(struct sampler_hart *s)
{
	s->alarm_eager = 0;
	s->alarm_look = UINT64_MAX;
	alarm_came(s);
	if (s->alarms)
		arch_alarm_arm(UINT64_MAX);
}

void alarm_lockup(struct sampler_hart *s, struct arch_frame *f, uint64_t now)
{
	uint64_t last = atomic_load_explicit(&s->ticked, memory_order_relaxed), allowed = watch_lockup();
	if (!s->on || s->idle || allowed == 0 || now < last || now - last < allowed)
		return;
	if (s->suspect_since == 0 || s->suspect_ticked != last) {
		s->suspect_ticked = last;
		s->suspect_since = now;
	} else if (now - s->suspect_since > allowed / 8) {
		panic_at(f, "hard lockup: hart %u has not ticked for %lu ms", arch_hart()->index,
			 (unsigned long)(clock_from_ticks(now - last) / 1000000));
	}
}

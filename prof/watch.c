/*
 * Nothing in the dark: while a profile runs, a hart whose tick is overdue, because it has interrupts off, gets an NMI from another one.
 * Where there is no other one: prof/alarm.c.
 *
 *	busy hart i is watched by the next busy hart after it, around the circle        each tick of that one looks
 *	the only busy hart is watched by an idle one, which is on duty                  it keeps a timer for it
 *
 * 1. Whoever gets busy alone makes sure that somebody is on duty, and whoever goes idle and leaves one busy hart takes the duty. Otherwise
 *    a hart could turn interrupts off with nobody left who would ever look.
 *    Nobody is woken for it twice within ASK_PAUSE_NS, otherwise idle harts would wake each other for ever.
 * 2. Duty ends by itself when there was nobody to watch for some periods. Otherwise an idle machine would not be idle.
 * 3. A hart says when it turns interrupts off (kernel/irq_off.h); one that has not is probably kept from its tick by the emulator's host, and
 *    gets an NMI only when it is late by milliseconds. Otherwise a host with fewer processors than harts would see storms of NMIs, each of
 *    which makes the next tick late (riscv64's firmware sends them under a lock that waiters queue for).
 * 4. An NMI is sent once for each due time, and again only after ASK_AGAIN_NS; the answer is not waited for. Otherwise harts whose host is
 *    late would keep each other busy with NMIs. They merge and may come while the tick is being served; the receiver counts by the clock.
 * 5. A hart that has not ticked for as long as the watchdog allows is suspected, and a second look some time later makes sure. Otherwise a
 *    machine that its host had stopped as a whole would look like one whose harts are locked up.
 * 6. A hart writes its own due time, or gives the duty back, and then looks at the due times of others, with a full barrier between. Otherwise
 *    one that gets busy and one that goes idle, or ends its duty, at the same time would each rely on the other.
 */
#include "prof/impl.h"

#include "kernel/clock.h"
#include "kernel/panic.h"
#include "kernel/timer.h"

enum {
	SLACK_MIN_NS = 8000,
	SLACK_MAX_NS = 200000,
	UNSAID_NS = 4000000,
	ASK_PAUSE_NS = 500000,
	ASK_AGAIN_NS = 2000000,
	QUIET_MAX = 8, /* looks of an idle hart that find nobody to watch, until it stops looking */
};

static _Atomic uint64_t asked_at; /* when a hart was last woken for duty, arch_ticks(); relaxed */
static _Atomic uint32_t duty;     /* hart index + 1 of the idle hart that watches, 0: none; relaxed, rule 6 */

/* In arch_ticks(); written before a profile starts. */
static uint64_t slack;     /* how long a tick may be late before an NMI asks for it */
static uint64_t unsaid;    /* the same for a hart that has not said that interrupts are off there */
static uint64_t ask_pause; /* between two wake-ups of idle harts for duty */
static uint64_t ask_again; /* until an NMI is sent again for the same due time */
static uint64_t lockup;    /* what the watchdog allows; 0: everything */

void watch_prepare(uint64_t period)
{
	uint64_t least = clock_to_ticks(SLACK_MIN_NS), most = clock_to_ticks(SLACK_MAX_NS);
	slack = period / 16;
	if (slack < least)
		slack = least;
	if (slack > most)
		slack = most;
	unsaid = clock_to_ticks(UNSAID_NS);
	ask_pause = clock_to_ticks(ASK_PAUSE_NS);
	ask_again = clock_to_ticks(ASK_AGAIN_NS);
	lockup = clock_to_ticks(prof_watchdog_ns);
}

uint64_t watch_slack(void)
{
	return slack;
}

uint64_t watch_lockup(void)
{
	return lockup;
}

static uint64_t due_of(uint32_t i)
{
	struct sampler_hart *s = sampler_of(harts[i]);
	return s != NULL ? atomic_load_explicit(&s->due, memory_order_relaxed) : UINT64_MAX;
}

/* How many harts but h are busy; *next is the first of them after h. */
static uint32_t busy_others(const struct hart *h, struct hart **next)
{
	uint32_t n = 0;
	for (uint32_t k = 1; k < hart_count; k++) {
		uint32_t i = (h->index + k) % hart_count;
		if (due_of(i) == UINT64_MAX)
			continue;
		if (n++ == 0)
			*next = harts[i];
	}
	return n;
}

uint64_t prof_watchdog_ns = UINT64_C(5000000000);

/* `to` is late: ends everything if it is locked up. */
static void lockup_look(struct sampler_hart *s, struct hart *to, uint64_t now)
{
	uint64_t last = atomic_load_explicit(&sampler_of(to)->ticked, memory_order_relaxed);
	if (lockup == 0 || now < last || now - last < lockup)
		return;
	if (s->suspect != to || s->suspect_ticked != last) {
		s->suspect = to;
		s->suspect_ticked = last;
		s->suspect_since = now;
	} else if (now - s->suspect_since > lockup / 8) {
		panic_hart(to, "hard lockup: hart %u has not ticked for %lu ms", to->index,
			   (unsigned long)(clock_from_ticks(now - last) / 1000000));
	}
}

/* h looks at one hart; returns when to look again. */
static uint64_t look(struct hart *h, struct hart *to, uint64_t now)
{
	struct sampler_hart *s = sampler_of(h);
	uint64_t due = due_of(to->index), soon, late;
	if (due == UINT64_MAX)
		return now + atomic_load_explicit(&sampler_period, memory_order_relaxed);
	soon = due + slack;
	late = due + unsaid;
	if (now < soon)
		return soon;
	if (now < late && !atomic_load_explicit(&to->off.now, memory_order_relaxed))
		return late;
	lockup_look(s, to, now);
	if (due != s->watch_asked || now >= s->watch_again) {
		s->watch_asked = due;
		s->watch_again = now + ask_again;
#ifndef MUTANT_nmi_never
		arch_nmi_send(to);
#endif
	}
	return s->watch_again;
}

static bool on_duty(const struct hart *h)
{
	return atomic_load_explicit(&duty, memory_order_relaxed) == h->index + 1;
}

void watch_end(struct hart *h)
{
	uint32_t me = h->index + 1;
	atomic_compare_exchange_strong_explicit(&duty, &me, 0, memory_order_relaxed, memory_order_relaxed);
}

/* h is idle: takes the duty, if nobody has it. */
static void duty_take(const struct hart *h)
{
	uint32_t nobody = 0;
	atomic_compare_exchange_strong_explicit(&duty, &nobody, h->index + 1, memory_order_relaxed,
						memory_order_relaxed);
}

/* h is busy alone: wakes an idle hart, which takes the duty when it goes idle again. */
static void duty_ask(const struct hart *h, uint64_t now)
{
	uint64_t before = atomic_load_explicit(&asked_at, memory_order_relaxed);
	if (hart_count == 1 || atomic_load_explicit(&duty, memory_order_relaxed) != 0 ||
	    now - before < ask_pause ||
	    !atomic_compare_exchange_strong_explicit(&asked_at, &before, now, memory_order_relaxed,
						     memory_order_relaxed))
		return;
	arch_ipi_send(harts[(h->index + 1) % hart_count]);
}

/* h, idle and on duty, gives it back, unless somebody got busy alone, or was left alone, meanwhile (rule 6). Returns as watch_irq(). */
static uint64_t duty_end(struct hart *h, uint64_t now)
{
	struct hart *next = NULL;
	watch_end(h);
	atomic_thread_fence(memory_order_seq_cst); /* rule 6: pairs with the fence in watch_begin() */
	if (busy_others(h, &next) != 1)
		return UINT64_MAX;
	duty_take(h);
	if (!on_duty(h))
		return UINT64_MAX;
	sampler_of(h)->watch_quiet = 0;
	return look(h, next, now);
}

uint64_t watch_irq(struct hart *h, uint64_t now)
{
	struct sampler_hart *s = sampler_of(h);
	struct hart *next = NULL;
	uint32_t n = busy_others(h, &next);
	if (!s->idle && n > 0)
		return look(h, next, now);
	if (!s->idle)
		duty_ask(h, now);
	if (!on_duty(h))
		return UINT64_MAX;
	if (n > 1 || (n == 0 && ++s->watch_quiet > QUIET_MAX))
		return duty_end(h, now);
	if (n == 0)
		return now + atomic_load_explicit(&sampler_period, memory_order_relaxed);
	s->watch_quiet = 0;
	return look(h, next, now);
}

uint64_t watch_begin(struct hart *h, uint64_t now)
{
	struct sampler_hart *s = sampler_of(h);
	struct hart *next = NULL;
	atomic_thread_fence(
		memory_order_seq_cst); /* rule 6: pairs with itself, and with the fence in duty_end() */
	uint32_t n = busy_others(h, &next);
	if (s->idle) {
		s->watch_quiet = 0;
		if (n == 1)
			duty_take(h);
		return watch_irq(h, now);
	}
	watch_end(h);
	if (n > 0)
		return look(h, next, now);
	duty_ask(h, now);
	return UINT64_MAX;
}

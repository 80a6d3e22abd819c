/*
 * The sampler: a tick of each hart's timer, at random distances around the period, takes pc and stack of what it interrupted.
 *
 * A hart's time is accounted for without gaps. Each sample weighs the time between two due times, however late the tick came, so merged
 * and masked ticks count what they swallowed; idle time is taken out; what the ring had no room for is lost and counted. The sampling
 * clock stands still while the hart is idle, so that short busy spells are sampled as often as long ones.
 *
 *	accounted     due    due     now
 *	   |<-- weight --->|<----->|....|           the rest belongs to the sample after
 *	   |----busy----| idle |---busy---|         idle is cut out by moving both forward
 *
 * A tick that comes late was kept waiting: an NMI (prof/watch.c, alarm.c) has then sampled the place meanwhile; what the NMI did not see is charged
 * to where interrupts went off, if they were off at the due time (kernel/irq_off.h), else to the interrupted place: an emulator's host
 * makes ticks late too.
 *
 * 1. Which stack is walked: prof/sample_stack.c.
 * 2. Whoever takes a sample has claimed the hart's sampler, by one atomic exchange. An NMI that finds it claimed has interrupted the tick
 *    and leaves. Otherwise the same time could be counted twice, and two writers meet in the ring.
 * 3. Everything here is the hart's own, written with interrupts off. Otherwise a tick could need a lock.
 * 4. An NMI that finds an interrupt being handled leaves: the tick is coming, and is charged to what the handler interrupted. Otherwise an
 *    emulator that runs harts in turns, and changes turns where a timer is armed, would make the arming of timers look expensive.
 * 5. Who has claimed the sampler as an NMI comes arms the next alarm in its stead. Otherwise code that turned interrupts off right behind would be in
 *    the dark.
 */
#include "prof/prof.h"

#include <stdatomic.h>
#include <string.h>

#include "kernel/assert.h"
#include "kernel/clock.h"
#include "kernel/g.h"
#include "kernel/heap.h"
#include "kernel/preempt.h"
#include "kernel/random.h"
#include "kernel/timer.h"
#include "kernel/trap.h"
#include "prof/builder.h"
#include "prof/impl.h"
#include "sched/sched.h"

#include <hartbeat/mutex.h>
#include <hartbeat/time.h>

enum { FAR_BEHIND = 64 }; /* periods: further than that, due times are not stepped through one by one */

/* Relaxed, but for command_give() and obey(), whose fetch and load are a pair. Odd: sampling is on; even: off; from one odd number to another: at another rate. Raised by sampler_start() and sampler_stop(), which exclude each other (prof/cpu.c); so for the wall-clock
 * profile. */
static _Atomic uint32_t command, wall_command;
_Atomic uint64_t sampler_period;

static uint64_t period_ticks(void)
{
	return atomic_load_explicit(&sampler_period, memory_order_relaxed);
}

/* Half to one and a half periods: loops in step with the tick are not sampled at one place for ever. */
static uint64_t next_distance(struct sampler_hart *s)
{
	uint64_t p = period_ticks();
#ifdef MUTANT_fixed_period
	(void)s;
	return p;
#endif
	return p / 2 + random_step(&s->rng) % p + 1;
}

static bool claim(struct sampler_hart *s)
{
	/* rule 2, between a hart and its own interrupts: pairs with claim_end() */
	return atomic_exchange_explicit(&s->claimed, 1, memory_order_acquire) == 0;
}

static void unclaim(struct sampler_hart *s)
{
	/* pairs with claim() */
	atomic_store_explicit(&s->claimed, 0, memory_order_release);
	atomic_signal_fence(
		memory_order_seq_cst); /* rule 5: an NMI before this has said so, one behind it can claim */
}

/* The alarm came while s was claimed. */
static __attribute__((noinline)) void alarm_again(struct sampler_hart *s)
{
	while (atomic_load_explicit(&s->alarm_amid, memory_order_relaxed)) {
		atomic_store_explicit(&s->alarm_amid, false, memory_order_relaxed);
		if (!claim(s))
			return;
#ifndef MUTANT_alarm_amid
		alarm_irq(s, arch_ticks());
#endif
		unclaim(s);
	}
}

static void claim_end(struct sampler_hart *s)
{
	unclaim(s);
	if (__builtin_expect(atomic_load_explicit(&s->alarm_amid, memory_order_relaxed), 0))
		alarm_again(s);
}

static uint64_t due_of(const struct sampler_hart *s)
{
	return atomic_load_explicit(&s->due, memory_order_relaxed);
}

static void due_set(struct sampler_hart *s, uint64_t due)
{
	atomic_store_explicit(&s->due, due, memory_order_relaxed);
}

/* In front: where interrupts went off. Not inline: most samples need no register for it. */
static __attribute__((noinline)) void masker_put(const struct hart *h, struct sample *out)
{
	uint32_t keep = out->depth < SAMPLE_DEPTH_MAX ? out->depth : SAMPLE_DEPTH_MAX - 1;
	memmove(out->pcs + 1, out->pcs, keep * sizeof out->pcs[0]);
	out->pcs[0] = h->off.pc;
	out->depth = keep + 1;
}

/* Charges the time up to `until` to what f interrupted, as `count` samples; f NULL: to no place, because the hart sleeps and it is not
 * known any more. Inline: for the sample that most ticks take. */
static inline __attribute__((always_inline)) void sample_put_inline(struct hart *h, struct sampler_hart *s,
								    const struct arch_frame *f,
								    uint64_t until, uint64_t count,
								    uint8_t flags)
{
	struct sample *out = &s->sample;
	uint64_t weight = until - s->accounted;
	s->accounted = until;
#ifdef MUTANT_merged_uncounted
	if (count > 1)
		weight = period_ticks();
#endif
	if (weight == 0)
		return;
	out->ticks = weight;
	out->count = count > 0xffffff ? 0xffffff : (uint32_t)count;
	out->flags = flags;
	out->at = arch_ticks();
	if (f != NULL) {
		sample_stack_irq(h, f, out);
	} else {
		out->g = out->labels = 0;
		out->depth = 1;
		out->pcs[0] = PROF_FRAME_UNKNOWN;
	}
	if ((flags & SAMPLE_MASKED) != 0)
		masker_put(h, out);
	if (sample_ring_put_irq(&s->ring, out)) {
		s->account.recorded += weight;
		s->account.samples += count;
	} else {
#ifndef MUTANT_lost_uncounted
		s->account.lost += weight;
#endif
		s->account.lost_samples += count;
	}
}

static __attribute__((noinline)) void sample_put(struct hart *h, struct sampler_hart *s,
						 const struct arch_frame *f, uint64_t until, uint64_t count,
						 uint8_t flags)
{
	sample_put_inline(h, s, f, until, count, flags);
}

/* The due times from s->due to `until`: how many, and *last of them. Moves s->due on. */
static inline __attribute__((always_inline)) uint64_t due_step(struct sampler_hart *s, uint64_t until,
							       uint64_t *last)
{
	uint64_t due = due_of(s), n = 0, p = period_ticks();
	if (until - due > FAR_BEHIND * p) {
		n = (until - due) / p - 2;
		due += n * p;
	}
	do {
		*last = due;
		due += next_distance(s);
		n++;
	} while (due <= until);
	due_set(s, due);
	return n;
}

/* A sample is due that came late because interrupts were off. Not inline: as masker_put(). */
static __attribute__((noinline)) void masked_take(struct hart *h, struct sampler_hart *s,
						  const struct arch_frame *f, uint64_t now)
{
	uint64_t last, n;
	alarm_masked(s, now);
	n = due_step(s, h->off.until, &last);
	sample_put(h, s, f, last, n, SAMPLE_IRQ_OFF | SAMPLE_MASKED);
}

/* Takes the samples that are due. */
static void samples_take(struct hart *h, struct sampler_hart *s, const struct arch_frame *f, uint64_t now,
			 bool nmi)
{
	uint64_t due = due_of(s), last, n;
	if (!nmi && __builtin_expect(due >= h->off.since && due <= h->off.until, 0))
		masked_take(h, s, f, now);
	if (due_of(s) > now)
		return;
	n = due_step(s, now, &last);
	sample_put_inline(h, s, f, last, n, arch_frame_irq_on(f) ? 0 : SAMPLE_IRQ_OFF);
}

/* The timer is wanted for the next sample, or to look after another hart. */
static void sample_due_set(struct hart *h, const struct sampler_hart *s, uint64_t look)
{
	uint64_t due = due_of(s);
	if (s->wall.due < due)
		due = s->wall.due;
	h->sample_due = look < due ? look : due;
}

static void ticked(struct sampler_hart *s, uint64_t now)
{
	atomic_store_explicit(&s->ticked, now, memory_order_relaxed);
}

static void tick(struct hart *h, struct arch_frame *f, uint64_t now)
{
	struct sampler_hart *s = h->sampler;
	ticked(s, now);
	h->sample_due = UINT64_MAX;
	if (claim(s)) {
		if (now >= due_of(s))
			samples_take(h, s, f, now, false);
		if (now >= s->wall.due)
			wall_tick_irq(h, f, now);
		if (now >= s->alarm_look)
			alarm_irq(s, now);
		claim_end(s);
	}
	sample_due_set(h, s, s->on && hart_count > 1 ? watch_irq(h, now) : UINT64_MAX);
	s->account.cost += arch_ticks() - now;
}

static void nmi(struct hart *h, struct arch_frame *f)
{
	struct sampler_hart *s = sampler_of(h);
	if (s == NULL)
		return;
	alarm_came(s);
	if (!claim(s)) {
		atomic_store_explicit(&s->alarm_amid, true, memory_order_relaxed); /* rule 5 */
		return;
	}
	uint64_t now = arch_ticks();
	if (s->on && now >= due_of(s) && (h->in_irq == 0 || h->in_fault)) { /* rule 4 */
		s->account.nmis++;
		samples_take(h, s, f, now, true);
		if (!arch_frame_irq_on(f))
			alarm_masked(s, now);
	}
	if (s->alarms) {
		alarm_lockup(s, f, now);
		alarm_irq(s, now);
	}
	claim_end(s);
}

/* Caller has claimed s. */
static void account_close(struct hart *h, struct sampler_hart *s, const struct arch_frame *f, uint64_t now)
{
	uint64_t p = period_ticks(), end = s->idle ? s->idle_since : now;
	if (!s->idle && now >= due_of(s))
		samples_take(h, s, f, now, false);
	sample_put(h, s, s->idle ? NULL : f, end, (end - s->accounted + p / 2) / p, 0);
	if (s->idle)
		s->account.idle += now - s->idle_since;
	s->account.elapsed = now - s->started;
	s->account.masked = h->off.total;
	s->account.masked_longest = h->off.longest;
	s->account.masked_longest_pc = h->off.longest_pc;
	s->on = false;
	h->off.timed = false;
	due_set(s, UINT64_MAX);
	alarm_end(s);
	sample_due_set(h, s, UINT64_MAX);
	watch_end(h);
}

/* Caller has claimed s. */
static void account_open(struct hart *h, struct sampler_hart *s, uint64_t now)
{
	s->alarms = hart_count == 1 && arch_alarm_enter();
	s->account = (struct sampler_account){.nmi = s->alarms || (hart_count > 1 && arch_nmi_enter())};
	s->on = true;
	s->started = s->accounted = s->idle_since = now;
	s->left = 1 + random_step(&s->rng) % period_ticks();
	h->off.since = h->off.until = h->off.total = h->off.longest = 0;
	h->off.timed = true;
	ticked(s, now);
	due_set(s, s->idle ? UINT64_MAX : now + s->left);
	alarm_irq(s, now);
	sample_due_set(h, s, watch_begin(h, now));
}

/* The next sample comes at a random phase of the new period; the account goes on. Caller has claimed s. */
static void rate_change(struct hart *h, struct sampler_hart *s, uint64_t now)
{
	s->left = 1 + random_step(&s->rng) % period_ticks();
	if (!s->idle)
		due_set(s, now + s->left);
	alarm_irq(s, now);
	sample_due_set(h, s, watch_begin(h, now));
}

/* A command has changed: this hart starts, or closes its account. */
static void obey(struct hart *h, const struct arch_frame *f)
{
	struct sampler_hart *s = sampler_of(h);
	/* both pair with the addition in command_give(): what was prepared for it */
	uint32_t c = atomic_load_explicit(&command, memory_order_acquire);
	uint32_t w = atomic_load_explicit(&wall_command, memory_order_acquire);
	if (s == NULL)
		return;
	bool cpu = c != atomic_load_explicit(&s->seen, memory_order_relaxed);
	bool wall = w != atomic_load_explicit(&s->wall.seen, memory_order_relaxed);
	if ((!cpu && !wall) || !claim(s))
		return;
	uint64_t now = arch_ticks();
	if (wall && s->wall.on)
		wall_close_irq(h, f, now);
	if (wall && (w & 1))
		wall_open_irq(h, now);
	bool rate = cpu && s->on && (c & 1);
	if (rate)
		rate_change(h, s, now);
	else if (cpu && s->on)
		account_close(h, s, f, now);
	if (cpu && (c & 1) && !rate)
		account_open(h, s, now);
	else if (!cpu)
		sample_due_set(h, s, h->sample_due);
	claim_end(s);
	timer_rearm_irq(h);
	/* pair with the acquire in command_give() */
	atomic_store_explicit(&s->seen, c, memory_order_release);
	atomic_store_explicit(&s->wall.seen, w, memory_order_release);
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
	bool claimed = claim(s);
	ASSERT(claimed, "nobody but an NMI finds the sampler claimed");
	uint64_t now = arch_ticks();
	s->idle = idle;
	if (s->on && idle) {
		uint64_t due = due_of(s);
		s->idle_since = now;
		s->left = due > now ? due - now : 1;
		due_set(s, UINT64_MAX);
	} else if (s->on) {
		uint64_t slept = now - s->idle_since;
		s->account.idle += slept;
		s->accounted += slept;
		ticked(s, now);
		due_set(s, now + s->left);
		if (now >= s->alarm_look)
			alarm_irq(s, now);
	}
	if (s->wall.on)
		wall_idle_irq(h, idle, now);
	claim_end(s);
	if (s->on || s->wall.on)
		sample_due_set(h, s, s->on ? watch_begin(h, now) : UINT64_MAX);
}

/* Tells every hart, this one included, and waits until each has obeyed. */
static void command_give(bool wall, uint32_t step)
{
	/* pairs with the acquire in obey() */
	uint32_t c =
		atomic_fetch_add_explicit(wall ? &wall_command : &command, step, memory_order_release) + step;
	/* rule 1 of kernel/hart.h: the hook and the command first, then who is online */
	atomic_thread_fence(memory_order_seq_cst);
	for (uint32_t i = 0; i < hart_count; i++) {
		struct sampler_hart *s = harts[i]->sampler;
		if (!atomic_load_explicit(&harts[i]->online, memory_order_relaxed))
			continue; /* sends itself an IPI when it comes, and obeys then */
		/* pairs with the release in obey(): its account is open, or closed */
		while (atomic_load_explicit(wall ? &s->wall.seen : &s->seen, memory_order_acquire) != c) {
			arch_ipi_send(harts[i]);
			time_sleep(200 * TIME_MICROSECOND);
		}
	}
}

void sampler_start(uint64_t ticks)
{
	ASSERT((atomic_load_explicit(&command, memory_order_relaxed) & 1) == 0, "one CPU profile at a time");
	atomic_store_explicit(&sampler_period, ticks > 0 ? ticks : 1, memory_order_relaxed);
	watch_prepare(ticks);
	alarm_prepare();
	command_give(false, 1);
}

void sampler_stop(void)
{
	ASSERT((atomic_load_explicit(&command, memory_order_relaxed) & 1) == 1, "a stop follows a start");
	command_give(false, 1);
}

void sampler_rate(uint64_t ticks)
{
	ASSERT((atomic_load_explicit(&command, memory_order_relaxed) & 1) == 1,
	       "the rate is a running profile's");
	atomic_store_explicit(&sampler_period, ticks > 0 ? ticks : 1, memory_order_relaxed);
	watch_prepare(ticks);
	command_give(false, 2);
}

void sampler_wall_start(uint64_t ticks)
{
	ASSERT((atomic_load_explicit(&wall_command, memory_order_relaxed) & 1) == 0,
	       "one wall-clock profile at a time");
	wall_hart_prepare(ticks);
	command_give(true, 1);
}

void sampler_wall_stop(void)
{
	ASSERT((atomic_load_explicit(&wall_command, memory_order_relaxed) & 1) == 1,
	       "a stop follows a start");
	command_give(true, 1);
}

void sampler_account(unsigned hart, struct sampler_account *a)
{
	*a = harts[hart]->sampler->account;
}

void wall_account(unsigned hart, struct wall_account *a)
{
	*a = harts[hart]->sampler->wall.account;
}

static bool sampler_make(struct hart *h)
{
	struct sampler_hart *s = heap_alloc(sizeof *s);
	if (s == NULL)
		return false;
	memset(s, 0,
	       offsetof(struct sampler_hart,
			ring.words)); /* the ring's words are written before they are read */
	due_set(s, UINT64_MAX);
	s->wall.due = s->alarm_look = UINT64_MAX;
	s->rng = arch_ticks() * 0x9e3779b97f4a7c15u + h->index * 0xd1342543de82ef95u + 1;
	/* pairs with the acquire in sampler_of() */
	__atomic_store_n(&h->sampler, s, __ATOMIC_RELEASE);
	return true;
}

/* A CPU profile and a wall-clock profile may begin at once: a sampler that was given to a hart is never replaced. */
static bool samplers_make(void)
{
	static struct mutex making;
	bool ok = true;
	mutex_lock(&making);
	for (uint32_t i = 0; i < hart_count && ok; i++)
		ok = harts[i]->sampler != NULL || sampler_make(harts[i]);
	mutex_unlock(&making);
	return ok;
}

bool sampler_prepare(void)
{
	if (!samplers_make())
		return false;
	timer_sample_hook = tick;
	/* pairs with the load in sched_loop(): the hook, then (in command_give()) who is online */
	__atomic_store_n(&trap_ipi_hook, ipi, __ATOMIC_RELAXED);
	trap_nmi_hook = nmi;
	sched_idle_hook = idle_change;
	return true;
}

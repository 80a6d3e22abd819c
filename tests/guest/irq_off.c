/*
 * Interrupts off is not dark: code that runs with interrupts off gets the samples it deserves, at its own lines where an NMI exists, and
 * nobody is blamed for what the emulator's host did.
 */
#include "suite.h"

#include <string.h>

#include <hartbeat/go.h>
#include <hartbeat/prof.h>
#include <hartbeat/time.h>

#include "kernel/clock.h"
#include "kernel/hart.h"
#include "kernel/irq_off.h"
#include "kernel/lock.h"
#include "kernel/preempt.h"
#include "kernel/symtab.h"
#include "prof/builder.h"
#include "prof/impl.h"
#include "prof/prof.h"
#include "record.h"

#define OWN_FRAME __attribute__((noipa))

static volatile uint64_t sink;

/* About n times 4 instructions. */
OWN_FRAME static void irq_off_masked_work(uint64_t n)
{
	for (uint64_t i = 0; i < n; i++)
		sink = i;
}

OWN_FRAME static void irq_off_open_work(uint64_t n)
{
	for (uint64_t i = 0; i < n; i++)
		sink = i;
}

OWN_FRAME static void irq_off_masked(uint64_t n)
{
	bool on = irq_save();
	irq_off_masked_work(n);
	irq_restore(on);
	sink = n;
}

/*
 * Stays on the last of several harts until hart_last_end(). Under -icount the emulator runs one hart at a time, from one timer's deadline to the next,
 * and goes round them in order: a hart that never pauses starves those behind it of every instruction, and they could not send an NMI.
 */
static void hart_last_begin(void)
{
	uint64_t end = time_now() + 10 * TIME_SECOND;
	if (go_harts() == 1)
		return; /* whoever reads the samples needs this one, too */
	preempt_disable();
	while (hart_index() != go_harts() - 1 && time_now() < end) {
		preempt_enable();
		time_sleep(TIME_MILLISECOND / 10);
		preempt_disable();
	}
	CHECK_EQ(hart_index(), go_harts() - 1);
}

static void hart_last_end(void)
{
	if (go_harts() > 1)
		preempt_enable();
}

static uint64_t per_us; /* rounds of work in a microsecond */

static void calibrate(void)
{
	uint64_t start = time_now();
	irq_off_open_work(1000000);
	uint64_t ns = time_now() - start;
	per_us = 1000000000 / (ns > 0 ? ns : 1);
}

struct share {
	uint64_t masked, lines, labelled,
		all; /* ns: in irq_off_masked, of it in the work itself, with the label, of both */
};

static void look(void *ctx, const struct builder *b, uint64_t duration_ns)
{
	struct share *s = ctx;
	(void)duration_ns;
	for (const struct prof_record *r = builder_first(b); r != NULL; r = builder_next(b, r)) {
		bool masked = record_find(r, "irq_off_masked") < r->depth,
		     open = record_find(r, "irq_off_open_work") < r->depth;
		if (!masked && !open)
			continue;
		s->all += r->weight_ns;
		if (masked) {
			s->masked += r->weight_ns;
			if (record_find(r, "irq_off_masked_work") == 0)
				s->lines += r->weight_ns;
			if ((r->labels & PROF_LABEL_IRQ_OFF) != 0)
				s->labelled += r->weight_ns;
		} else if ((r->labels & PROF_LABEL_IRQ_OFF) != 0) {
			record_wrong("a sample of code with interrupts on says that they were off", r);
		}
	}
}

static bool nmi_possible(void)
{
	struct sampler_account a;
	sampler_account(0, &a);
	return a.nmi;
}

/* A fifth of the time in masked sections of `us`; shares in hundredths of a percent. */
static void measure(uint64_t us, uint64_t total_ms, struct share *s)
{
	uint64_t end = time_now() + total_ms * TIME_MILLISECOND;
	*s = (struct share){0};
	CHECK_EQ(prof_start(us < 1000 ? 10000 : 1000), 0);
	hart_last_begin();
	while (time_now() < end) {
		irq_off_open_work(2 * us * per_us);
		irq_off_masked(us * per_us);
		irq_off_open_work(2 * us * per_us);
	}
	hart_last_end();
	CHECK_EQ(prof_stop_with(NULL, look, s), 0);
	for (unsigned i = 0; i < go_harts(); i++) {
		struct sampler_account a;
		sampler_account(i, &a);
		CHECK_EQ(a.lost, 0);
	}
}

static void masked_is_a_fifth(uint64_t us, uint64_t total_ms)
{
	struct share s;
	uint64_t share = 0, lines = 0, least_lines = us < 1000 ? 25 : 75;
	guest_profile_off();
	if (!guest_exact()) {
		guest_skip("shares are exact only when instructions are counted");
		return;
	}
	calibrate();
	/* How soon another hart sees that a tick is late depends on how the emulator takes turns among the harts; the share does not. */
	for (int k = 0; k == 0 || (k < GUEST_ATTEMPTS && nmi_possible() && lines < least_lines); k++) {
		measure(us, total_ms, &s);
		share = s.masked * 10000 / s.all;
		lines = s.lines * 100 / (s.masked + 1);
	}
	guest_note("sections of %llu us: %llu.%02llu %% of the time, %llu %% of it at their own lines, %llu "
		   "%% labelled",
		   (unsigned long long)us, (unsigned long long)share / 100, (unsigned long long)share % 100,
		   (unsigned long long)lines, (unsigned long long)(s.labelled * 100 / (s.masked + 1)));
	uint64_t most = guest_count(250, 100); /* three standard deviations of the short count */
	CHECK(share + most >= 2000 && share <= 2000 + most);
	CHECK(s.labelled * 100 >= s.masked * 95);
	if (nmi_possible())
		CHECK(lines >= least_lines);
}

GUEST_TEST(irq_off, share_20us,
	   "sections of 20 us with interrupts off get the share of the samples that they take of the time "
	   "(Nothing in the dark)")
{
	masked_is_a_fifth(20, guest_count(400, 4000));
}

GUEST_TEST(irq_off, share_1ms, "sections of 1 ms with interrupts off get their share (Nothing in the dark)")
{
	masked_is_a_fifth(1000, guest_count(2000, 10000));
}

GUEST_TEST(irq_off, share_50ms, "sections of 50 ms with interrupts off get their share (Nothing in the dark)")
{
	masked_is_a_fifth(50000, guest_count(5000, 20000));
}

/* Interrupts off without saying so, as a driver's own assembly might. */
OWN_FRAME static void irq_off_unsaid(uint64_t ns)
{
	bool on = arch_irq_save();
	uint64_t end = time_now() + ns;
	while (time_now() < end)
		irq_off_masked_work(1000);
	arch_irq_restore(on);
	sink = ns;
}

static void look_unsaid(void *ctx, const struct builder *b, uint64_t duration_ns)
{
	uint64_t *ns = ctx;
	(void)duration_ns;
	for (const struct prof_record *r = builder_first(b); r != NULL; r = builder_next(b, r))
		if (record_find(r, "irq_off_unsaid") < r->depth && (r->labels & PROF_LABEL_IRQ_OFF) != 0)
			*ns += r->weight_ns;
}

/* 200 ms with interrupts off, after a sleep. */
static void nmi_takes_samples(uint64_t sleep_ns)
{
	uint64_t ns = 0, nmis = 0;
	guest_profile_off();
	/* The hart that watches needs its turn on the host, too; the only one with counted instructions has none that it waits for. */
	int attempts = guest_attempts();
	for (int k = 0;
	     k == 0 || (k < attempts && nmi_possible() && (nmis < 5 || ns < 100 * TIME_MILLISECOND)); k++) {
		ns = nmis = 0;
		CHECK_EQ(prof_start(100), 0);
		if (sleep_ns > 0)
			time_sleep(sleep_ns);
		hart_last_begin();
		irq_off_unsaid(200 * TIME_MILLISECOND);
		hart_last_end();
		CHECK_EQ(prof_stop_with(NULL, look_unsaid, &ns), 0);
		for (unsigned i = 0; i < go_harts(); i++) {
			struct sampler_account a;
			sampler_account(i, &a);
			nmis += a.nmis;
			CHECK_EQ(a.elapsed, a.recorded + a.idle + a.lost);
		}
	}
	if (!nmi_possible()) {
		guest_skip("no NMI: the firmware, or with one hart the processor, has none");
		return;
	}
	guest_note("%llu us with its stack, %llu NMIs", (unsigned long long)ns / 1000,
		   (unsigned long long)nmis);
	CHECK(nmis >= 5);
	CHECK(ns >= 100 * TIME_MILLISECOND);
}

GUEST_TEST(irq_off, nmi,
	   "a hart that keeps interrupts off for long is sampled there by NMI (Nothing in the dark)")
{
	nmi_takes_samples(0);
}

GUEST_TEST(irq_off, nmi_behind_sleep, "the same, where the hart slept as its NMI came (Nothing in the dark)")
{
	nmi_takes_samples(52 * TIME_MILLISECOND);
}

GUEST_TEST(irq_off, alarm_amid_tick,
	   "an alarm that comes in the middle of a tick is followed by another (Nothing in the dark)")
{
	enum { US = TIME_MICROSECOND, PERIOD = 100 * US };
	uint64_t dark = 0, met = 0;
	guest_profile_off();
	CHECK_EQ(prof_start(TIME_SECOND / PERIOD), 0);
	struct sampler_hart *s = sampler_of(arch_hart());
	if (!nmi_possible() || go_harts() > 1 || !guest_exact()) {
		CHECK_EQ(prof_stop_with(NULL, NULL, NULL), 0);
		guest_skip("it takes an NMI of the hart's own, and counted instructions");
		return;
	}
	irq_off_unsaid(100 * TIME_MILLISECOND); /* long enough for a first one */
	for (uint64_t at = 0; at < 3 * US; at += guest_count(3, 1)) {
		struct sampler_account a, b, c;
		irq_off_unsaid(2 * PERIOD); /* each due time gets an alarm now */
		bool on = arch_irq_save();
		sampler_account(0, &a);
		uint64_t alarm = atomic_load(&s->alarm);
		while (arch_ticks() + clock_to_ticks(2 * US) < alarm + clock_to_ticks(at))
			;
		arch_irq_restore(on);
		arch_irq_save(); /* the tick was here */
		sampler_account(0, &b);
		for (uint64_t end = time_now() + 4 * PERIOD; time_now() < end;)
			;
		sampler_account(0, &c);
		arch_irq_restore(on);
		met += a.nmis == b.nmis && a.samples < b.samples;
		dark += c.nmis == b.nmis;
	}
	CHECK_EQ(prof_stop_with(NULL, NULL, NULL), 0);
	guest_note("%llu ticks about when the alarm was due", (unsigned long long)met);
	CHECK(met > 0);
	CHECK_EQ(dark, 0);
}

/* The tick was due after interrupts came on again: the last masked section has nothing to do with it. */
static void look_blame(void *ctx, const struct builder *b, uint64_t duration_ns)
{
	uint64_t *ns = ctx;
	(void)duration_ns;
	for (const struct prof_record *r = builder_first(b); r != NULL; r = builder_next(b, r))
		if (record_find(r, "irq_off_masked") < r->depth && (r->labels & PROF_LABEL_IRQ_OFF) != 0)
			*ns += r->weight_ns;
}

GUEST_TEST(irq_off, host_is_not_blamed_on_code,
	   "a tick that is late, but was not due while interrupts were off, is charged to the interrupted "
	   "place (Nothing in the dark)")
{
	uint64_t blamed = 0, masked = 0;
	guest_profile_off();
	calibrate();
	CHECK_EQ(prof_start(1000), 0);
	uint64_t end = time_now() + 300 * TIME_MILLISECOND;
	while (time_now() < end) {
		irq_off_masked(1);
		irq_off_open_work(100 * per_us);
	}
	CHECK_EQ(prof_stop_with(NULL, look_blame, &blamed), 0);
	for (unsigned i = 0; i < go_harts(); i++) {
		struct sampler_account a;
		sampler_account(i, &a);
		masked += clock_from_ticks(a.masked);
	}
	guest_note("%llu us blamed, %llu us were masked", (unsigned long long)blamed / 1000,
		   (unsigned long long)masked / 1000);
	CHECK(blamed <= 30 * TIME_MILLISECOND);
}

OWN_FRAME static void irq_off_masked_for(uint64_t ns)
{
	bool on = irq_save();
	uint64_t end = time_now() + ns;
	while (time_now() < end)
		irq_off_masked_work(1000);
	irq_restore(on);
	sink = end;
}

static struct spinlock lock = SPINLOCK_INIT(RANK_PROFILE);

OWN_FRAME static void irq_off_locked_for(uint64_t ns)
{
	spin_lock(&lock);
	uint64_t end = time_now() + ns;
	while (time_now() < end)
		irq_off_masked_work(1000);
	spin_unlock(&lock);
	sink = end;
}

/* mask() is called `name`. */
static void longest_is_known(void (*mask)(uint64_t), const char *name)
{
	enum { NS = 30 * TIME_MILLISECOND };
	struct sampler_account a, most;
	struct symtab_function f;
	bool found = false;
	guest_profile_off();
	/* A host may take the processor away for longer, with interrupts off elsewhere. */
	for (int k = guest_exact() ? GUEST_ATTEMPTS - 1 : 0; k < GUEST_ATTEMPTS && !found; k++) {
		most = (struct sampler_account){0};
		CHECK_EQ(prof_start(1000), 0);
		mask(NS);
		for (int i = 0; i < 1000; i++)
			mask(0); /* the longest, not the last */
		CHECK_EQ(prof_stop_with(NULL, NULL, NULL), 0);
		for (unsigned i = 0; i < go_harts(); i++) {
			sampler_account(i, &a);
			CHECK_EQ(a.elapsed - a.idle - a.lost, a.recorded);
			if (a.masked_longest > most.masked_longest)
				most = a;
		}
		found = symtab_function(most.masked_longest_pc, &f) && strcmp(f.name, name) == 0;
	}
	CHECK(found);
	CHECK(clock_from_ticks(most.masked_longest) >= NS / 10 * 9);
	CHECK(most.masked >= most.masked_longest);
}

GUEST_TEST(irq_off, longest,
	   "the longest time with interrupts off is known, where it began, and every period it swallowed is "
	   "counted (Conservation)")
{
	longest_is_known(irq_off_masked_for, "irq_off_masked_for");
}

GUEST_TEST(irq_off, longest_lock,
	   "a spinlock, taken the short way or the long way, says when interrupts come on again (Nothing in "
	   "the dark)")
{
	longest_is_known(irq_off_locked_for, "irq_off_locked_for");
	bool on = irq_save(); /* with interrupts off the long way is taken */
	spin_lock(&lock);
	spin_unlock(&lock);
	irq_restore(on);
	CHECK(!atomic_load(&arch_hart()->off.now));
}

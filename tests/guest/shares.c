/*
 * Shares with a known truth: loops whose parts take known numbers of instructions, and goroutines whose time the scheduler measures too.
 * Under EXACT=1 only: there an instruction is a nanosecond, so that the truth is known.
 *
 * The bound of a share p among n samples is four standard deviations, sqrt(p (1 - p) / n * 13/12): distances between half and one and a half
 * periods weigh a twelfth more than equal ones. With the 100,000 samples of the full form it is 0.5 points for every share.
 */
#include "suite.h"

#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hartbeat/go.h>
#include <hartbeat/labels.h>
#include <hartbeat/prof.h>
#include <hartbeat/time.h>

#include "kernel/clock.h"
#include "kernel/g.h"
#include "kernel/preempt.h"
#include "kernel/timer.h"
#include "kernel/trap.h"
#include "prof/builder.h"
#include "prof/prof.h"
#include "record.h"
#include "sched/sched.h"

#define OWN_FRAME __attribute__((noipa))

enum { HZ = 10000, PERIOD = 1000000000 / HZ, PARTS_MAX = 4 };

static volatile uint64_t sink;

/* The parts have the same code, so that n rounds are the same number of instructions in each. */
#define PART(name)                               \
	OWN_FRAME static void name(uint64_t n)   \
	{                                        \
		for (uint64_t i = 0; i < n; i++) \
			sink = i;                \
	}
PART(share_a)
PART(share_b)
PART(share_c)
PART(share_d)

static const char *const part_names[PARTS_MAX] = {"share_a", "share_b", "share_c", "share_d"};

struct parts {
	uint64_t ns[PARTS_MAX], all, samples;
};

static void look(void *ctx, const struct builder *b, uint64_t duration_ns)
{
	struct parts *p = ctx;
	(void)duration_ns;
	for (const struct prof_record *r = builder_first(b); r != NULL; r = builder_next(b, r))
		for (int i = 0; i < PARTS_MAX; i++)
			if (record_find(r, part_names[i]) < r->depth) {
				p->ns[i] += r->weight_ns;
				p->all += r->weight_ns;
				p->samples += r->count;
			}
}

static bool possible(void)
{
	guest_profile_off();
	if (!guest_exact())
		guest_skip("shares are exact only when instructions are counted");
	return guest_exact();
}

/* In points. */
static double bound(double share, double n)
{
	double four = 400 * sqrt(share * (1 - share) / n * 13 / 12);
	double most = guest_count(0, 1) ? 0.5 : four;
	return four < most ? four : most;
}

static void expect(const struct parts *p, int i, double share)
{
	double seen = 100.0 * (double)p->ns[i] / (double)p->all, off = seen - 100 * share,
	       most = bound(share, (double)p->samples);
	guest_note("%s: %.3f %% of the instructions, %.3f %% of %llu samples: %+.3f points, bound %.3f",
		   part_names[i], 100 * share, seen, (unsigned long long)p->samples, off, most);
	if (!(fabs(off) <= most))
		guest_fail(__FILE__, __LINE__, "the share of %s is off by %.3f points", part_names[i], off);
}

static uint64_t length(void)
{
	return guest_count(10000, 100000) * (uint64_t)PERIOD;
}

GUEST_TEST(shares, half_third_fifth, "of 50, 30 and 20 % of the instructions each gets its share of samples")
{
	struct parts p = {0};
	if (!possible())
		return;
	CHECK_EQ(prof_start(HZ), 0);
	for (uint64_t end = time_now() + length(); time_now() < end;) {
		share_a(5000);
		share_b(3000);
		share_c(2000);
	}
	CHECK_EQ(prof_stop_with(NULL, look, &p), 0);
	expect(&p, 0, 0.5);
	expect(&p, 1, 0.3);
	expect(&p, 2, 0.2);
}

GUEST_TEST(shares, small, "of 90, 9, 0.9 and 0.1 % of the instructions each gets its share of samples")
{
	struct parts p = {0};
	if (!possible())
		return;
	CHECK_EQ(prof_start(HZ), 0);
	for (uint64_t end = time_now() + length(); time_now() < end;) {
		share_a(90000);
		share_b(9000);
		share_c(900);
		share_d(100);
	}
	CHECK_EQ(prof_stop_with(NULL, look, &p), 0);
	expect(&p, 0, 0.9);
	expect(&p, 1, 0.09);
	expect(&p, 2, 0.009);
	expect(&p, 3, 0.001);
}

/*
 * A turn for each period. The sampler's own time cannot stretch a part that keeps its place in the turn: it comes out of share_b, which ends
 * with the turn, and the next sample is half a period away at least. So the truth is what the turn is without a profile, by the clock.
 */
static void turns(uint64_t ns, uint64_t *in_a, uint64_t *in_b)
{
	uint64_t now = time_now(), from, end = now + ns;
	while (now < end) {
		uint64_t turn = (now / PERIOD + 1) * PERIOD;
		from = time_now();
		share_a(PERIOD / 16);
		now = time_now();
		*in_a += now - from;
		while (now < turn) {
			from = now;
			share_b(1000);
			now = time_now();
			*in_b += now - from;
		}
	}
}

GUEST_TEST(
	shares, locked,
	"a loop in step with the sampling period gets true shares: distances are random (Time that adds up)")
{
	struct parts p = {0};
	uint64_t in_a = 0, in_b = 0, no_a = 0, no_b = 0;
	if (!possible())
		return;
	if (go_harts() > 1) {
		guest_skip("instructions are time only where one hart has all of it");
		return;
	}
	turns(100 * (uint64_t)PERIOD, &in_a, &in_b);
	CHECK_EQ(prof_start(HZ), 0);
	turns(length(), &no_a, &no_b);
	CHECK_EQ(prof_stop_with(NULL, look, &p), 0);
	double truth = (double)in_a / (double)(in_a + in_b);
	expect(&p, 0, truth);
	expect(&p, 1, 1 - truth);
}

/* ---- goroutines ---- */

enum { WORKERS = 6 };

struct worker {
	uint64_t end;   /* time_now() */
	uint64_t ticks; /* of the scheduler's clock */
	uint64_t ns;    /* sampled */
	unsigned index;
};

static uint64_t own_ticks(void)
{
	preempt_disable();
	const struct g *g = g_self();
	uint64_t t = g->run_ticks + arch_ticks() - g->run_since;
	preempt_enable();
	return t;
}

static void worker_run(void *arg)
{
	struct worker *w = arg;
	char name[8];
	uint64_t seed = w->index + 1, before = own_ticks();
	snprintf(name, sizeof name, "%u", w->index);
	LABELS_SCOPE({"worker", name});
	while (time_now() < w->end) {
		share_a(guest_random(&seed) % 20000 * (w->index + 1));
		switch (guest_random(&seed) % 4) {
		case 0:
			time_sleep(guest_random(&seed) % (200 * TIME_MICROSECOND));
			break;
		case 1:
			free(malloc(guest_random(&seed) % 50000));
			break;
		default:
			go_yield();
		}
	}
	w->ticks = own_ticks() - before;
}

static void look_workers(void *ctx, const struct builder *b, uint64_t duration_ns)
{
	struct worker *w = ctx;
	struct label l;
	(void)duration_ns;
	for (const struct prof_record *r = builder_first(b); r != NULL; r = builder_next(b, r))
		if (labels_of(r->labels & LABELS_ID_MASK, 0, &l))
			w[atoi(l.value)].ns += r->weight_ns;
}

/* How many of the workers have a sampled time that is more than three standard deviations off the scheduler's. */
static unsigned workers_off(void)
{
	struct worker w[WORKERS] = {0};
	struct guest_group all = {0};
	unsigned off = 0;
	CHECK_EQ(prof_start(HZ), 0);
	for (unsigned i = 0; i < WORKERS; i++) {
		w[i].index = i;
		w[i].end = time_now() + guest_count(300, 3000) * TIME_MILLISECOND;
		guest_go(&all, worker_run, &w[i]);
	}
	guest_wait(&all);
	CHECK_EQ(prof_stop_with(NULL, look_workers, w), 0);
	for (unsigned i = 0; i < WORKERS; i++) {
		double truth = (double)clock_from_ticks(w[i].ticks), seen = (double)w[i].ns;
		double sigma = PERIOD * sqrt(truth / PERIOD * 13 / 12);
		guest_note("worker %u: %.0f us on its harts, %.0f us sampled: %+.2f standard deviations", i,
			   truth / 1000, seen / 1000, (seen - truth) / sigma);
		off += fabs(seen - truth) > 3 * sigma;
	}
	return off;
}

GUEST_TEST(shares, goroutines,
	   "the sampled time of each goroutine is the scheduler's, within three standard deviations "
	   "(Conservation)")
{
	if (!possible())
		return;
	/* Of so many, one is beyond by chance in sixty rounds; not in each of three. */
	for (int k = 0; k < 3; k++)
		if (workers_off() == 0)
			return;
	CHECK(!"sampled time and on-CPU time agree");
}

/* ---- a goroutine that a trap takes off its hart ---- */

static struct {
	_Atomic(struct g *) of;
	_Atomic uintptr_t sp; /* of what the sample interrupted */
	void (*ipi)(struct hart *h, struct arch_frame *f);
	void (*sample)(struct hart *h, struct arch_frame *f, uint64_t now);
} caught;

/* A sample is due just now, and the scheduler is wanted, too. */
static void ipi_caught(struct hart *h, struct arch_frame *f)
{
	if (h->cur == atomic_load(&caught.of)) {
		h->sample_due = 0;
		timer_rearm_irq(h);
		hart_ask_irq(h);
	} else if (caught.ipi != NULL) {
		caught.ipi(h, f);
	}
}

static void sample_caught(struct hart *h, struct arch_frame *f, uint64_t now)
{
	struct arch_unwind u;
	(void)now;
	arch_frame_unwind(f, &u);
	h->sample_due = UINT64_MAX;
	atomic_store(&caught.sp, u.sp);
}

GUEST_TEST(
	shares, preempted,
	"a sample that falls due in the trap that takes a goroutine off its hart is the goroutine's, not the "
	"scheduler's (Conservation)")
{
	const struct g *self = g_self();
	guest_profile_off();
	caught.ipi = trap_ipi_hook;
	caught.sample = timer_sample_hook;
	timer_sample_hook = sample_caught;
	trap_ipi_hook = ipi_caught;
	for (int round = 0; round < 20; round++) {
		atomic_store(&caught.sp, 0);
		atomic_store(&caught.of, g_self());
		while (atomic_load(&caught.sp) == 0) {
			arch_ipi_send(arch_hart());
			guest_spin(20000);
		}
		atomic_store(&caught.of, NULL);
		uintptr_t sp = atomic_load(&caught.sp);
		CHECK(sp > self->stack_lo && sp <= self->stack_hi);
	}
	trap_ipi_hook = caught.ipi;
	timer_sample_hook = caught.sample;
}

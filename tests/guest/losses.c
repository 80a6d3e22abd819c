/* A sample ring that overflows: what found no room is counted, charged and shown. */
#include "suite.h"

#include <stdatomic.h>
#include <stdlib.h>

#include <hartbeat/go.h>
#include <hartbeat/prof.h>
#include <hartbeat/sync.h>
#include <hartbeat/time.h>

#include "kernel/clock.h"
#include "kernel/preempt.h"
#include "prof/builder.h"
#include "prof/prof.h"
#include "record.h"
#include "sched/sched.h"

enum { HZ = 10000, DEPTH = 110, LOST_SAMPLES = 50 };

static volatile uint32_t sink;

/* Keeps this hart busy, and the drain goroutine off it, until its ring has had no room for some samples. */
static void overflow(void)
{
	struct sampler_account a;
	uint64_t end = time_now() + 20 * TIME_SECOND;
	preempt_disable();
	do {
		for (int i = 0; i < 1000; i++)
			sink++;
		sampler_account(hart_index(), &a);
	} while (a.lost_samples < LOST_SAMPLES && time_now() < end);
	preempt_enable();
}

__attribute__((noipa)) static void deep(int depth)
{
	if (depth > 0)
		deep(depth - 1);
	else
		overflow();
	sink++;
}

static void fill(void *arg)
{
	(void)arg;
	deep(DEPTH);
}

struct found {
	uint64_t count, ns;           /* of all records */
	uint64_t lost_count, lost_ns; /* of the record [lost] */
	uint32_t lost_records;
};

static void look(void *ctx, const struct builder *b, uint64_t duration_ns)
{
	struct found *f = ctx;
	(void)duration_ns;
	for (const struct prof_record *r = builder_first(b); r != NULL; r = builder_next(b, r)) {
		f->count += r->count;
		f->ns += r->weight_ns;
		if (record_find(r, "[lost]") == r->depth)
			continue;
		CHECK_EQ(r->depth, 1);
		f->lost_records++;
		f->lost_count += r->count;
		f->lost_ns += r->weight_ns;
	}
}

/* tests/e2e/test-profile.sh opens the profile that this sends. */
GUEST_TEST(prof, losses,
	   "samples that a full ring has no room for are counted, charged to [lost], and said (Conservation)")
{
	struct guest_group all = {0};
	struct found f = {0};
	uint64_t samples = 0, recorded = 0, lost = 0, lost_samples = 0, period = TIME_SECOND / HZ;
	guest_profile_off();
	CHECK_EQ(prof_start(HZ), 0);
	for (unsigned i = 0; i < go_harts(); i++)
		guest_go(&all, fill, NULL);
	guest_wait(&all);
	CHECK_EQ(prof_stop_with("losses.pb.gz", look, &f), 0);
	for (unsigned i = 0; i < go_harts(); i++) {
		struct sampler_account a;
		sampler_account(i, &a);
		CHECK_EQ(a.elapsed - a.recorded - a.idle, a.lost);
		CHECK((a.lost > 0) == (a.lost_samples > 0) || a.lost < clock_to_ticks(period));
		samples += a.samples;
		recorded += a.recorded;
		lost += a.lost;
		lost_samples += a.lost_samples;
	}
	uint64_t lost_ns = clock_from_ticks(lost), all_ns = clock_from_ticks(recorded + lost),
		 slack = go_harts() * period;
	guest_note("%llu samples, %llu more lost: %llu us of %llu", (unsigned long long)samples,
		   (unsigned long long)lost_samples, (unsigned long long)lost_ns / 1000,
		   (unsigned long long)all_ns / 1000);
	CHECK(lost_samples >= LOST_SAMPLES && lost_ns > period);
	CHECK_EQ(f.lost_records, 1);
	CHECK(f.lost_ns <= lost_ns && f.lost_ns + slack >= lost_ns);
	/* each sample, and each sum, is rounded down to a nanosecond */
	CHECK(f.ns <= all_ns + go_harts() && f.ns + slack >= all_ns);
	CHECK_EQ(f.count - f.lost_count, samples);
	/* a period each: a sample stands for its time rounded to whole periods, the record [lost] for the sum of theirs */
	CHECK(f.lost_count * period >= lost_ns && f.lost_count * period <= lost_ns + period);
}

/* ---- a drain goroutine among many that are busy ---- */

enum {
	BUSY_HZ = 5000,
	BUSY_DEPTH = 20,
	BUSY_EACH = 40,
	BUSY_MS = 500
}; /* the ring holds 100 ms of these samples */

static _Atomic bool busy_over;

__attribute__((noipa)) static void busy(int depth)
{
	if (depth > 0)
		busy(depth - 1);
	else
		while (!atomic_load(&busy_over))
			for (int i = 0; i < 1000; i++)
				sink++;
	sink++;
}

static void busy_run(void *arg)
{
	(void)arg;
	busy(BUSY_DEPTH);
}

/* Samples that found no room. */
static uint64_t busy_lost(void)
{
	struct guest_group all = {0};
	struct found f = {0};
	uint64_t lost_samples = 0;
	atomic_store(&busy_over, false);
	CHECK_EQ(prof_start(BUSY_HZ), 0);
	for (unsigned i = 0; i < BUSY_EACH * go_harts(); i++)
		guest_go(&all, busy_run, NULL);
	time_sleep(BUSY_MS * TIME_MILLISECOND);
	atomic_store(&busy_over, true);
	guest_wait(&all);
	CHECK_EQ(prof_stop_with(NULL, look, &f), 0);
	for (unsigned i = 0; i < go_harts(); i++) {
		struct sampler_account a;
		sampler_account(i, &a);
		CHECK_EQ(a.elapsed - a.recorded - a.idle, a.lost);
		lost_samples += a.lost_samples;
	}
	guest_note("%llu samples, %llu more lost", (unsigned long long)f.count,
		   (unsigned long long)lost_samples);
	return lost_samples;
}

GUEST_TEST(prof, starved,
	   "with forty busy goroutines for each hart the rings are read in time, and what is lost all the "
	   "same is counted (Conservation)")
{
	guest_profile_off();
	uint64_t lost = busy_lost();
	/* Where the host runs the harts, the one that reads may stand still while the others fill their rings. */
	if (!guest_exact() || go_harts() > 1)
		return;
	for (int k = 0; k < 2 && lost > 0; k++) /* another timer may put it behind, once */
		lost = busy_lost();
	CHECK_EQ(lost, 0);
}

/* ---- why: it has a slice of its own ---- */

/* A tenth of a slice, begun when nearly all of somebody else's is over; those who are busy take 200 ms in turn. */
enum { SPELL_US = 1000, SPELL_SLEEP_US = 9500, SPELLS = 10, SPELL_LATE_MS = 50, SPELL_BUSY = 20 };

static struct waitgroup spells_done;
static unsigned spells_late;

static void spells_run(void *arg)
{
	(void)arg;
	for (int i = 0; i < SPELLS; i++) {
		time_sleep(SPELL_SLEEP_US * TIME_MICROSECOND);
		uint64_t start = time_now();
		guest_spin(SPELL_US * TIME_MICROSECOND);
		spells_late += time_now() - start > SPELL_LATE_MS * TIME_MILLISECOND;
	}
	waitgroup_done(&spells_done);
}

GUEST_TEST(
	prof, system_slice,
	"a goroutine of the kernel that wakes among busy ones is not put behind them with half of its work "
	"done (Conservation)")
{
	struct guest_group all = {0};
	if (!guest_exact() || go_harts() > 1) {
		guest_skip("slices are exact only when instructions are counted, on one hart");
		return;
	}
	guest_profile_off();
	spells_late = 0;
	atomic_store(&busy_over, false);
	for (unsigned i = 0; i < SPELL_BUSY; i++)
		guest_go(&all, busy_run, NULL);
	waitgroup_add(&spells_done, 1);
	CHECK(go_system(spells_run, NULL, "spells") != 0);
	waitgroup_wait(&spells_done);
	atomic_store(&busy_over, true);
	guest_wait(&all);
	guest_note("%u of %d were put behind", spells_late, SPELLS);
	/* Another timer that fires in the middle of one puts it behind, too: not every time. */
	CHECK(spells_late <= SPELLS / 2);
}

/* Samples of deep stacks: 128 frames are kept, the innermost, and the cut is marked. */
#include "suite.h"

#include <hartbeat/go.h>
#include <hartbeat/prof.h>
#include <hartbeat/time.h>

#include "prof/prof.h"
#include "record.h"
#include "trace/sample_ring.h"

static volatile uint32_t sink;

__attribute__((noipa)) static void depth_spin(uint64_t end)
{
	do
		for (int i = 0; i < 1000; i++)
			sink++;
	while (time_now() < end);
}

__attribute__((noipa)) static void deeper(unsigned more, uint64_t end)
{
	if (more > 0)
		deeper(more - 1, end);
	else
		depth_spin(end);
	sink++;
}

/* Frames of deeper() in this run's goroutine. */
static unsigned calls;

static void depth_run(void *arg)
{
	(void)arg;
	deeper(calls - 1, time_now() + 50 * TIME_MILLISECOND);
	sink++;
}

static void look(void *ctx, const struct builder *b, uint64_t duration_ns)
{
	/* leaf, deeper(), depth_run, group_run, goroutine_entry, context_start */
	bool whole = calls + 5 <= SAMPLE_DEPTH_MAX;
	uint64_t *found = ctx;
	(void)duration_ns;
	for (const struct prof_record *r = builder_first(b); r != NULL; r = builder_next(b, r)) {
		if (!record_is_at(r, 0, "depth_spin"))
			continue;
		*found += r->count;
		uint32_t last = r->depth - 1;
		bool ok = r->depth == (whole ? calls + 5 : SAMPLE_DEPTH_MAX);
		ok &= whole ? record_is_at(r, last, "context_start") : r->pcs[last] == PROF_FRAME_TRUNCATED;
		for (uint32_t i = 1; i < r->depth && i <= calls && (whole || i < last); i++)
			ok &= record_is_at(r, i, "deeper");
		if (!ok)
			record_wrong(whole ? "not the true stack"
					   : "not the 127 innermost frames and the mark",
				     r);
	}
}

GUEST_TEST(prof, depth, "a sample has 128 frames; of a deeper stack the innermost, and the mark")
{
	static const unsigned depths[] = {SAMPLE_DEPTH_MAX - 6, SAMPLE_DEPTH_MAX - 5, SAMPLE_DEPTH_MAX - 4,
					  SAMPLE_DEPTH_MAX, 500};
	for (unsigned i = 0; i < sizeof depths / sizeof depths[0]; i++) {
		uint64_t found = 0;
		calls = depths[i];
		/* a host that is busy may deliver hardly a tick */
		for (int k = 0; k < GUEST_ATTEMPTS && found < 10; k++) {
			struct guest_group all = {0};
			guest_profile_off();
			CHECK_EQ(prof_start(2000), 0);
			guest_go(&all, depth_run, NULL);
			guest_wait(&all);
			CHECK_EQ(prof_stop_with(NULL, look, &found), 0);
		}
		CHECK(found >= 10);
	}
}

/* A CPU profile whose rate is changed while it runs. */
#include "suite.h"

#include <errno.h>

#include <hartbeat/go.h>
#include <hartbeat/prof.h>
#include <hartbeat/time.h>

#include "prof/builder.h"
#include "prof/prof.h"
#include "record.h"

static void accounts_check(void)
{
	for (unsigned i = 0; i < go_harts(); i++) {
		struct sampler_account a;
		sampler_account(i, &a);
		CHECK_EQ(a.elapsed, a.recorded + a.idle + a.lost);
	}
}

static volatile uint64_t sink;

__attribute__((noipa)) static uint64_t rate_spin(void)
{
	uint64_t from = time_now();
	guest_spin(100 * TIME_MILLISECOND);
	sink++;
	return time_now() - from;
}

static void look(void *ctx, const struct builder *b, uint64_t duration_ns)
{
	uint64_t *n = ctx;
	(void)duration_ns;
	for (const struct prof_record *r = builder_first(b); r != NULL; r = builder_next(b, r))
		if (record_find(r, "rate_spin") < r->depth)
			*n += r->count;
}

/* Samples while this goroutine, alone, spins for 100 ms at each of these rates; false: not as many as that should be, because the host merged
 * ticks. */
static bool rates_once(void)
{
	static const unsigned hz[] = {1, 5000, 100, 2000, 10000, 1};
	uint64_t wanted = 0, n = 0;
	CHECK_EQ(prof_start(1), 0);
	for (unsigned i = 0; i < sizeof hz / sizeof hz[0]; i++) {
		CHECK_EQ(prof_rate(hz[i]), 0);
		wanted += rate_spin() * hz[i] / TIME_SECOND;
	}
	errno = 0;
	CHECK_EQ(prof_rate(0), -1);
	CHECK_EQ(errno, EINVAL);
	CHECK_EQ(prof_rate(1000000), -1);
	CHECK_EQ(prof_stop_with(NULL, look, &n), 0);
	accounts_check();
	guest_note("%llu samples, some %llu expected", (unsigned long long)n, (unsigned long long)wanted);
	return n > wanted * 8 / 10 && n < wanted * 13 / 10;
}

GUEST_TEST(prof, rate_changes,
	   "the rate of a running profile changes at once, and its account goes on (Conservation)")
{
	guest_profile_off();
	errno = 0;
	CHECK_EQ(prof_rate(100), -1);
	CHECK_EQ(errno, ESRCH);
	int i = 0;
	while (i < GUEST_ATTEMPTS && !rates_once())
		i++;
	CHECK(i < GUEST_ATTEMPTS);
}

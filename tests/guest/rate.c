/* A CPU profile whose rate is changed while it runs. */
#include "suite.h"

#include <errno.h>

#include <hartbeat/go.h>
#include <hartbeat/prof.h>
#include <hartbeat/time.h>

#include "prof/prof.h"

static uint64_t samples_so_far(void)
{
	uint64_t n = 0;
	for (unsigned i = 0; i < go_harts(); i++) {
		struct sampler_account a;
		sampler_account(i, &a);
		CHECK_EQ(a.elapsed, a.recorded + a.idle + a.lost);
		n += a.samples;
	}
	return n;
}

/* Samples while this goroutine, alone, spins for 100 ms at each of these rates. */
GUEST_TEST(prof, rate_changes,
	   "the rate of a running profile changes at once, and its account goes on (Conservation)")
{
	static const unsigned hz[] = {1, 5000, 100, 2000, 10000, 1};
	uint64_t wanted = 0;
	guest_profile_off();
	errno = 0;
	CHECK_EQ(prof_rate(100), -1);
	CHECK_EQ(errno, ESRCH);
	CHECK_EQ(prof_start(1), 0);
	for (unsigned i = 0; i < sizeof hz / sizeof hz[0]; i++) {
		CHECK_EQ(prof_rate(hz[i]), 0);
		uint64_t from = time_now();
		guest_spin(100 * TIME_MILLISECOND);
		wanted += (time_now() - from) * hz[i] / TIME_SECOND;
	}
	errno = 0;
	CHECK_EQ(prof_rate(0), -1);
	CHECK_EQ(errno, EINVAL);
	CHECK_EQ(prof_rate(1000000), -1);
	CHECK_EQ(prof_stop_with(NULL, NULL, NULL), 0);
	uint64_t n = samples_so_far();
	guest_note("%llu samples, some %llu expected", (unsigned long long)n, (unsigned long long)wanted);
	/* other harts have some too; a late tick counts all that it swallowed */
	CHECK(n > wanted * 9 / 10 && n < wanted * 13 / 10);
}

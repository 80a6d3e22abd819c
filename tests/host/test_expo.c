/* The exponential distribution in integers: draws, and scaling back and forth (Go: scaleHeapSample). */
#include "prof/expo.h"

#include <math.h>
#include <stdlib.h>

#include "tests/host/check.h"

static uint64_t next(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state * UINT64_C(0x2545f4914f6cdd1d);
}

TEST(draws_have_the_mean_and_the_shape)
{
	enum { N = 400000, MEAN = 524288 };
	uint64_t seed = 88172645463325252u;
	double sum = 0, beyond = 0;
	for (int i = 0; i < N; i++) {
		uint64_t d = expo_draw(MEAN, next(&seed));
		sum += (double)d;
		beyond += d > 2 * MEAN;
	}
	CHECK(fabs(sum / N / MEAN - 1) < 0.01);
	CHECK(fabs(beyond / N - exp(-2)) < 0.005);
	CHECK_EQ(expo_draw(MEAN, UINT64_MAX), 0);
	CHECK(expo_draw(UINT64_C(1) << 40, 0) < UINT64_C(45) << 40);
}

TEST(scaling_is_gos_and_goes_back)
{
	static const uint64_t sizes[] = {8, 16, 64, 1000, 32768, 524288, 10000000, UINT64_C(1) << 33},
			      rates[] = {2, 100, 4096, 524288, UINT64_C(1) << 40};
	for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
		for (unsigned k = 0; k < sizeof rates / sizeof rates[0]; k++)
			for (uint64_t n = 1; n < 2000000; n = n * 3 + 1) {
				double want = (double)n / -expm1(-(double)sizes[i] / (double)rates[k]);
				uint64_t got = expo_scale(n, sizes[i], rates[k]);
				CHECK(fabs((double)got - floor(want)) <= 1 + want * 1e-9);
				CHECK_EQ(expo_unscale(got, sizes[i], rates[k]), n);
			}
	CHECK_EQ(expo_scale(5, 64, 1), 5);
	CHECK_EQ(expo_scale(5, 64, 0), 5);
	CHECK_EQ(expo_scale(5, 0, 4096), 5);
}

/*
 * Fuzzes what hbdump --flame reads. The first byte picks gzip or the profile itself. Whatever comes: no crash, no unbounded work; what is
 * refused says why in one line; the samples of what is taken add up to the profile.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/hbdump/flame.h"
#include "tools/hbdump/gunzip.h"
#include "tools/hbdump/profile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { UNPACKED_MAX = 1 << 20 };

static void require(bool ok, const char *rule)
{
	if (!ok) {
		fprintf(stderr, "fuzz_profile: %s\n", rule);
		abort();
	}
}

static void sums_check(const struct profile *p)
{
	for (size_t t = 0; t < p->n_types; t++) {
		uint64_t sum = 0;
		for (size_t i = 0; i < p->n_samples; i++)
			sum += p->values[p->samples[i].value + t];
		require(sum == p->totals[t], "the samples add up to the profile");
	}
	flame_too_large(p);
}

static void profile_check(const uint8_t *data, size_t size)
{
	struct profile p;
	bool good = profile_read(&p, data, size);
	require(good == (p.error[0] == '\0') && strchr(p.error, '\n') == NULL, "what is refused says why");
	if (good)
		sums_check(&p);
	profile_free(&p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	if (data[0] % 4 != 0) {
		profile_check(data + 1, size - 1);
		return 0;
	}
	uint8_t *out;
	size_t n;
	const char *wrong = gunzip(data + 1, size - 1, UNPACKED_MAX, &out, &n);
	require((wrong == NULL) == (out != NULL), "gzip gives bytes or a reason");
	if (wrong == NULL)
		profile_check(out, n);
	free(out);
	return 0;
}

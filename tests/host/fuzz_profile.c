/*
 * Fuzzes what hbdump --flame reads. The first byte picks gzip or the profile itself. Whatever comes: no crash, no unbounded work; what is
 * refused says why in one line; what is taken folds into a tree whose samples add up to the profile, and its JSON cannot leave the page's
 * script.
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

static void json_check(const struct flame *f)
{
	char *text;
	size_t n;
	FILE *to = open_memstream(&text, &n);
	flame_json_write(f, "fuzz", to);
	fclose(to);
	require(strlen(text) == n && strpbrk(text, "<>&") == NULL, "the page's script cannot be left");
	free(text);
}

static void tree_check(const struct profile *p)
{
	struct flame f;
	const char *large = flame_fold(&f, p);
	if (large == NULL) {
		require(f.n_samples == p->n_samples, "every sample is in the tree");
		for (uint32_t i = 0; i < f.nodes.n; i++)
			require(f.nodes.list[i].a <= i && f.nodes.list[i].b < f.functions.n,
				"a node is behind its parent");
		for (size_t t = 0; t < p->n_types; t++) {
			uint64_t sum = 0;
			for (size_t i = 0; i < f.n_samples; i++) {
				require(f.samples[i].node <= f.nodes.n && f.samples[i].labels <= f.sets.n,
					"a sample has a node");
				sum += p->values[f.samples[i].value + t];
			}
			require(sum == p->totals[t], "the samples add up to the profile");
		}
		json_check(&f);
	}
	flame_free(&f);
}

static void profile_check(const uint8_t *data, size_t size)
{
	struct profile p;
	bool good = profile_read(&p, data, size);
	require(good == (p.error[0] == '\0') && strchr(p.error, '\n') == NULL, "what is refused says why");
	if (good)
		tree_check(&p);
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

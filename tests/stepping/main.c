/*
 * The stepping image: runs a corpus instruction by instruction, each a stop that goes to the host's judge (judge/), which walks the stack
 * by two other ways. One hart. Arguments: stops=N (at least so many), seed=N.
 *
 *	ARCH=x86_64 tests/e2e/test-stepping.sh
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "corpus.h"
#include "step.h"

static uint64_t argument(const char *word, const char *name)
{
	size_t n = strlen(name);
	return strncmp(word, name, n) == 0 && word[n] == '=' ? strtoull(word + n + 1, NULL, 10) : 0;
}

int main(int argc, char **argv)
{
	uint64_t wanted = 20000, seed = 1;
	for (int i = 1; i < argc; i++) {
		uint64_t stops = argument(argv[i], "stops"), s = argument(argv[i], "seed");
		if (stops == 0 && s == 0) {
			printf("stepping: %s: expected stops=N or seed=N\n", argv[i]);
			return 1;
		}
		wanted = stops != 0 ? stops : wanted;
		seed = s != 0 ? s : seed;
	}
	const char *why = step_init();
	if (why != NULL) {
		printf("stepping: %s\n", why);
		return 1;
	}
	corpus_start(seed);
	unsigned rounds = 0;
	step_on();
	while (stop_count() < wanted)
		corpus_round(rounds++);
	step_off();
	corpus_end();
	stop_done();
	printf("stepping: %llu stops, %u rounds\n", (unsigned long long)stop_count(), rounds);
	return 0;
}

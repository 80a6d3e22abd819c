/*
 * The stepping image: runs a corpus instruction by instruction, each a stop that goes to the host's judge (judge/), which walks the stack
 * by two other ways. One hart. Arguments: stops=N (at least so many), seed=N; or end=NAME, which instead of the corpus lets the machine die
 * (ends.c), and report=1: is stepped to the report's end then.
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
	const struct step_end *end = NULL;
	bool report = false;
	for (int i = 1; i < argc; i++) {
		uint64_t stops = argument(argv[i], "stops"), s = argument(argv[i], "seed");
		if (strncmp(argv[i], "end=", 4) == 0)
			end = step_end_find(argv[i] + 4);
		report |= argument(argv[i], "report") != 0;
		if (stops == 0 && s == 0 && end == NULL && !report) {
			printf("stepping: %s: expected stops=N, seed=N, end=NAME of ends.c or report=1\n",
			       argv[i]);
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
	if (end != NULL) {
		stop_end_at(report ? (uintptr_t)arch_exit : end->last);
		arch_irq_disable();
		step_on();
		while (stop_count() < 10) /* until every instruction is one */
			;
		end->run();
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

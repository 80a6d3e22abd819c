/* What is stepped: a round is one small piece of work, another one each time, until all kinds had their turn. */
#ifndef TESTS_STEPPING_CORPUS_H
#define TESTS_STEPPING_CORPUS_H

#include <stdint.h>

void corpus_start(uint64_t seed);
void corpus_round(unsigned round);
void corpus_end(void);

#endif

/* A compute loop on every hart at once: what the sampler's ticks cost is the difference of two runs. */
#ifndef TESTS_BENCH_LOOP_H
#define TESTS_BENCH_LOOP_H

#include <stdint.h>

/* Runs `rounds` rounds on each hart and prints "B loop NS ns". */
void loop(uint64_t rounds);

#endif

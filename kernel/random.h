/* Pseudo-random numbers for spreading work and samples: Marsaglia's xorshift64. Not for secrets. */
#ifndef KERNEL_RANDOM_H
#define KERNEL_RANDOM_H

#include <stdint.h>

/* Steps *state, which must not be 0, and returns it. Any context, by the owner of the state. */
static inline uint64_t random_step(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

#endif

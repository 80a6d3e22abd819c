/* Pools, for the shrinker. */
#ifndef SCHED_POOL_H
#define SCHED_POOL_H

#include <stdbool.h>
#include <stdint.h>

/* One pass of the shrinker: drops what was set aside by the pass before and is still there, and sets aside what the pools hold now; drops that
 * too when memory is short (hurry). Goroutine context. */
void pools_pass(bool hurry);
/* How many there have been. Any context. */
uint32_t pools_passes(void);

#endif

/* Pools, for the shrinker. */
#ifndef SCHED_POOL_H
#define SCHED_POOL_H

/* One pass: drops what was set aside by the pass before and is still there, and sets aside what the pools hold now. Goroutine context. */
void pools_pass(void);

#endif

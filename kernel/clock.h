/* Time: nanoseconds since boot, from the architecture's tick counter, the same on every hart. */
#ifndef KERNEL_CLOCK_H
#define KERNEL_CLOCK_H

#include <stdint.h>

/* Boot, once, before the first use: remembers the tick rate. */
void clock_init(void);
void clock_wall_init(
	void); /* the first goroutine, before the first use of clock_wall_ns(): reads the platform's clock */
uint64_t clock_ns(void);                   /* ns since clock_init(); monotonic; any context */
uint64_t clock_wall_ns(void);              /* ns since 1970, or since boot when the platform has no RTC */
uint64_t clock_from_ticks(uint64_t ticks); /* a span in arch_ticks() -> ns */
uint64_t clock_to_ticks(uint64_t ns);      /* a span in ns -> arch_ticks(), rounded up, saturating */
/* arch_ticks() when clock_ns() gets to ns, saturating at UINT64_MAX - 1. */
uint64_t clock_ticks_at(uint64_t ns);
/* A deadline `ns` from now in arch_ticks(), saturating at UINT64_MAX - 1. */
uint64_t clock_deadline(uint64_t ns);

#endif

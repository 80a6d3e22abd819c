/* Time for goroutines. */
#ifndef HARTBEAT_TIME_H
#define HARTBEAT_TIME_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TIME_MICROSECOND 1000ull
#define TIME_MILLISECOND 1000000ull
#define TIME_SECOND      1000000000ull

/* Nanoseconds since boot, monotonic, the same on every hart. */
uint64_t time_now(void);
/* Nanoseconds since 1970 from the platform's clock, or since boot where there is none. */
uint64_t time_wall(void);
/* Waits at least ns nanoseconds. */
void time_sleep(uint64_t ns);

#ifdef __cplusplus
}
#endif

#endif

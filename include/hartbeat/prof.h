/*
 * CPU profiles: where the time of the program's goroutines goes, sampled by the timer interrupt of each hart. A program is
 * profiled from start to end by default (boot options prof.cpu and prof.hz); with prof.cpu=off it can take profiles itself.
 */
#ifndef HARTBEAT_PROF_H
#define HARTBEAT_PROF_H

#include <hartbeat/sink.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Starts sampling at hz samples a second and hart (1 to 10,000). 0, or -1 with errno EBUSY when a profile is already running, EINVAL when hz
 * is out of range, ENOMEM when memory is out. Any goroutine. */
int prof_start(unsigned hz) __attribute__((warn_unused_result));
/* What an errno of prof_start() means, in a line; for EBUSY in Go's words. */
const char *prof_error(int error);

/* Changes the rate of the running profile. 0, or -1 with errno EINVAL as above, or ESRCH when none is running. Any goroutine. */
int prof_rate(unsigned hz) __attribute__((warn_unused_result));

/* Stops and writes the profile to the console as file `name` (for example "cpu.pb.gz"), for `go tool pprof`. 0, or -1 when no profile is
 * running or it could not be written whole. Any goroutine with 4 KiB of its stack left, as for all functions that stop a profile. */
int prof_stop(const char *name);
/* The same, to a sink. */
int prof_stop_to(struct sink *to);

/*
 * A wall-clock profile: what all goroutines are at, waiting and runnable ones too, and the harts, at hz times a second (1 to 1000). It runs
 * beside a CPU profile or alone; by default from start to end at 10 Hz (boot option prof.wall). Results and errors as prof_start()'s and
 * prof_stop()'s.
 */
int prof_wall_start(unsigned hz) __attribute__((warn_unused_result));
int prof_wall_stop(const char *name);
int prof_wall_stop_to(struct sink *to);

#ifdef __cplusplus
}
#endif

#endif

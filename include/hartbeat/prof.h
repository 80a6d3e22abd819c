/*
 * CPU profiles: where the time of the program's goroutines goes, sampled by the timer interrupt of each hart. A program is
 * profiled from start to end by default (boot options prof.cpu and prof.hz); with prof.cpu=off it can take profiles itself.
 */
#ifndef HARTBEAT_PROF_H
#define HARTBEAT_PROF_H

#ifdef __cplusplus
extern "C" {
#endif

/* Starts sampling at hz samples a second and hart (1 to 10,000). 0, or -1 when a profile is already running, hz is out of range or memory
 * is out. */
int prof_start(unsigned hz) __attribute__((warn_unused_result));

/* Stops and writes the profile to the console as file `name` (for example "cpu.pb.gz"), for `go tool pprof`. 0, or -1 when no profile is
 * running or it could not be written whole. */
int prof_stop(const char *name);

#ifdef __cplusplus
}
#endif

#endif

/*
 * Profiles by name, as Go's runtime/pprof: what there is of something right now, or what has happened so far, by stack. Every profile can
 * be asked for at any time, several at once, from any goroutine, with as little as 2 KiB left of its stack.
 *
 *	profile_dump("goroutine", 0, "goroutine.pb.gz");            a file of the output folder, for go tool pprof
 *	profile_dump("goroutine", 2, "goroutines.txt");             every goroutine's stack, as text
 *
 * A program adds profiles of its own: of anything that is made at one place and ends at another (connections, open files, locks held).
 *
 *	struct profile *open_files;                                 = profile_new("files");
 *	profile_add(open_files, file, 0);                           counted under the stack of the caller
 *	profile_remove(open_files, file);
 *
 * docs/profiles.md lists the profiles. CPU profiles are taken over a time and have functions of their own (prof.h).
 */
#ifndef HARTBEAT_PROFILE_H
#define HARTBEAT_PROFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <hartbeat/sink.h>

#ifdef __cplusplus
extern "C" {
#endif

struct profile;

enum { PROFILE_NAME_MAX = 64 };

/* The profile of that name, or NULL. Any goroutine, as all functions here. */
struct profile *profile_lookup(const char *name);
const char *profile_name(const struct profile *p);
/* How many things are in it now. */
size_t profile_count(struct profile *p);
/* Stores up to max profiles in the order of their names; returns how many there are. */
size_t profile_list(struct profile **list, size_t max);

/*
 * Writes a profile to a sink: debug 0 as gzip'd profile.proto for go tool pprof, 1 as text with a line for each stack, 2 as 1, or for
 * "goroutine" the traceback of every goroutine. 0, or -1 with errno ENOENT (no such profile), EINVAL (debug), ENOMEM, or what the sink
 * answered. When memory runs out while records are collected, the profile is written with those there are, and says how many it lacks. The
 * caller waits while the bytes are written, others do not. A caller with little stack left has it done on another goroutine.
 */
int profile_write(const char *name, int debug, struct sink *to) __attribute__((warn_unused_result));
/* The same (debug 0) for what changed during the next ns nanoseconds: the profile then less the profile now. */
int profile_write_delta(const char *name, uint64_t ns, struct sink *to) __attribute__((warn_unused_result));
/* profile_write() to a file on the console (dump.h), whose name ends up in the output folder. EINVAL too when file is no valid name. */
int profile_dump(const char *name, int debug, const char *file);

/*
 * Makes a profile, empty, for good. Panics when there is one of that name already, or when it is not 1 to PROFILE_NAME_MAX printing
 * characters without blanks (bytes that are not ASCII are none). NULL when memory is out.
 */
struct profile *profile_new(const char *name) __attribute__((warn_unused_result));
/* Counts value, an address that stands for a thing and is not looked at, under the stack of the caller, of whose innermost functions `skip`
 * are left out. Panics when it is there already. 0, or -1 with errno ENOMEM: then it is not counted. Not for profiles of the kernel: panics.
 * Takes less than 2 KiB of stack. */
int profile_add(struct profile *p, const void *value, unsigned skip);
/* Takes value out; nothing happens if it is not there. */
void profile_remove(struct profile *p, const void *value);

#ifdef __cplusplus
}
#endif

#endif

/* A profile as a flame graph: the page of prof/page/ with the profile in it. */
#ifndef TOOLS_HBDUMP_FLAME_H
#define TOOLS_HBDUMP_FLAME_H

#include <stdbool.h>
#include <stdint.h>

#include "tools/hbdump/profile.h"

enum {
	FLAME_DEPTH_MAX = 4096,       /* frames of one stack */
	FLAME_FRAMES_MAX = 100000000, /* frames of all stacks: bounds the page's time */
};

/* NULL, or what of a profile is too large for the page, in one line that goes on after the file's name. */
const char *flame_too_large(const struct profile *p);

/*
 * hbdump --flame: reads the profile at path and writes its page to the file out, or beside the profile when out is NULL (cpu.html for
 * cpu.pb.gz), or to stdout for "-". Returns false after telling the user why; a file that was there is left as it was then.
 */
bool flame_run(const char *path, const char *out);

#endif

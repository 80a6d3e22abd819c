/*
 * A profile as a flame graph: stacks folded into a tree by function, and the page that shows it.
 *
 * Node 0 is the whole profile, the others are functions, each below its caller and with a greater number than it.
 * A sample stands at the node where its stack ends; so a node's width is its own samples and those of all nodes
 * below it.
 */
#ifndef TOOLS_HBDUMP_FLAME_H
#define TOOLS_HBDUMP_FLAME_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "tools/hbdump/pairs.h"
#include "tools/hbdump/profile.h"

enum {
	FLAME_DEPTH_MAX = 4096,       /* frames of one stack */
	FLAME_FRAMES_MAX = 100000000, /* frames of all stacks: bounds the time */
	FLAME_NODES_MAX = 4000000,
};

/* How calls were made to the frames of a node: never inlined, always, or some of each. */
enum flame_inlined { FLAME_CALLED = 1, FLAME_INLINED = 2, FLAME_BOTH = 3 };

struct flame_sample {
	uint32_t node;
	uint32_t line;   /* in the function of the node, 0 if unknown */
	uint32_t labels; /* 0: none, else a label set's number plus 1 */
	size_t value;    /* in the profile's values */
};

/* All zero is an empty one. */
struct flame {
	const struct profile *profile;
	struct pairs
		functions;   /* (name, file): strings; a place without name: (its address, FLAME_NO_FILE) */
	struct pairs nodes;  /* (parent, function): node i + 1 is entry i */
	struct pairs labels; /* (key << 32 | string, number) */
	struct pairs units;  /* (label, unit): a label with everything */
	struct pairs
		sets; /* (set before it, or 0, unit's number): a set by its last label; a set's number is an entry's plus 1 */
	uint32_t *function_lines; /* where each function begins */
	uint8_t *inlined;         /* enum flame_inlined of each node but 0 */
	struct flame_sample *samples;
	size_t n_functions, n_inlined, n_samples;
};

#define FLAME_NO_FILE UINT64_MAX

/*
 * Folds a profile, which must stay while f is used. Returns NULL, or what is too large in one line that goes on after
 * the file's name. flame_free() is due in both cases.
 */
const char *flame_fold(struct flame *f, const struct profile *p);

void flame_free(struct flame *f);

/*
 * Writes the tree as JSON that may stand in HTML (no '<', '>' or '&'), in UTF-8 whatever the profile's strings are.
 * name is the profile's. Errors stay in the stream.
 */
void flame_json_write(const struct flame *f, const char *name, FILE *to);

/* Writes the whole page: one file of HTML that needs no other. Errors stay in the stream. */
void flame_page_write(const struct flame *f, const char *name, FILE *to);

/*
 * hbdump --flame: reads the profile at path and writes its page to the file out, or beside the profile when out is NULL (cpu.html for
 * cpu.pb.gz), or to stdout for "-". Returns false after telling the user why; a file that was there is left as it was then.
 */
bool flame_run(const char *path, const char *out);

#endif

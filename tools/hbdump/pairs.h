/* Small numbers for pairs of words, counted from 0 in the order in which the pairs are first seen. */
#ifndef TOOLS_HBDUMP_PAIRS_H
#define TOOLS_HBDUMP_PAIRS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pair {
	uint64_t a, b;
};

/* All zero is an empty one. Owned by its one user. */
struct pairs {
	struct pair *list; /* n of them, by their number */
	uint32_t *slots;   /* open addressing, at most half full: a number plus 1, or 0 */
	uint32_t n, n_slots;
};

/* The number of (a, b), a new one if it was not seen; *is_new says which, unless NULL. Exits the program without memory. */
uint32_t pairs_put(struct pairs *t, uint64_t a, uint64_t b, bool *is_new);

/* Whether (a, b) was seen; its number in *i then. */
bool pairs_find(const struct pairs *t, uint64_t a, uint64_t b, uint32_t *i);

void pairs_free(struct pairs *t);

#endif

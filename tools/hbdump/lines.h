/*
 * Which data lines of a stream have been seen: one bit a line. Grows to the greatest line it is given; who
 * calls bounds that. Memory of a jump is zero pages nobody touched.
 */
#ifndef TOOLS_HBDUMP_LINES_H
#define TOOLS_HBDUMP_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct line_set {
	uint64_t *bits;
	uint64_t room;  /* lines that bits[] has a bit for */
	uint64_t count; /* lines in the set */
	uint64_t end;   /* greatest line in the set plus one, 0 when empty */
};

bool lines_has(const struct line_set *s, uint64_t line);

/* Adds a line that is not in the set. Returns false when there is no memory; the set is then unchanged. */
__attribute__((warn_unused_result)) bool lines_add(struct line_set *s, uint64_t line);

/*
 * Writes the lines below `below` that are not in the set to out (size bytes, terminated) as "3-7, 12", the
 * first ranges only when there are many, with how many lines the rest is. Returns how many lines are missing.
 */
uint64_t lines_missing(const struct line_set *s, uint64_t below, char *out, size_t size);

/* The same as "3-7,12", without blanks, as many ranges as fit into size bytes. Returns the characters written. */
size_t lines_list(const struct line_set *s, uint64_t below, char *out, size_t size);

void lines_free(struct line_set *s);

#endif

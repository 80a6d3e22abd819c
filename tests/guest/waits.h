/* What the tests of waits share: the sums of records by a function of their stack, to be sure that somebody waits, and tables of stacks that are full. */
#ifndef TESTS_GUEST_WAITS_H
#define TESTS_GUEST_WAITS_H

#include "kernel/g.h"
#include "prof/stacks.h"

/* Whether the function that begins at fn is on the stack of r. */
bool stack_has(const struct stack_record *r, uintptr_t fn);

struct sums {
	uint64_t count, parked, late; /* events in WAIT_ONE, ticks */
};

/* Of the records whose stack has fn, or all (NULL), with this reason (or any, -1). */
struct sums waits_sum(const struct stack_table *t, void (*fn)(void *), int reason);
struct sums sums_less(struct sums a, struct sums b);

/* Until *who is set, and waits. */
void until_waits(struct g *_Atomic *who);

/* No room for another stack, until stacks_unfill(). */
struct stacks_room {
	size_t used, limit;
};
struct stacks_room stacks_fill(struct stack_table *t);
void stacks_unfill(struct stack_table *t, struct stacks_room room);

#endif

/* What the tests of profiles share: a profile as text, and what it adds up to. */
#ifndef TESTS_GUEST_PROFILES_H
#define TESTS_GUEST_PROFILES_H

#include <stdbool.h>
#include <stdint.h>

/* The text of a profile, to be freed; "" and a failed test when it could not be written. */
char *profile_text(const char *name, int debug);
/* Of "goroutine". */
static inline char *goroutine_text(int debug)
{
	return profile_text("goroutine", debug);
}
/* The number after "total". */
unsigned long profile_total(const char *text);
/* The sum of the counts in front of the stacks. */
unsigned long profile_sum(const char *text);
/* The sums of the two numbers in front of all stacks whose innermost functions are these (NULL ends them); false: there is none. */
bool profile_stack(const char *text, const char *const *want, uint64_t *first, uint64_t *second);

#endif

/* Looking at the stack of a profile's record by the names of its functions. Leaf first, as the record has it. */
#ifndef TESTS_GUEST_RECORD_H
#define TESTS_GUEST_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "prof/builder.h"

/* Name of frame i: a function, a bracketed synthetic frame, "?" when there is no symbol, "" beyond the end. */
const char *record_name(const struct prof_record *r, uint32_t i);
bool record_is_at(const struct prof_record *r, uint32_t i, const char *name);
/* Index of the innermost frame of function `name`; r->depth when there is none. */
uint32_t record_find(const struct prof_record *r, const char *name);
/* Whether the stack ends with a synthetic frame. */
bool record_synthetic(const struct prof_record *r);
/* Fails the running test over this stack: what is wrong, and the stack. */
void record_wrong(const char *what, const struct prof_record *r);

#endif

/*
 * Makes execution traces from text, right or wrong ones, for the tests of hbdump --check-trace. One item a line:
 *
 *	go 1.22                            the header
 *	freq GEN HZ
 *	string GEN ID TEXT
 *	stack GEN ID PC:FUNCTION:FILE:LINE ...      innermost first; FUNCTION and FILE are ids of strings
 *	sample GEN TIME M P G STACK
 *	batch GEN M TIME                   what follows are its events, up to the next item that is none
 *	DT EVENT ARGUMENT ...              such as: 3 GoStart 7 1
 *	raw BYTE ...                       in hex; into the batch if one is open
 *
 * A number may be "-", which stands for none (2^64 - 1). Empty lines, and those that begin with '#', say nothing.
 */
#ifndef TESTS_HOST_TRACE_TEXT_H
#define TESTS_HOST_TRACE_TEXT_H

#include <stddef.h>
#include <stdint.h>

/* Returns malloc'd bytes, *n of them; a line that is not understood ends the program. */
uint8_t *trace_text(const char *text, size_t *n);

#endif

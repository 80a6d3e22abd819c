/* Gzip read back, to look at what a profile says. */
#ifndef TESTS_GUEST_INFLATE_H
#define TESTS_GUEST_INFLATE_H

#include <stddef.h>

/* Unpacks one gzip member into at most max bytes. Returns how many, 0: it is damaged or does not fit. Not two at a time. */
size_t inflate_gzip(const void *in, size_t n, void *out, size_t max);

#endif

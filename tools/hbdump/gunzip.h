/* A gzip file in memory, checksums and lengths checked. */
#ifndef TOOLS_HBDUMP_GUNZIP_H
#define TOOLS_HBDUMP_GUNZIP_H

#include <stddef.h>
#include <stdint.h>

/*
 * Unpacks n bytes of gzip, one member. Returns NULL, and then *out (to be freed) holds *out_n bytes; or what is wrong with
 * the input, and what was expected, in one line without a newline. More than limit bytes are refused.
 */
const char *gunzip(const uint8_t *in, size_t n, size_t limit, uint8_t **out, size_t *out_n);

/* The same for the first member, *used bytes, whatever is behind it. */
const char *gunzip_first(const uint8_t *in, size_t n, size_t limit, uint8_t **out, size_t *out_n,
			 size_t *used);

/* The same for any number of members, one behind the other, which gzip(1) unpacks to one file. */
const char *gunzip_members(const uint8_t *in, size_t n, size_t limit, uint8_t **out, size_t *out_n);

#endif

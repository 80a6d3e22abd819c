/*
 * Base64 with the standard alphabet and padding (RFC 4648 section 4), no line breaks. Pure: no state, no
 * allocation; the same source runs on the target and in the host's tools.
 */
#ifndef KERNEL_BASE64_H
#define KERNEL_BASE64_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Characters that n bytes become, padding included, no terminator. */
#define BASE64_SIZE(n) (((n) + 2) / 3 * 4)

/*
 * Writes the BASE64_SIZE(size) characters for size bytes at data to out, without a terminator; returns their
 * number. Any context.
 */
size_t base64_encode(char *out, const void *data, size_t size);

/*
 * Decodes len characters at text into out, which has room for len / 4 * 3 bytes, and sets *size to the bytes
 * written. Returns false, with *size unspecified, unless text is exactly what base64_encode() makes of those
 * bytes: a foreign character, misplaced padding or non-zero unused bits are all refused, so that no two texts
 * mean the same bytes. Any context.
 */
bool base64_decode(uint8_t *out, size_t *size, const char *text, size_t len);

#endif

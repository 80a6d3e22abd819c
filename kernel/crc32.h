/*
 * CRC-32 as zlib, gzip and Ethernet compute it (reflected polynomial 0xedb88320, all ones in and out; RFC
 * 1952 section 8). Pure: no state, no allocation; the same source runs on the target and in the host's tools.
 */
#ifndef KERNEL_CRC32_H
#define KERNEL_CRC32_H

#include <stddef.h>
#include <stdint.h>

/*
 * Returns the CRC-32 of the bytes that crc stands for followed by size bytes at data; start with crc = 0. So
 * crc32_update(crc32_update(0, a, n), b, m) is the CRC-32 of a and b together. No error. Any context.
 */
uint32_t crc32_update(uint32_t crc, const void *data, size_t size);

#endif

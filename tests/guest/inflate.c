/* See inflate.h. zlib's inflate, out of static memory: those who ask look at what is allocated, or have no memory. */
#include "inflate.h"

#include <stdalign.h>
#include <stdint.h>
#include <zlib.h>

enum { GZIP_ONLY = 16 }; /* added to the window's size: zlib then takes nothing but gzip */

/* What inflate keeps between calls; all is done in one, which needs no window besides. */
static alignas(max_align_t) uint8_t state[8 << 10];

static void *state_take(void *opaque, unsigned items, unsigned size)
{
	(void)opaque;
	return (size_t)items * size <= sizeof state ? state : NULL;
}

static void state_give(void *opaque, void *taken)
{
	(void)opaque;
	(void)taken;
}

size_t inflate_gzip(const void *in, size_t n, void *out, size_t max)
{
	z_stream z = {.zalloc = state_take,
		      .zfree = state_give,
		      .next_in = (z_const Bytef *)in,
		      .avail_in = (uInt)n,
		      .next_out = out,
		      .avail_out = (uInt)max};
	if (inflateInit2(&z, MAX_WBITS + GZIP_ONLY) != Z_OK)
		return 0;
	int r = inflate(&z, Z_FINISH);
	inflateEnd(&z);
	return r == Z_STREAM_END ? z.total_out : 0;
}

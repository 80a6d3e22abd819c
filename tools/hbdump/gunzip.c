/* zlib's inflate, into a buffer that grows with what comes out of it: a short file that claims much costs little. */
#include "tools/hbdump/gunzip.h"

#include <stdbool.h>
#include <stdlib.h>
#include <zlib.h>

#include "tools/hbdump/vector.h"

enum {
	STEP = 1 << 16,
	GZIP_ONLY = 16, /* added to the window's size: zlib then takes nothing but gzip */
	IN_MAX = 1 << 30,
};

enum members { ONE, FIRST, ALL };

static const char *inflate_all(z_stream *z, enum members members, size_t limit, uint8_t **out, size_t *out_n)
{
	size_t room = 0;
	for (int r = Z_OK; r != Z_STREAM_END;) {
		if (*out_n == room) {
			if (room == limit)
				return "unpacks to more than the size limit";
			room = room == 0 ? STEP : 2 * room;
			if (room > limit)
				room = limit;
			*out = vector_resize(*out, room, 1);
		}
		z->next_out = *out + *out_n;
		z->avail_out = (uInt)(room - *out_n);
		r = inflate(z, Z_NO_FLUSH);
		*out_n = room - z->avail_out;
		if (r == Z_BUF_ERROR || (r == Z_OK && z->avail_in == 0 && z->avail_out > 0))
			return "is cut short: expected the end of a gzip stream";
		if (r != Z_OK && r != Z_STREAM_END)
			return "is damaged: expected a gzip stream with a right checksum";
		if (r == Z_STREAM_END && members == ALL && z->avail_in > 0)
			r = inflateReset(z);
	}
	return z->avail_in == 0 || members == FIRST
		       ? NULL
		       : "has more after its end: expected one gzip stream and nothing else";
}

static const char *unpack(const uint8_t *in, size_t n, enum members members, size_t limit, uint8_t **out,
			  size_t *out_n, size_t *used)
{
	z_stream z = {.next_in = (Bytef *)in, .avail_in = (uInt)n};
	*out = NULL;
	*out_n = 0;
	if (n == 0)
		return "is empty: expected a gzip'd profile";
	if (n >= 2 ? in[0] != 0x1f || in[1] != 0x8b : in[0] != 0x1f)
		return "is not gzip: expected a gzip'd profile, such as cpu.pb.gz";
	if (n > IN_MAX)
		return "has more than 1 GiB: expected a profile";
	if (limit > IN_MAX)
		limit = IN_MAX;
	if (inflateInit2(&z, MAX_WBITS + GZIP_ONLY) != Z_OK)
		return "cannot be unpacked: out of memory";
	const char *wrong = inflate_all(&z, members, limit, out, out_n);
	*used = n - z.avail_in;
	inflateEnd(&z);
	if (wrong != NULL) {
		free(*out);
		*out = NULL;
		*out_n = 0;
	}
	return wrong;
}

const char *gunzip(const uint8_t *in, size_t n, size_t limit, uint8_t **out, size_t *out_n)
{
	size_t used;
	return unpack(in, n, ONE, limit, out, out_n, &used);
}

const char *gunzip_first(const uint8_t *in, size_t n, size_t limit, uint8_t **out, size_t *out_n,
			 size_t *used)
{
	return unpack(in, n, FIRST, limit, out, out_n, used);
}

const char *gunzip_members(const uint8_t *in, size_t n, size_t limit, uint8_t **out, size_t *out_n)
{
	size_t used;
	return unpack(in, n, ALL, limit, out, out_n, &used);
}

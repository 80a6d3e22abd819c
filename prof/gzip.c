/*
 * Owns compression: zlib's deflate behind the sink interface, with its memory from mem_ops.
 *
 * Window 2^12 and memLevel 5 take 38,720 bytes instead of the 268,096 of the defaults and lose 2 to 4 % of
 * the ratio on profiles and traces.
 *
 * 1. The header's time is 0 and there is no name, which is what zlib writes unless told otherwise; otherwise
 * the same profile would give other bytes each time.
 * 2. After an error nothing more is written; otherwise the stream would have a gap that only its last four
 * bytes show.
 */
#include "prof/gzip.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "kernel/assert.h"

#ifndef Z_SOLO
#define Z_SOLO 1 /* no file functions, no malloc: the target has none for it */
#endif
#include <zlib.h>

enum { WINDOW_BITS = 12, GZIP_WRAPPER = 16, MEM_LEVEL = 5, OUT_SIZE = 1024 };

struct gzip {
	struct sink sink; /* first: the sink handed out is this */
	struct sink *next;
	const struct mem_ops *mem;
	int error; /* the first */
	z_stream stream;
	unsigned char out[OUT_SIZE];
};

_Static_assert(offsetof(struct gzip, sink) == 0, "gzip_write casts from the sink");

static void *zlib_alloc(void *mem, unsigned items, unsigned size)
{
	size_t bytes;
	return __builtin_mul_overflow((size_t)items, (size_t)size, &bytes) ? NULL : mem_alloc(mem, bytes);
}

static void zlib_free(void *mem, void *p)
{
	mem_free(mem, p);
}

/* Runs deflate until all input is taken, and with Z_FINISH until all output is written. */
static int gzip_run(struct gzip *z, int flush)
{
	int r;
	do {
		z->stream.next_out = z->out;
		z->stream.avail_out = OUT_SIZE;
		r = deflate(&z->stream, flush);
		ASSERT(r != Z_STREAM_ERROR, "deflate is called with a valid stream");
		size_t n = OUT_SIZE - z->stream.avail_out;
		if (n > 0)
			z->error = sink_write(z->next, z->out, n);
	} while (z->error == 0 && (z->stream.avail_out == 0 || (flush == Z_FINISH && r != Z_STREAM_END)));
	return z->error;
}

static int gzip_write(struct sink *s, const void *data, size_t n)
{
	struct gzip *z = (struct gzip *)s;
	const unsigned char *p = data;
	while (z->error == 0 && n > 0) {
		unsigned step = n < UINT_MAX ? (unsigned)n : UINT_MAX;
		z->stream.next_in = (unsigned char *)p; /* zlib only reads it */
		z->stream.avail_in = step;
		gzip_run(z, Z_NO_FLUSH);
		p += step;
		n -= step;
	}
	return z->error;
}

struct gzip *gzip_open(struct sink *next, const struct mem_ops *mem, int level)
{
	ASSERT(level >= 1 && level <= 9, "a gzip level is 1 to 9");
	struct gzip *z = mem_alloc(mem, sizeof *z);
	if (z == NULL)
		return NULL;
	memset(z, 0, sizeof *z);
	z->sink.write = gzip_write;
	z->next = next;
	z->mem = mem;
	z->stream.zalloc = zlib_alloc;
	z->stream.zfree = zlib_free;
	z->stream.opaque = (void *)mem; /* only handed back, to zlib_alloc and zlib_free */
	int r = deflateInit2(&z->stream, level, Z_DEFLATED, WINDOW_BITS + GZIP_WRAPPER, MEM_LEVEL,
			     Z_DEFAULT_STRATEGY);
	if (r != Z_OK) {
		ASSERT(r == Z_MEM_ERROR, "deflate accepts these parameters");
		mem_free(mem, z);
		return NULL;
	}
	return z;
}

struct sink *gzip_sink(struct gzip *z)
{
	return &z->sink;
}

int gzip_close(struct gzip *z)
{
	z->stream.avail_in = 0;
	if (z->error == 0)
		gzip_run(z, Z_FINISH);
	int error = z->error;
	deflateEnd(&z->stream);
	mem_free(z->mem, z);
	return error;
}
